import { convertIndexedToRgb, decode, type DecodedPng, encode } from "npm:fast-png@8.0.0";
import { DataError } from "../errors.ts";
import { plain } from "./json.ts";
import { type Image, requireImage } from "./image.ts";
import { INDEXED, requireSound } from "./png_chunks.ts";

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
  return encode({ width, height, channels, data, depth: 8 }) as Uint8Array<ArrayBuffer>;
}

/**
 * Reads a PNG of at most 2^24 pixels (4096 x 4096), of any kind but interlaced ones below 8 bits.
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
    const { bytes: sound, color, key } = requireSound(bytes);
    const png = decode(sound);
    const { width, height } = png;
    const data = color === INDEXED ? convertIndexedToRgb(png) : toBytes(png, key);
    const image = { width, height, channels: data.length / (width * height), data };
    requireImage(image, [1, 2, 3, 4]);
    return image;
  } catch (cause) {
    const reason = plain((cause as Error).message, 400).replace(/[.:\s]+$/, "");
    const message = `${name} cannot be read as PNG: ${reason}. Check that it is a whole PNG file`;
    throw new DataError(message, { cause });
  }
}

/** Samples of 8 bits, with an alpha channel when the color `key` is transparent. */
function toBytes(png: DecodedPng, key?: readonly number[]): Uint8Array {
  if (png.depth === 8 && !key) return png.data as Uint8Array;
  const samples = png.depth < 8 ? unpack(png) : png.data;
  const { channels } = png;
  const most = 2 ** png.depth - 1;
  const data = new Uint8Array(samples.length / channels * (channels + (key ? 1 : 0)));
  for (let from = 0, to = 0; from < samples.length; from += channels) {
    let opaque = 0;
    for (let c = 0; c < channels; c++) {
      const value = samples[from + c];
      if (value !== key?.[c]) opaque = 255;
      data[to++] = Math.round(value / most * 255);
    }
    if (key) data[to++] = opaque;
  }
  return data;
}

/** Gray of 1, 2 or 4 bits: packed from the highest bit, each row in whole bytes. */
function unpack({ width, height, depth, data }: DecodedPng): Uint8Array {
  const most = 2 ** depth - 1;
  const rowBytes = Math.ceil(width * depth / 8);
  const samples = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      samples[to++] = (data[y * rowBytes + (bit >> 3)] >> (8 - depth - bit % 8)) & most;
    }
  }
  return samples;
}
