/**
 * Replaces the global constructors of arrays with ones that count the bytes they allocate. Import it
 * before the code whose memory is measured.
 */

/** No case may allocate more; refusing it protects the machine from a failing test. */
const MOST = 2 ** 30;

let bytes = 0;

function add(more: number): void {
  bytes += more;
  if (bytes > MOST) throw new RangeError(`Array buffer allocation failed: ${bytes} bytes`);
}

export function takeAllocated(): number {
  const taken = bytes;
  bytes = 0;
  return taken;
}

const isBuffer = (value: unknown) =>
  value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;

function count(name: string): void {
  const scope = globalThis as unknown as Record<string, {
    new (...args: unknown[]): { readonly byteLength: number };
    readonly prototype: object;
    readonly BYTES_PER_ELEMENT?: number;
  }>;
  const original = scope[name];
  const counting: typeof original = new Proxy(original, {
    construct(target, args, newTarget) {
      const size = args[0];
      // Before it is allocated: it may be far too much.
      if (typeof size === "number") add(size * (target.BYTES_PER_ELEMENT ?? 1));
      const made = Reflect.construct(target, args, newTarget === counting ? target : newTarget);
      if (typeof size === "object" && !isBuffer(size)) add(made.byteLength);
      return made;
    },
  });
  scope[name] = counting;
  // slice, map and filter call it.
  Object.defineProperty(original.prototype, "constructor", { value: counting });
}

const KINDS = ["Int8", "Uint8", "Uint8Clamped", "Int16", "Uint16", "Int32", "Uint32"];
for (const kind of [...KINDS, "Float32", "Float64"]) count(`${kind}Array`);
count("ArrayBuffer");
