/**
 * Width and height of an image file from its first bytes, so that a huge one is refused before it is
 * decoded.
 *
 * @module
 */

/** Bytes of a file that are enough; what precedes the size in a JPEG can be long. */
const HEAD = 512 * 1024;

/** Most pixels of an image that is decoded: 50 megapixels are 200 MB in memory. */
const MOST_PIXELS = 50e6;

/**
 * Width and height of an image that a browser can decode without harm.
 *
 * @throws {Error} with the reason why it is none.
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

const text = (bytes: Uint8Array, from: number, length: number) =>
  String.fromCharCode(...bytes.subarray(from, from + length));

/** Width and height, or nothing if these are not the first bytes of a PNG, JPEG, GIF, WebP or BMP. */
export function imageSize(bytes: Uint8Array): readonly [number, number] | undefined {
  if (bytes.length < 30) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (text(bytes, 1, 3) === "PNG" && text(bytes, 12, 4) === "IHDR") {
    return [view.getUint32(16), view.getUint32(20)];
  }
  if (text(bytes, 0, 3) === "GIF") return [view.getUint16(6, true), view.getUint16(8, true)];
  if (text(bytes, 0, 2) === "BM") {
    return [Math.abs(view.getInt32(18, true)), Math.abs(view.getInt32(22, true))];
  }
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP") return webpSize(bytes, view);
  if (view.getUint16(0) === 0xffd8) return jpegSize(view);
  return undefined;
}

function webpSize(bytes: Uint8Array, view: DataView): readonly [number, number] | undefined {
  switch (text(bytes, 12, 4)) {
    case "VP8 ":
      return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return [(bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1];
    }
    case "VP8X": {
      const size = (at: number) => (view.getUint32(at, true) & 0xffffff) + 1;
      return [size(24), bytes[27] + (bytes[28] << 8) + (bytes[29] << 16) + 1];
    }
  }
  return undefined;
}

/** The size is in the first frame header, behind any number of other segments. */
function jpegSize(view: DataView): readonly [number, number] | undefined {
  for (let at = 2; at + 9 <= view.byteLength;) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    // C4, C8 and CC are tables, all others of this row begin a frame.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return undefined;
}
