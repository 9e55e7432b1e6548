/**
 * What the first bytes of an image file say about it, so that one that is too large is refused before it
 * is decoded.
 *
 * Sources: https://www.w3.org/Graphics/JPEG/itu-t81.pdf (annex B),
 * https://developers.google.com/speed/webp/docs/riff_container, Exif 2.32 (section 4.6).
 */

/** The header of an image file that can be read. */
export interface ImageHeader {
  readonly kind: "PNG" | "JPEG" | "WebP";
  readonly width: number;
  readonly height: number;
  /** Whether a JPEG has brightness only; the others' decoders say that themselves. */
  readonly gray: boolean;
  /** Scans of a JPEG; a progressive one has some ten, and each takes as long as a whole image. */
  readonly scans: number;
  /** How the camera was held, as EXIF has it: 1 upright, 2 to 8 mirrored or turned. */
  readonly orientation: number;
}

const text = (bytes: Uint8Array, from: number, length: number) =>
  String.fromCharCode(...bytes.subarray(from, from + length));

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Undefined where the bytes do not begin as a PNG, JPEG or WebP file does, or end too early. */
export function imageHeader(bytes: Uint8Array): ImageHeader | undefined {
  if (bytes.length < 30) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0) === 0x89504e47 && text(bytes, 12, 4) === "IHDR") {
    const [width, height] = [view.getUint32(16), view.getUint32(20)];
    return { kind: "PNG", width, height, gray: false, scans: 0, orientation: 1 };
  }
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP") return webpHeader(bytes, view);
  if (view.getUint16(0) === 0xffd8) return jpegHeader(bytes, view);
  return undefined;
}

function webpHeader(bytes: Uint8Array, view: DataView): ImageHeader | undefined {
  const header = (width: number, height: number, orientation = 1) =>
    ({ kind: "WebP", width, height, gray: false, scans: 0, orientation }) as const;
  switch (text(bytes, 12, 4)) {
    case "VP8 ":
      return header(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff);
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return header((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
    }
    case "VP8X": {
      const [width, height] = [24, 27].map((at) =>
        1 + view.getUint16(at, true) + (bytes[at + 2] << 16)
      );
      return header(width, height, orientationOf(chunkOf(bytes, view, "EXIF")));
    }
  }
  return undefined;
}

/** What a WebP file holds under a name of four letters. */
function chunkOf(bytes: Uint8Array, view: DataView, name: string): Uint8Array {
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    if (text(bytes, at, 4) === name) return bytes.subarray(at + 8, at + 8 + size);
    at += 8 + size + size % 2;
  }
  return new Uint8Array();
}

const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;
const APP1 = 0xe1;
const EXIF = "Exif\0\0";

/** The size is in the first frame header, behind any number of other segments. */
function jpegHeader(bytes: Uint8Array, view: DataView): ImageHeader | undefined {
  let frame: Omit<ImageHeader, "scans" | "orientation"> | undefined;
  let orientation = 1;
  let at = 2;
  while (at + 10 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    if (marker === START_OF_SCAN) break;
    const length = marker === 0xff ? -1 : view.getUint16(at + 2);
    // C4, C8 and CC are tables, all others of this row begin a frame.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      frame ??= { kind: "JPEG", width, height, gray: bytes[at + 9] === 1 };
    } else if (marker === APP1 && text(bytes, at + 4, EXIF.length) === EXIF) {
      orientation = orientationOf(bytes.subarray(at + 4, at + 2 + length));
    }
    at += 2 + length;
  }
  return frame && { ...frame, scans: countScans(bytes, at), orientation };
}

/** How often pixels begin; among them, 0xff is followed by 0 unless it begins a marker. */
function countScans(bytes: Uint8Array, from: number): number {
  let scans = 0;
  for (let at = from; at >= 0 && bytes[at + 1] !== END_OF_IMAGE; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === START_OF_SCAN) scans++;
  }
  return scans;
}

const ORIENTATION = 0x0112;

/** The orientation in EXIF data, which is a TIFF file: an entry of its first directory. */
function orientationOf(exif: Uint8Array): number {
  const tiff = text(exif, 0, EXIF.length) === EXIF ? exif.subarray(EXIF.length) : exif;
  if (tiff.length < 8) return 1;
  const view = viewOf(tiff);
  const littleEndian = text(tiff, 0, 2) === "II";
  const directory = view.getUint32(4, littleEndian);
  if (directory + 2 > tiff.length) return 1;
  const count = view.getUint16(directory, littleEndian);
  for (let i = 0, at = directory + 2; i < count && at + 12 <= tiff.length; i++, at += 12) {
    if (view.getUint16(at, littleEndian) !== ORIENTATION) continue;
    const value = view.getUint16(at + 8, littleEndian);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}
