/** Image files of every kind that is read, as images. */

import { DataError } from "../errors.ts";
import { hex } from "../formats/bytes.ts";
import type { Image } from "../formats/image.ts";
import { type ImageHeader, imageHeader } from "../formats/image_header.ts";
import { plain } from "../formats/json.ts";
import { decodePNG } from "../formats/png.ts";
import { MAX_PIXELS } from "../formats/png_chunks.ts";
import { upright } from "./fit.ts";

/** Why a file is not among the images of a data set. */
export interface SkippedFile {
  /** Where it is; of an archive's file, the archive's path comes before its name. */
  readonly path: string;
  /** In a few words, the same for all files of which it is true, such as "too large". */
  readonly reason: string;
  /** In a sentence that names the file. */
  readonly message: string;
}

/** A file that is skipped. */
export class Unreadable extends DataError {
  constructor(readonly reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Far more than any program writes. */
const MOST_SCANS = 100;

/** A JPEG has at least one bit for each 8 x 8 pixels. */
const MOST_PIXELS_A_BYTE = 8 * 64;

/**
 * The image in a PNG, JPEG or WebP file, whatever the file's name says, upright as EXIF has it.
 *
 * @param name what messages call the file
 * @throws {Unreadable} when the file is not such an image, is too large, or is damaged.
 * @throws {DataError} when a decoder cannot be loaded.
 */
export async function decodeImage(file: Uint8Array, name: string): Promise<Image> {
  const header = imageHeader(file);
  if (!header) {
    const begins = `it begins with 0x${hex(file.subarray(0, 8))} and has ${file.length} bytes`;
    throw new Unreadable(
      "no PNG, JPEG or WebP image",
      `${name} is no PNG, JPEG or WebP image, or cut off: ${begins}. Convert it (another name does not)`,
    );
  }
  const { kind, width, height } = header;
  if (width * height > MAX_PIXELS) {
    const size = `${width} x ${height} pixels; at most ${MAX_PIXELS} are read`;
    throw new Unreadable("too large", `${name} says that it has ${size}. Scale it down`);
  }
  try {
    if (kind === "PNG") return decodePNG(file, name);
  } catch (cause) {
    throw new Unreadable("cannot be decoded", (cause as Error).message, { cause });
  }
  const { decoderOf } = await import("../files/codecs.ts");
  const decode = await decoderOf(kind);
  try {
    if (kind === "JPEG") requirePlausible(header, file.length);
    const { width, height, data } = await decode(file);
    const pixels = { width, height, channels: 4, data: new Uint8Array(data.buffer) };
    const image = header.gray ? { ...pixels, channels: 1, data: first(pixels.data) } : pixels;
    return upright(image, header.orientation);
  } catch (cause) {
    const reason = plain((cause as Error).message, 400);
    const way = "Check that it is a whole file of one image, or convert it to PNG";
    const message = `${name} cannot be read as ${kind}: ${reason}. ${way}`;
    throw new Unreadable("cannot be decoded", message, { cause });
  }
}

/** Refuses a JPEG that would take far longer than its bytes let expect. */
function requirePlausible({ width, height, scans }: ImageHeader, bytes: number): void {
  if (width * height > bytes * MOST_PIXELS_A_BYTE) {
    const size = `${width} x ${height} pixels`;
    throw new Error(`its header says ${size}, more than ${bytes} bytes can hold`);
  }
  if (scans > MOST_SCANS) throw new Error(`it has ${scans} scans, at most ${MOST_SCANS} are read`);
}

/** The first of each four bytes. */
const first = (data: Uint8Array) =>
  Uint8Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
