/**
 * Counts the bytes of every array buffer that is made, by constructors of its own in the place of the
 * global ones. Import it before what is to be watched.
 *
 * @module
 */

/** More than any case may take: refused, so that a failing test does not take the machine along. */
const MOST = 2 ** 30;

let bytes = 0;

function add(more: number): void {
  bytes += more;
  if (bytes > MOST) throw new RangeError(`Array buffer allocation failed: ${bytes} bytes`);
}

/** Bytes made since the last time. */
export function takeAllocated(): number {
  const taken = bytes;
  bytes = 0;
  return taken;
}

const isBuffer = (value: unknown) =>
  value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;

function watch(name: string): void {
  const scope = globalThis as unknown as Record<string, {
    new (...args: unknown[]): { readonly byteLength: number };
    readonly prototype: object;
    readonly BYTES_PER_ELEMENT?: number;
  }>;
  const original = scope[name];
  const watched: typeof original = new Proxy(original, {
    construct(target, args, newTarget) {
      const size = args[0];
      // Before it is made: it may be far too much.
      if (typeof size === "number") add(size * (target.BYTES_PER_ELEMENT ?? 1));
      const made = Reflect.construct(
        target,
        args,
        newTarget === watched ? target : newTarget,
      ) as { readonly byteLength: number };
      if (typeof size === "object" && !isBuffer(size)) add(made.byteLength);
      return made;
    },
  });
  scope[name] = watched;
  // slice, map and filter ask for it.
  Object.defineProperty(original.prototype, "constructor", { value: watched });
}

for (
  const name of [
    "Int8Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "Int16Array",
    "Uint16Array",
    "Int32Array",
    "Uint32Array",
    "Float32Array",
    "Float64Array",
    "ArrayBuffer",
  ]
) watch(name);
