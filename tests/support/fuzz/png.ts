/** PNG files of every kind, made here chunk by chunk, so that each part can be wrong on its own. */

import { crc32, deflateSync } from "node:zlib";
import fc from "npm:fast-check@4.10.2";
import { concat, utf8, word } from "./bytes.ts";

/** A chunk: four letters and what it holds. */
export interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  /** Whether its checksum is wrong. */
  readonly damaged?: boolean;
}

export const chunk = (type: string, data: ArrayLike<number> = []): Chunk => ({
  type,
  data: new Uint8Array(data),
});

export const END = chunk("IEND");

/** Rows, compressed. */
export const idat = (rows: Uint8Array): Chunk => chunk("IDAT", deflateSync(rows));

export function pngFile(chunks: readonly Chunk[]): Uint8Array<ArrayBuffer> {
  const parts = chunks.flatMap(({ type, data, damaged = false }) => {
    const body = concat(utf8(type).subarray(0, 4), data);
    return [word(data.length), body, word((crc32(body) ^ (damaged ? 1 : 0)) >>> 0)];
  });
  return concat(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), ...parts);
}

/** The file of an image with some chunks between its header and its rows. */
export const imageFile = (header: Header, rows: Uint8Array, ...between: Chunk[]) =>
  pngFile([ihdr(header), ...between, idat(rows), END]);

export interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly color: number;
  readonly interlaced?: boolean;
}

export function ihdr({ width, height, depth, color, interlaced }: Header): Chunk {
  const rest = Uint8Array.of(depth, color, 0, 0, interlaced ? 1 : 0);
  return chunk("IHDR", concat(word(width), word(height), rest));
}

const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Rows, and bytes of each, of the seven passes of an interlaced image, or the one of another. */
function passes({ width, height, depth, color, interlaced }: Header) {
  const starts = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4]];
  const seven = [...starts, [1, 0, 2, 2], [0, 1, 1, 2]];
  return (interlaced ? seven : [[0, 0, 1, 1]]).map(([x, y, dx, dy]) => {
    const [w, h] = [Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)];
    const bytes = Math.ceil(w * depth * (SAMPLES[color] ?? 1) / 8);
    return { rows: w > 0 && h > 0 ? h : 0, bytes };
  });
}

/** Bytes of all rows, each with its filter before it. */
export function inflatedSize(header: Header): number {
  return passes(header).reduce((sum, { rows, bytes }) => sum + rows * (1 + bytes), 0);
}

/** Bits that a sample may have, by color type. */
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
export const KINDS = Object.entries(DEPTHS)
  .flatMap(([color, depths]) => depths.map((depth) => [Number(color), depth] as const));

/** The rows of a valid image, with all five filters. `seed` makes them. */
export function rowsOf(header: Header, seed: number): Uint8Array {
  const data = new Uint8Array(inflatedSize(header));
  let at = 0;
  for (const { rows, bytes } of passes(header)) {
    for (let y = 0; y < rows; y++) {
      data[at++] = (seed + y) % 5;
      for (let i = bytes; i > 0; i--) data[at] = (at++ * 37 + seed) % 251;
    }
  }
  return data;
}

const kind = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...KINDS) },
  fc.tuple(fc.nat(8), fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 16, 32)),
);

const side = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 20 }) },
  fc.constantFrom(0, 4, 8, 28, 2 ** 16, 2 ** 31 - 1, 2 ** 32 - 1),
);

/** Headers, most of them possible. */
const headerWith = (side: fc.Arbitrary<number>): fc.Arbitrary<Header> =>
  fc.tuple(side, side, kind, fc.nat(9)).map(([width, height, [color, depth], i]) => ({
    width,
    height,
    color,
    depth,
    interlaced: i === 0,
  }));

/** More or fewer rows than the header promises, and bombs. */
const content = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  fc.constantFrom(-1, 1, -20, 20, 2 ** 20, 2 ** 23),
);

/** Stands for one more header like the first. */
const AGAIN = chunk("again");

const extra: fc.Arbitrary<Chunk> = fc.oneof(
  fc.record({
    type: fc.constantFrom("tEXt", "iCCP", "gAMA", "zTXt", "acTL", "fcTL", "fdAT", "tRNS", "pHYs"),
    data: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constant(concat(utf8("icc\0\0"), deflateSync(new Uint8Array(2 ** 22)))),
      fc.constant(utf8("__proto__\0polluted")),
      fc.constant(new Uint8Array(3 * 3000)),
    ),
  }),
  fc.constantFrom(0, 3, 4, 768, 30_000).map((n) => chunk("PLTE", new Uint8Array(n))),
  fc.constant(ihdr({ width: 30_000, height: 30_000, depth: 8, color: 2 })),
  fc.constantFrom(chunk("IDAT"), AGAIN),
);

/** Chunks of an image, some of them wrong. */
export const chunksOf = (side: fc.Arbitrary<number>): fc.Arbitrary<Chunk[]> =>
  fc.record({
    header: headerWith(side),
    content,
    seed: fc.nat(1000),
    palette: fc.oneof(
      { weight: 5, arbitrary: fc.constant(256) },
      fc.nat(300),
    ),
    alphas: fc.option(fc.nat(260)),
    split: fc.boolean(),
    extras: fc.array(fc.tuple(fc.nat(6), extra), { maxLength: 2 }),
  }).map(({ header, content, seed, palette, alphas, split, extras }) => {
    const small = inflatedSize(header) < 2 ** 20;
    const rows = small ? rowsOf(header, seed) : new Uint8Array(1000);
    const length = Math.max(0, rows.length + content);
    const inflated = new Uint8Array(length);
    inflated.set(rows.subarray(0, length));
    const { data } = idat(inflated);
    const half = split ? data.length >> 1 : 0;
    const list: Chunk[] = [ihdr(header)];
    if (header.color === 3) {
      list.push(chunk("PLTE", Array.from({ length: 3 * palette }, (_, i) => i)));
      if (alphas !== null) list.push(chunk("tRNS", new Uint8Array(alphas).fill(7)));
    }
    if (split) list.push(chunk("IDAT", data.subarray(0, half)));
    list.push(chunk("IDAT", data.subarray(half)), END);
    for (const [at, chunk] of extras) {
      list.splice(at % (list.length + 1), 0, chunk === AGAIN ? list[0] : chunk);
    }
    return list;
  });

export function headerOf(file: Uint8Array): Header {
  const view = new DataView(file.buffer, file.byteOffset);
  const [depth, color, , , interlacing] = file.subarray(24);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  return { width, height, depth, color, interlaced: interlacing === 1 };
}

/** Whether there are such images. */
export function isKind({ color, depth }: Header): boolean {
  return KINDS.some(([c, d]) => c === color && d === depth);
}

/** The chunks of a sound file, and whether their checksums are right. */
export function chunksIn(file: Uint8Array): Chunk[] {
  const view = new DataView(file.buffer, file.byteOffset);
  const list: Chunk[] = [];
  for (let at = 8; at + 12 <= file.length; at += 12 + view.getUint32(at)) {
    const end = at + 8 + view.getUint32(at);
    const type = new TextDecoder().decode(file.subarray(at + 4, at + 8));
    const damaged = crc32(file.subarray(at + 4, end)) !== view.getUint32(end);
    list.push({ type, data: file.subarray(at + 8, end), damaged });
    if (type === "IEND") break;
  }
  return list;
}

/** What `decodePNG` may make of a file, by its own words; and its pixels, if it may be one at all. */
export function promisedBytes(
  file: Uint8Array,
): { readonly bytes: number; readonly pixels: number } {
  const bytes = 4 * file.length + 2 ** 19;
  if (file.length < 33) return { bytes, pixels: 0 };
  const header = headerOf(file);
  const rows = inflatedSize(header);
  const pixels = header.width * header.height;
  if (rows > 1032 * file.length || pixels > 2 ** 24) return { bytes, pixels: 0 };
  return { bytes: bytes + 6 * rows + 8 * pixels, pixels };
}

export const chunks = chunksOf(side);
