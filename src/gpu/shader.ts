/**
 * Reads from a WGSL file what the host must know of it: its bindings by name.
 *
 * The names in the WGSL file are the only place where bindings are declared; the host passes
 * `{ x: buffer }` and never a binding number.
 */

/** How a kernel uses a binding. */
export type Access = "read" | "write" | "read_write";

/** One `@binding` of a WGSL file. */
export interface Binding {
  /** Its number in the file. */
  readonly index: number;
  /** What is bound there. */
  readonly kind: "buffer" | "uniform" | "texture";
  /** What the kernel does with it. */
  readonly access: Access;
}

/** A WGSL file, ready to be specialised: `name` labels its pipelines. */
export interface Kernel {
  /** The file's name without its ending. */
  readonly name: string;
  /** The file's text. */
  readonly code: string;
  /** Its bindings by name. */
  readonly bindings: ReadonlyMap<string, Binding>;
  /** Names of its override constants. */
  readonly overrides: ReadonlySet<string>;
}

const BUFFER =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<(storage|uniform)(?:,\s*(read|read_write))?>\s*(\w+)/g;
const TEXTURE =
  /@group\(0\)\s*@binding\((\d+)\)\s*var\s+(\w+)\s*:\s*texture_storage_2d<\w+,\s*(read|write|read_write)>/g;
const OVERRIDE = /^\s*override\s+(\w+)|;\s*override\s+(\w+)/gm;

/** Parses the declarations of a WGSL file that follows the conventions of `src/kernels`. */
export function kernel(name: string, code: string): Kernel {
  const bindings = new Map<string, Binding>();
  for (const [, index, space, access, id] of code.matchAll(BUFFER)) {
    bindings.set(id, {
      index: Number(index),
      kind: space === "uniform" ? "uniform" : "buffer",
      access: (access ?? "read") as Access,
    });
  }
  for (const [, index, id, access] of code.matchAll(TEXTURE)) {
    bindings.set(id, { index: Number(index), kind: "texture", access: access as Access });
  }
  const overrides = new Set([...code.matchAll(OVERRIDE)].map(([, first, next]) => first ?? next));
  return { name, code, bindings, overrides };
}

const WORKGROUP_VARIABLE = /var<workgroup>\s+\w+\s*:\s*array<\s*(\w+)\s*,\s*(\d+)\s*>/g;
const BYTES: Record<string, number> = { f32: 4, u32: 4, i32: 4, vec4f: 16, vec4u: 16, vec4i: 16 };

/** Bytes of memory that each workgroup of a kernel shares. */
export function workgroupBytes({ code }: Kernel): number {
  return [...code.matchAll(WORKGROUP_VARIABLE)]
    .reduce((sum, [, type, count]) => sum + BYTES[type] * Number(count), 0);
}

/** Invocations of each workgroup of an entry point; override constants take part. */
export function invocations(
  { name, code }: Kernel,
  entryPoint: string,
  constants: Readonly<Record<string, number>>,
): number {
  const size = new RegExp(`@workgroup_size\\(([^)]*)\\)\\s*fn\\s+${entryPoint}\\b`).exec(code)?.[1];
  if (size === undefined) throw new TypeError(`${name}.wgsl has no entry point ${entryPoint}`);
  return size.split(",").map((text) => {
    const word = text.trim();
    if (/^\d+u?$/.test(word)) return parseInt(word);
    const initial = new RegExp(`override\\s+${word}\\s*:\\s*u32\\s*=\\s*(\\d+)`).exec(code)?.[1];
    return constants[word] ?? Number(initial);
  }).reduce((a, b) => a * b, 1);
}
