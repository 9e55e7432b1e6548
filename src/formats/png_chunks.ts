/**
 * The structure of a PNG file, checked before memory is allocated for its pixels.
 *
 * Source: https://www.w3.org/TR/png-3/ (sections 5 and 11).
 */

import { unzlibSync, zlibSync } from "npm:fflate@0.8.3";
import { concat, hex } from "./bytes.ts";
import { crc32 } from "./crc.ts";
import { plain } from "./json.ts";

/**
 * Most pixels of an image that is read, 4096 x 4096: far more than images of any data set have. A file of
 * a few kilobytes can declare any number, and memory is proportional to it.
 */
export const MAX_PIXELS = 2 ** 24;

/** Deflate cannot make its input more than 1032 times as long (a 258-byte match in 2 bits). */
const MAX_INFLATION = 1032;

/** Samples of a pixel, and depths that they may have, by color type. */
const KINDS: Readonly<Record<number, readonly [samples: number, ...depths: number[]]>> = {
  0: [1, 1, 2, 4, 8, 16], // gray
  2: [3, 8, 16], // RGB
  3: [1, 1, 2, 4, 8], // palette
  4: [2, 8, 16], // gray and alpha
  6: [4, 8, 16], // RGB and alpha
};

/** Color type of images with a palette. */
export const INDEXED = 3;

/** Color types without a palette, by samples of a pixel. */
const COLORS = [0, 0, 4, 2, 6];

const SIGNATURE = "89504e470d0a1a0a";

/** Refuses what does not begin as a PNG file does. @throws {Error} half a sentence about "it" */
export function requireSignature(bytes: Uint8Array): void {
  const begin = hex(bytes.subarray(0, 8));
  if (begin !== SIGNATURE) throw new Error(`it begins with 0x${begin}, expected 0x${SIGNATURE}`);
}

type Header = Record<"width" | "height" | "depth" | "color" | "interlacing", number>;

/** What a file says of its pixels. */
export interface Pixels extends Header {
  /** Samples of a pixel; for a palette, one index. */
  readonly samples: number;
  /** Inflated: the rows of each pass, each with one byte before it for its filter. */
  readonly rows: Uint8Array<ArrayBuffer>;
  /** RGB of each color, and the alpha of some, where pixels are indices. */
  readonly palette?: Uint8Array;
  readonly alphas?: Uint8Array;
  /** The stored gray or RGB value that is transparent. */
  readonly key?: readonly number[];
}

/** @throws {Error} saying what is wrong with it. */
function readHeader(data: Uint8Array, fileBytes: number): Header {
  if (data.length !== 13) throw new Error(`its header has ${data.length} bytes instead of 13`);
  const view = new DataView(data.buffer, data.byteOffset);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, color, compression, filter, interlacing] = data.subarray(8);
  const refuse = (says: string) => {
    throw new Error(`its header says ${says}`);
  };
  const size = `${width} x ${height} pixels`;
  if (width < 1 || height < 1) refuse(size);
  if (width * height > MAX_PIXELS) {
    refuse(`${size}; at most ${MAX_PIXELS} are read, so scale it down`);
  }
  if (!KINDS[color]?.slice(1).includes(depth)) {
    refuse(`color type ${color} with ${depth} bits, which PNG has not`);
  }
  if (compression !== 0 || filter !== 0 || interlacing > 1) {
    refuse(`compression ${compression}, filter ${filter}, interlacing ${interlacing}`);
  }
  const header = { width, height, depth, color, interlacing };
  if (rowBytes(header) > fileBytes * MAX_INFLATION) {
    refuse(`${size}, more than ${fileBytes} bytes can hold`);
  }
  return header;
}

/** Where the pixels of each of the seven passes begin, and how far apart they are (section 8.2). */
const PASSES = [
  ...[[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4]],
  ...[[1, 0, 2, 2], [0, 1, 1, 2]],
];

/** Each pass that has pixels: where they lie, how many, and bytes of a row without its filter. */
export function passesOf({ width, height, depth, color, interlacing }: Header) {
  return (interlacing ? PASSES : [[0, 0, 1, 1]]).map(([x, y, dx, dy]) => {
    const columns = Math.ceil((width - x) / dx);
    const rows = Math.ceil((height - y) / dy);
    return { x, y, dx, dy, columns, rows, bytes: Math.ceil(columns * depth * KINDS[color][0] / 8) };
  }).filter(({ columns, rows }) => columns > 0 && rows > 0);
}

/** Bytes of all rows, each with one byte before it for its filter. */
function rowBytes(header: Header): number {
  return passesOf(header).reduce((sum, { rows, bytes }) => sum + rows * (1 + bytes), 0);
}

/** The chunks up to the last: their data alone, and whole with length, type and checksum. */
function* chunksOf(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at < bytes.length;) {
    const length = at + 12 <= bytes.length ? view.getUint32(at) : Infinity;
    const end = at + 12 + length;
    if (end > bytes.length) throw new Error(`it is cut off in the chunk at byte ${at}`);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { type, data: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) };
    if (type === "IEND") return;
    at = end;
  }
  throw new Error("it is cut off before its end");
}

/**
 * Reads a file's chunks, checks its structure, and that it has as many pixels as its header says. Chunks
 * that pixels do not need are left unread: profiles and texts may decompress to any size.
 *
 * Array buffers made: the file's bytes and those of its rows, which are at most 1032 times the file's.
 *
 * @throws {Error} saying what is wrong with it.
 */
export function readChunks(bytes: Uint8Array): Pixels {
  requireSignature(bytes);
  let header: Header | undefined;
  let palette: Uint8Array | undefined;
  let alphas: Uint8Array | undefined;
  let key: number[] | undefined;
  let rows: Uint8Array<ArrayBuffer> | undefined;
  let previous = "";
  const compressed: Uint8Array[] = [];
  for (const { type, data, whole } of chunksOf(bytes)) {
    if (!header && type !== "IHDR") throw new Error(`it begins with the chunk ${plain(type)}`);
    if (header && type === "IHDR") throw new Error("it has two headers");
    header ??= readHeader(data, bytes.length);
    const apart = previous !== "IDAT";
    previous = type;
    if (type === "IDAT") {
      if (compressed.length && apart) throw new Error("its pixels are not together");
      compressed.push(data);
    } else if (type === "PLTE" && header.color === INDEXED) {
      if (palette) throw new Error("it has two palettes");
      if (!data.length || data.length % 3 || data.length > 768) {
        throw new Error(`its palette has ${data.length} bytes, not 3 to 768 in threes`);
      }
      palette = data;
    } else if (type === "tRNS" && header.color === INDEXED) {
      const colors = (palette?.length ?? 0) / 3;
      if (alphas || data.length > colors) {
        throw new Error(`its palette of ${colors} colors has transparency for ${data.length}`);
      }
      alphas = data;
    } else if (type === "tRNS" && header.color < INDEXED) {
      if (data.length !== 2 * KINDS[header.color][0]) {
        throw new Error(`its transparent color has ${data.length} bytes`);
      }
      const view = new DataView(data.buffer, data.byteOffset);
      key = Array.from({ length: data.length / 2 }, (_, i) => view.getUint16(2 * i));
    } else if (type === "IEND") {
      rows = inflate(concat(compressed), rowBytes(header));
    } else if (type !== "IHDR") continue;
    requireChecksum(type, whole);
  }
  if (header!.color === INDEXED && !palette) throw new Error("it has no palette");
  return { ...header!, samples: KINDS[header!.color][0], rows: rows!, palette, alphas, key };
}

/** A file of 8 bits a sample from its rows, each with one byte before it for its filter. */
export function writeChunks(
  { width, height, channels }: Record<"width" | "height" | "channels", number>,
  rows: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const header = concat([word(width), word(height), Uint8Array.of(8, COLORS[channels], 0, 0, 0)]);
  const chunk = (type: string, data: Uint8Array) => {
    const body = concat([new TextEncoder().encode(type), data]);
    return [word(data.length), body, word(crc32(body))];
  };
  return concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    ...chunk("IHDR", header),
    ...chunk("IDAT", zlibSync(rows, { level: 3 })),
    ...chunk("IEND", new Uint8Array()),
  ]);
}

/** Compares the checksum at the end of a chunk, which covers its type and data. */
function requireChecksum(type: string, whole: Uint8Array): void {
  const found = crc32(whole.subarray(4, -4));
  const expected = new DataView(whole.buffer, whole.byteOffset).getUint32(whole.length - 4);
  if (found === expected) return;
  throw new Error(`the checksum (CRC) of its chunk ${type} is ${found}, it says ${expected}`);
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/**
 * Decompresses as many bytes as are expected, which bounds the memory. A limit on the compressed bytes
 * bounds the time; deflate makes data that it cannot compress only a few bytes longer.
 */
function inflate(compressed: Uint8Array, expected: number): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(expected + 1); // It is full only when there are too many.
  let found = room.length;
  try {
    const bomb = compressed.length > 2 * expected + 4096;
    if (!bomb) found = unzlibSync(compressed, { out: room }).length;
  } catch (cause) {
    const reason = plain((cause as Error).message);
    throw new Error(`its pixels cannot be decompressed (${reason})`, { cause });
  }
  if (found > expected) {
    throw new Error(`its pixels are more than the ${expected} bytes that its header says`);
  }
  if (found < expected) {
    throw new Error(`its pixels are ${found} bytes, its header says ${expected}`);
  }
  return room;
}
