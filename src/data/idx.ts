/**
 * The IDX format of the MNIST files: two zero bytes, a type, a rank, the dimensions as 32-bit
 * big-endian numbers, then the values. Described at the end of LeCun, Cortes and Burges,
 * "The MNIST database of handwritten digits".
 */

import { DataError } from "../errors.ts";
import { concat, hex } from "../formats/bytes.ts";

/** An array read from an IDX file. */
export interface IDX {
  /** Its shape, slowest axis first; 1 to 4 entries. */
  readonly dims: readonly number[];
  /** Its values, row-major: a view into the bytes of the file. */
  readonly data: Uint8Array;
}

/** The type code of bytes, which MNIST and its relatives use. */
const BYTES = 0x08;
const MAX_RANK = 4;
const MAX_HEADER = 4 + 4 * MAX_RANK;

/** Deflate cannot make its input more than 1032 times as long (a 258-byte match in 2 bits). */
const MAX_INFLATION = 1032;

/** Bytes given to the decompressor at once. It returns each piece whole, so this bounds memory. */
const PIECE = 1 << 12;

/** The longest typed array that every engine can hold. */
export const MAX_BYTES = 2 ** 31 - 1;

/** Checks the start of an uncompressed file; the rest may be missing. */
function readHeader(bytes: Uint8Array, name: string): { dims: number[]; start: number } {
  const fail = (what: string): never => {
    throw new DataError(`${name} ${what}`);
  };
  const truncated = (least: string) =>
    fail(`is truncated: it has ${bytes.length} bytes, ${least}. Download it again`);
  if (bytes.length < 4) truncated("an IDX header at least 8");
  const [zero0, zero1, type, rank] = bytes;
  if (zero0 !== 0 || zero1 !== 0) {
    fail(
      `is not an IDX file: it begins with 0x${hex(bytes.subarray(0, 4))}, ` +
        `expected 0x00000801 to 0x0000080${MAX_RANK}. ` +
        "Use the MNIST files as published, raw or gzip-compressed",
    );
  }
  if (type !== BYTES) {
    fail(
      `holds values of IDX type 0x${hex(bytes.subarray(2, 3))}, expected 0x08 (unsigned bytes). ` +
        "Convert the values to bytes",
    );
  }
  if (rank < 1 || rank > MAX_RANK) {
    fail(`declares ${rank} dimensions, expected 1 to ${MAX_RANK}`);
  }
  const start = 4 + 4 * rank;
  if (bytes.length < start) truncated(`the header of ${rank} dimensions alone has ${start}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { dims: Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis)), start };
}

/** Inexact above 2^53, but no array is that long. */
const product = (dims: readonly number[]) => dims.reduce((size, dim) => size * dim, 1);

/**
 * Reads an uncompressed IDX file of unsigned bytes. Nothing is copied, and no array buffer made.
 *
 * @param bytes The whole file; see {@linkcode decompressIDX} for a compressed one.
 * @param name What to call the file in messages.
 * @throws {DataError} when it is not such a file, or is shorter or longer than its header says.
 */
export function parseIDX(bytes: Uint8Array, name: string): IDX {
  const { dims, start } = readHeader(bytes, name);
  const found = bytes.length - start;
  const expected = product(dims);
  if (found === expected) return { dims, data: bytes.subarray(start) };
  const [what, remedy] = found < expected
    ? ["is truncated", "Download it again"]
    : ["has trailing bytes", "Check that it is the right file"];
  throw new DataError(
    `${name} ${what}: its dimensions [${dims.join(", ")}] make ${expected} values, ` +
      `but ${found} follow the header. ${remedy}`,
  );
}

async function* inflate(bytes: Uint8Array, name: string): AsyncGenerator<Uint8Array> {
  let at = 0;
  const pieces = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += PIECE));
    },
  });
  try {
    yield* pieces.pipeThrough(new DecompressionStream("gzip"));
  } catch (cause) {
    throw new DataError(
      `${name} cannot be decompressed: its gzip data is damaged or cut off, ` +
        `or something follows it (${(cause as Error).message}). Download it again`,
      { cause },
    );
  }
}

/**
 * Returns the uncompressed bytes of an IDX file that may be gzip-compressed, as its first two bytes
 * show. Allocates what the header declares, and only if the file is long enough for it.
 *
 * Array buffers made: at most 1034 bytes for each of the file, 1032 being what deflate allows; and one
 * piece of 4 KiB decompressed at a time. None for a file that is not compressed.
 *
 * @param bytes The whole file; returned as it is when it is not compressed.
 * @param name What to call the file in messages.
 * @throws {DataError} when the gzip data is damaged, holds no IDX file, or holds more or less than
 * the header declares.
 */
export async function decompressIDX(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;

  let head: Uint8Array = new Uint8Array();
  for await (const chunk of inflate(bytes, name)) {
    head = concat([head, chunk.subarray(0, MAX_HEADER - head.length)]);
    if (head.length === MAX_HEADER) break;
  }
  const { dims, start } = readHeader(head, name);
  const size = start + product(dims);
  const most = Math.min(MAX_BYTES, bytes.length * MAX_INFLATION);
  if (size > most) {
    throw new DataError(
      `${name} declares dimensions [${dims.join(", ")}], ${size} bytes in all, but ` +
        `${bytes.length} compressed bytes give at most ${most}. It is cut off, damaged or hostile: ` +
        "download it again from where you trust",
    );
  }

  const raw = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of inflate(bytes, name)) {
    if (filled + chunk.length > size) {
      throw new DataError(
        `${name} has trailing bytes: its dimensions [${dims.join(", ")}] make ${size} bytes ` +
          "with the header, but more come out of the gzip data. Check that it is the right file",
      );
    }
    raw.set(chunk, filled);
    filled += chunk.length;
  }
  return raw.subarray(0, filled);
}
