/**
 * The safetensors format: a JSON header that names each tensor's type, shape and place, then the
 * bytes. Any safetensors reader opens what is written here.
 *
 * Source: https://huggingface.co/docs/safetensors (format section).
 */

import { CheckpointError } from "../errors.ts";
import { concat } from "./bytes.ts";
import { isObject, isSize, parseJSON, plain, quote } from "./json.ts";

/** Element types that are read and written. */
export type SafetensorsType = "F32" | "U32";

/** One tensor. */
export interface SafeTensor {
  /** Type of its elements. */
  readonly dtype: SafetensorsType;
  /** Sizes of its axes. */
  readonly shape: readonly number[];
  /** Its elements, row-major. */
  readonly data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

/** A file's content. */
export interface SafetensorsFile {
  /** Tensors by name. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** Free text by name. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The header's entry for free text. */
export const METADATA = "__metadata__";
const MAX_HEADER = 100_000_000; // the reference implementation's limit
const ARRAYS = { F32: Float32Array, U32: Uint32Array };

/**
 * The bytes of a file.
 *
 * ```ts
 * import { decodeSafetensors, encodeSafetensors } from "@dcgan/webgpu";
 *
 * const kernel = { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) } as const;
 * const bytes = encodeSafetensors({
 *   tensors: new Map([["kernel", kernel]]),
 *   metadata: { epoch: "3" },
 * });
 * console.log(decodeSafetensors(bytes, "memory").metadata.epoch); // 3
 * ```
 *
 * @throws {RangeError} when a tensor is called `__metadata__`, which the format keeps for itself.
 * @throws {TypeError} when a tensor has more or fewer values than its shape says, or of another type.
 */
export function encodeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array<ArrayBuffer> {
  const header: [string, unknown][] = [[METADATA, metadata]];
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, tensor] of tensors) {
    requireEncodable(name, tensor);
    const { dtype, shape, data } = tensor;
    header.push([name, { dtype, shape, data_offsets: [at, at += data.byteLength] }]);
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  // Spaces fill the header up, so that the data is aligned.
  const head = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(text, 8);
  return concat([head, ...parts]);
}

function requireEncodable(name: string, { dtype, shape, data }: SafeTensor): void {
  const cannot = (why: string) => `Cannot write the tensor ${quote(name)}: ${why}`;
  if (name === METADATA) {
    throw new RangeError(cannot("the format keeps that name for itself. Choose another"));
  }
  if (!(data instanceof ARRAYS[dtype])) {
    throw new TypeError(cannot(`its type is ${dtype}, its data a ${data.constructor.name}`));
  }
  const size = shape.reduce((a, b) => a * b, 1);
  if (!shape.every(isSize) || size !== data.length) {
    const values = `[${plain(`${shape}`)}] makes ${size} values, its data has ${data.length}`;
    throw new TypeError(cannot(`its shape ${values}`));
  }
}

/**
 * Reads a file. Its names are never used as paths.
 *
 * Array buffers made: the values, at most as many bytes as the file has. Heap: what `JSON.parse` makes
 * of the header, at most 40 times its length.
 *
 * ```ts
 * import { decodeSafetensors } from "@dcgan/webgpu";
 *
 * const file = "model.safetensors";
 * const { tensors } = decodeSafetensors(await Deno.readFile(file), file);
 * for (const [name, { shape }] of tensors) console.log(name, shape);
 * ```
 *
 * @param name what messages call the file
 * @throws {CheckpointError} when it is truncated, damaged or no safetensors file; the message says
 *   what is wrong with which tensor or byte.
 */
export function decodeSafetensors(bytes: Uint8Array, name: string): SafetensorsFile {
  const fail = (what: string): never => {
    const way = "It is damaged, or no safetensors file; use another checkpoint";
    throw new CheckpointError(`Cannot read ${name}: ${what}. ${way}`);
  };
  if (bytes.length < 8) fail(`it has ${bytes.length} bytes, a header needs at least 8`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8)) {
    fail(`its header claims ${length} bytes, the file has ${bytes.length}`);
  }
  if (length > BigInt(MAX_HEADER)) {
    fail(`its header has ${length} bytes, at most ${MAX_HEADER} are read`);
  }
  const start = 8 + Number(length);
  let header: unknown;
  try {
    header = parseJSON(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)));
  } catch (error) {
    fail(`its header ${error instanceof TypeError ? "is not UTF-8" : (error as Error).message}`);
  }
  if (!isObject(header)) return fail("its header is not a JSON object");

  let metadata = {};
  const entries = [];
  for (const [name, value] of Object.entries(header)) {
    if (!isObject(value)) return fail(`the entry ${quote(name)} is not an object`);
    if (name === METADATA) {
      const wrong = Object.entries(value).find(([, v]) => typeof v !== "string");
      if (wrong) fail(`the metadata ${quote(wrong[0])} is not text`);
      metadata = value;
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = value;
    const refuse = (what: string) => fail(`the tensor ${quote(name)} ${what}`);
    if (dtype !== "F32" && dtype !== "U32") {
      return refuse(`is of type ${quote(dtype)}, F32 and U32 are supported`);
    }
    if (!Array.isArray(shape) || !shape.every(isSize)) return refuse("has no valid shape");
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
      return refuse("has no valid offsets");
    }
    const [begin, end] = offsets;
    const size = shape.reduce((a, b) => a * b, 4);
    if (end - begin !== size) {
      refuse(`[${plain(`${shape}`)}] needs ${size} bytes, its offsets hold ${end - begin}`);
    }
    const last = start + end;
    if (last > bytes.length) refuse(`ends at byte ${last}, the file at ${bytes.length}`);
    entries.push({ name, dtype: dtype as SafetensorsType, shape, begin, end });
  }
  // Without holes and overlaps, as the format demands.
  let at = 0;
  for (const entry of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== at) {
      fail(`the tensor ${quote(entry.name)} begins at ${entry.begin}, expected ${at}`);
    }
    at = entry.end;
  }
  if (start + at !== bytes.length) {
    fail(`its tensors end at byte ${start + at}, the file at ${bytes.length}`);
  }
  // One copy for all tensors, in which values are aligned. Not `slice`, which does not copy Node's Buffer.
  const values = new Uint8Array(bytes.subarray(start)).buffer;
  const tensors = new Map(entries.map(({ name, dtype, shape, begin, end }) => {
    const data = new ARRAYS[dtype](values, begin, (end - begin) / 4);
    return [name, { dtype, shape, data }];
  }));
  return { tensors, metadata };
}
