/** A data set from a folder or an archive of images. */

import type { Dataset, StreamedDataset } from "./dataset.ts";
import type { SkippedFile } from "./decode.ts";
import type { Color } from "./fit.ts";

export type { Color, SkippedFile };

/** Images from a folder; see {@linkcode loadImages}. */
export interface Images extends Dataset {
  /** [count], each image's subfolder in `classes`; empty where there were none. */
  readonly labels: Uint8Array;
  /** Names of the subfolders in the order of the labels; empty where there were none. */
  readonly classes: readonly string[];
  /** Where the images came from, in their order. */
  readonly files: readonly string[];
  /** What else is there, and why it is not among the images. */
  readonly skipped: readonly SkippedFile[];
}

/** Options of {@linkcode loadImages}. */
export interface LoadImagesOptions {
  /**
   * 1: gray, of colors their luma 0.299 R + 0.587 G + 0.114 B (Rec. 601). 3: RGB. Default: RGB if any
   * image or `background` is in color.
   */
  readonly channels?: 1 | 3;
  /**
   * Height and width for all images, multiples of 4. Each is scaled to that size as `fit` says.
   * Enlarging interpolates linearly, shrinking averages. Default: the first image's, and then all must
   * have that size.
   */
  readonly size?: readonly [number, number];
  /**
   * How an image is brought to `size`. "crop" (default): scaled to cover it, and the rest cut off equally
   * on both sides. "pad": scaled to lie within it, with `background` on both sides.
   */
  readonly fit?: "crop" | "pad";
  /**
   * What transparent pixels and the sides of padded images get: a gray from 0 to 255, or red, green and
   * blue. Default 255, white.
   */
  readonly background?: number | Color;
  /** Stops the loading; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with a sentence every few seconds while images are read. */
  readonly onMessage?: (text: string) => void;
}

/** Images that are read from a file when they are trained; see {@linkcode streamImages}. */
export interface StreamedImages extends StreamedDataset, Disposable {
  /** [count], each image's subfolder in `classes`; empty where there were none. */
  readonly labels: Uint8Array;
  /** Names of the subfolders in the order of the labels; empty where there were none. */
  readonly classes: readonly string[];
  /** What else is there, and why it is not among the images. */
  readonly skipped: readonly SkippedFile[];
  /** The file that they are read from. */
  readonly path: string;
}

/** Options of {@linkcode streamImages}: those of {@linkcode loadImages}, with a size. */
export interface StreamImagesOptions extends LoadImagesOptions {
  /** Height and width for all images, multiples of 4. */
  readonly size: readonly [number, number];
  /** 1: gray. 3: RGB. Default 3. */
  readonly channels?: 1 | 3;
  /** Folder for the file. Default: `dcgan-webgpu/images` in the user's cache folder. */
  readonly cacheDir?: string;
}

/** Whether the networks can take images of this height or width. */
export const isMultiple = (side: number) =>
  Number.isSafeInteger(side) && side >= 4 && side % 4 === 0;

/** Bundles for browsers leave out what reads folders. */
const NO_FOLDERS =
  "Folders of images need a file system: in a browser, decode images with createImageBitmap, and " +
  "give { images, count, height, width, channels } as the data set";

/**
 * Loads the PNG, JPEG and WebP files of a folder or of its subfolders as a data set; or those of a ZIP
 * file with such a folder, of which nothing is unpacked to the disk. Files come in the order of their
 * names; hidden files are ignored. Each subfolder is a class: label 0 is the first by name. Any PNG,
 * JPEG and still WebP is read but interlaced PNG below 8 bits and JPEG in CMYK: palettes, 1 to 16 bits,
 * progressive, transparent (put on `background`), turned by the camera (EXIF).
 *
 * Files that are damaged, too large (more than 2^24 pixels) or others are skipped: `skipped` says which
 * and why.
 *
 * JPEG and WebP are decoded by npm packages in WebAssembly, which are loaded when the first such file is
 * met.
 *
 * Permissions: read for the folder; for JPEG and WebP also for the runtime's npm packages.
 *
 * Array buffers made: the data set (four times, if color comes after gray), and for one image at a time
 * what `decodePNG` makes or 12 bytes a pixel, 16 bytes a pixel and 4 for each value between the two steps
 * of scaling.
 *
 * ```ts
 * import { loadImages, trainDCGAN } from "@dcgan/webgpu";
 *
 * const dataset = await loadImages("faces", { size: [32, 32], channels: 3 });
 * for (const { message } of dataset.skipped) console.warn(message);
 * using run = await trainDCGAN({ dataset, epochs: 10, outDir: "out" });
 * ```
 *
 * @param source the folder, or the ZIP file
 * @returns bytes [count, height, width, channels], with labels where there are subfolders
 * @throws {DataError} when it cannot be read; there is no image in it, or none that can be read; images
 *   differ in size and no option says what to do; or sizes are not multiples of 4. The message names the
 *   file.
 * @throws {RangeError} when an option is out of range.
 */
export async function loadImages(source: string, options: LoadImagesOptions = {}): Promise<Images> {
  validate(options);
  options.signal?.throwIfAborted();
  const { readImages } = await import("../files/read_images.ts");
  if (readImages === undefined) throw new TypeError(NO_FOLDERS);
  return await readImages(source, options);
}

/**
 * As {@linkcode loadImages}, for more images than memory holds: decodes them once into one file of the
 * cache, without compression, and reads a batch from there while the one before is trained. The training
 * has the same bits as with the data set in memory, if `channels` is the same: the default here is 3 for
 * gray images, too. While the images and the options are the same, the file is taken again; nobody
 * removes it.
 *
 * A ZIP file is unpacked in memory while it is decoded, at most 2^31 - 1 bytes: unpack a large one, and
 * give the folder.
 *
 * Permissions: read for the folder, read and write for the cache, env for where it is.
 *
 * ```ts
 * import { streamImages, trainDCGAN } from "@dcgan/webgpu";
 *
 * using dataset = await streamImages("photos", { size: [64, 64] });
 * using run = await trainDCGAN({ dataset, epochs: 10, outDir: "out" });
 * ```
 *
 * @param source the folder, or the ZIP file
 * @throws {DataError} when it cannot be read, or has no image that can be.
 * @throws {RangeError} when an option is out of range.
 * @throws {Error} when the file cannot be written, naming the reason and a way out.
 */
export async function streamImages(
  source: string,
  options: StreamImagesOptions,
): Promise<StreamedImages> {
  if (!options?.size) {
    throw new RangeError(
      "streamImages needs a `size` (--image-size): [height, width] of all images",
    );
  }
  validate(options);
  options.signal?.throwIfAborted();
  const { openImages } = await import("../files/stream_images.ts");
  if (openImages === undefined) throw new TypeError(NO_FOLDERS);
  return await openImages(source, options);
}

function validate({ channels, size, fit = "crop", background = 255 }: LoadImagesOptions): void {
  if (channels !== undefined && channels !== 1 && channels !== 3) {
    throw new RangeError(`channels must be 1 (gray) or 3 (RGB), got ${channels}`);
  }
  if (fit !== "crop" && fit !== "pad") {
    throw new RangeError(`fit must be "crop" or "pad", got ${JSON.stringify(fit)}`);
  }
  const color = [background].flat();
  const isByte = (value: number) => value >= 0 && value <= 255;
  if (![1, 3].includes(color.length) || !color.every(isByte)) {
    throw new RangeError(
      `background must be a gray from 0 to 255, or three of them for red, green and blue, got ` +
        `${background}`,
    );
  }
  if (size && !size.every(isMultiple)) {
    throw new RangeError(
      `size must be [height, width], both multiples of 4 (the generator doubles its size ` +
        `at least twice), got [${size.join(", ")}]`,
    );
  }
}
