import { DataError } from "../errors.ts";
import { plain } from "./json.ts";
import { type Image, requireImage } from "./image.ts";
import { passesOf, type Pixels, readChunks, writeChunks } from "./png_chunks.ts";

/**
 * Writes an image as PNG, without loss.
 *
 * ```ts
 * import { encodePNG } from "@dcgan/webgpu";
 *
 * const data = Uint8Array.of(255, 0, 0, 0, 0, 255); // a red pixel and a blue one
 * const png = encodePNG({ width: 2, height: 1, channels: 3, data });
 * console.log(png[0]); // 137
 * ```
 *
 * @throws {RangeError} when a size is not a whole number of at least 1, or channels not 1 to 4.
 * @throws {TypeError} when there are more or fewer bytes than the sizes say.
 */
export function encodePNG(image: Image): Uint8Array<ArrayBuffer> {
  requireImage(image, [1, 2, 3, 4]);
  const { width, height, channels, data } = image;
  const bytes = width * channels;
  const rows = new Uint8Array(height * (1 + bytes)); // each begins with a 0: no filter
  for (let y = 0; y < height; y++) {
    rows.set(data.subarray(y * bytes, (y + 1) * bytes), y * (1 + bytes) + 1);
  }
  return writeChunks(image, rows);
}

/**
 * Reads a PNG of at most 2^24 pixels (4096 x 4096), of any kind.
 * Palettes become RGB (or RGB and alpha), depths other than 8 bits are scaled to 8, and one transparent
 * color becomes an alpha channel. Only what the pixels need is read; texts and profiles are not.
 *
 * Array buffers made: at most 4 bytes for each of the file, 6 for each of its rows uncompressed (which
 * the header says, and which deflate limits to 1032 times the file), 8 for each pixel, and 512 KiB.
 *
 * ```ts
 * import { decodePNG, encodePNG } from "@dcgan/webgpu";
 *
 * const png = encodePNG({ width: 2, height: 1, channels: 1, data: Uint8Array.of(0, 255) });
 * const { width, height, channels, data } = decodePNG(png, "two.png");
 * console.log(width, height, channels, data); // 2 1 1 Uint8Array(2) [ 0, 255 ]
 * ```
 *
 * @param name What to call the file in messages.
 * @throws {DataError} when it is not a PNG file or is damaged.
 */
export function decodePNG(bytes: Uint8Array, name = "The image"): Image {
  try {
    const png = readChunks(bytes);
    const { width, height } = png;
    const data = toBytes(png, samplesOf(png));
    const image = { width, height, channels: data.length / (width * height), data };
    requireImage(image, [1, 2, 3, 4]);
    return image;
  } catch (cause) {
    const reason = plain((cause as Error).message, 400).replace(/[.:\s]+$/, "");
    const message = `${name} cannot be read as PNG: ${reason}. Check that it is a whole PNG file`;
    throw new DataError(message, { cause });
  }
}

/** What a filter adds to a byte, from those to the left, above, and above to the left (section 9.2). */
const FILTERS: readonly ((left: number, above: number, corner: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  (left, above, corner) => {
    const a = Math.abs(above - corner);
    const b = Math.abs(left - corner);
    const c = Math.abs(left + above - 2 * corner);
    return a <= b && a <= c ? left : b <= c ? above : corner;
  },
];

/** All samples as they are stored, [height, width, samples]; filters are undone in place. */
function samplesOf(png: Pixels): Uint8Array | Uint16Array {
  const { width, height, depth, samples, rows } = png;
  const all = new (depth > 8 ? Uint16Array : Uint8Array)(width * height * samples);
  const pixelBytes = Math.max(1, samples * depth / 8);
  let at = 0;
  for (const pass of passesOf(png)) {
    let above = new Uint8Array(pass.bytes);
    for (let y = 0; y < pass.rows; y++) {
      const filter = FILTERS[rows[at++]];
      if (!filter) throw new Error(`it has a row with the filter ${rows[at - 1]}, PNG has 0 to 4`);
      const row = rows.subarray(at, at += pass.bytes);
      for (let i = 0; i < row.length; i++) {
        const before = i - pixelBytes;
        row[i] += filter(row[before] ?? 0, above[i], above[before] ?? 0);
      }
      above = row;
      const begin = (pass.y + y * pass.dy) * width + pass.x;
      for (let i = 0; i < pass.columns * samples; i++) {
        const pixel = begin + Math.floor(i / samples) * pass.dx;
        all[pixel * samples + i % samples] = sampleAt(row, i, depth);
      }
    }
  }
  return all;
}

/** Of 16 bits with the high byte first; of fewer than 8 packed from the highest bit. */
function sampleAt(row: Uint8Array, i: number, depth: number): number {
  if (depth === 8) return row[i];
  if (depth === 16) return row[2 * i] << 8 | row[2 * i + 1];
  const bit = i * depth;
  return row[bit >> 3] >> (8 - depth - bit % 8) & (2 ** depth - 1);
}

/** Samples of 8 bits, with an alpha channel when the color `key` or one of the palette is transparent. */
function toBytes({ samples, depth, palette, alphas, key }: Pixels, all: ArrayLike<number>) {
  if (palette) {
    const channels = alphas ? 4 : 3;
    const data = new Uint8Array(all.length * channels);
    for (let i = 0; i < all.length; i++) {
      const color = palette.subarray(3 * all[i], 3 * all[i] + 3);
      if (!color.length) throw new Error(`it has the color ${all[i]}, which its palette has not`);
      data.set(color, i * channels);
      if (alphas) data[i * channels + 3] = alphas[all[i]] ?? 255;
    }
    return data;
  }
  if (depth === 8 && !key) return all as Uint8Array;
  const most = 2 ** depth - 1;
  const data = new Uint8Array(all.length / samples * (samples + (key ? 1 : 0)));
  for (let from = 0, to = 0; from < all.length; from += samples) {
    let opaque = 0;
    for (let c = 0; c < samples; c++) {
      const value = all[from + c];
      if (value !== key?.[c]) opaque = 255;
      data[to++] = Math.round(value / most * 255);
    }
    if (key) data[to++] = opaque;
  }
  return data;
}
