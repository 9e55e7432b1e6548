/**
 * PNG files.
 *
 * @module
 */

import { convertIndexedToRgb, decode, type DecodedPng, encode } from "npm:fast-png@8.0.0";
import { DataError } from "../errors.ts";
import { type Picture, requirePicture } from "./picture.ts";

/**
 * Writes a picture as PNG, without loss.
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
export function encodePNG(picture: Picture): Uint8Array {
  requirePicture(picture, [1, 2, 3, 4]);
  const { width, height, channels, data } = picture;
  return encode({ width, height, channels, data, depth: 8 });
}

/**
 * Reads a PNG of any kind. Palettes become RGB (or RGB and alpha), and depths other than 8 bits are
 * scaled to 8.
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
export function decodePNG(bytes: Uint8Array, name = "The picture"): Picture {
  try {
    refuseInflated(bytes);
    const png = decode(bytes, { checkCrc: true });
    const { width, height } = png;
    const data = toBytes(png);
    const picture = { width, height, channels: data.length / (width * height), data };
    requirePicture(picture, [1, 2, 3, 4]);
    return picture;
  } catch (cause) {
    throw new DataError(
      `${name} cannot be read as PNG: ${(cause as Error).message.replace(/[.:\s]+$/, "")}. ` +
        "Check that it is a whole PNG file",
      { cause },
    );
  }
}

/**
 * Deflate cannot make its input more than 1032 times as long, so a header that claims more pixels
 * is false; without this it would make the decoder allocate them.
 */
function refuseInflated(bytes: Uint8Array): void {
  if (bytes.length < 33) throw new RangeError(`it has only ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (width * height / 8 > bytes.length * 1032) { // One bit a pixel is the least.
    throw new RangeError(
      `its header says ${width} x ${height} pixels, more than ${bytes.length} bytes can hold`,
    );
  }
}

function toBytes(png: DecodedPng): Uint8Array {
  const { width, height, depth, data } = png;
  if (png.palette) return convertIndexedToRgb(png);
  if (depth === 8) return Uint8Array.from(data);
  if (depth === 16) return Uint8Array.from(data, (value) => Math.round(value / 257));

  // Gray of 1, 2 or 4 bits: packed from the highest bit, each row in whole bytes.
  const most = (1 << depth) - 1;
  const rowBytes = Math.ceil(width * depth / 8);
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const bit = (i % width) * depth;
    const byte = data[Math.floor(i / width) * rowBytes + (bit >> 3)];
    return ((byte >> (8 - depth - bit % 8)) & most) * (255 / most);
  });
}
