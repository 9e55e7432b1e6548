/**
 * Width and height of an image file from its first bytes, so that a huge one is refused before it is
 * decoded.
 *
 * @module
 */

import { imageHeader } from "../src/formats/image_header.ts";

/** Bytes of a file that are enough; what precedes the size in a JPEG can be long. */
const HEAD = 512 * 1024;

/** Most pixels of an image that is decoded: 50 megapixels are 200 MB in memory. */
const MOST_PIXELS = 50e6;

/**
 * Width and height of an image that a browser can decode without harm.
 *
 * @throws {Error} that says why the file is not such an image.
 */
export async function requireImage(file: Blob): Promise<readonly [number, number]> {
  const found = imageSize(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
  if (!found) throw new Error("not a PNG, JPEG, WebP, GIF or BMP image");
  const [width, height] = found;
  if (width * height > MOST_PIXELS) {
    throw new Error(`${width} × ${height} pixels are too many: make it smaller than 50 megapixels`);
  }
  return found;
}

/** Width and height, or nothing if these are not the first bytes of a PNG, JPEG, GIF, WebP or BMP. */
export function imageSize(bytes: Uint8Array): readonly [number, number] | undefined {
  if (bytes.length < 30) return undefined;
  const header = imageHeader(bytes);
  if (header) {
    const { width, height, orientation } = header;
    return orientation > 4 ? [height, width] : [width, height]; // The camera was held upright.
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begins = (text: string) => [...text].every((char, i) => bytes[i] === char.charCodeAt(0));
  if (begins("GIF")) return [view.getUint16(6, true), view.getUint16(8, true)];
  if (!begins("BM")) return undefined;
  return [Math.abs(view.getInt32(18, true)), Math.abs(view.getInt32(22, true))];
}
