/** A data set from a folder of PNG files. */

import { DataError } from "../errors.ts";
import type { Image } from "../formats/image.ts";
import { decodePNG } from "../formats/png.ts";
import { MAX_PIXELS, requireSignature } from "../formats/png_chunks.ts";
import type { Dataset } from "./dataset.ts";
import { fitImage, toChannels } from "./fit.ts";
import { MAX_BYTES } from "./idx.ts";

/** Images from a folder; see {@linkcode loadImages}. */
export interface Images extends Dataset {
  /** [count], each image's subfolder in `classes`; empty where there were none. */
  readonly labels: Uint8Array;
  /** Names of the subfolders in the order of the labels; empty where there were none. */
  readonly classes: readonly string[];
  /** Where the images came from, in their order. */
  readonly files: readonly string[];
  /** Other files there, such as JPEG, which were not read. Only names that end in `.png` are. */
  readonly skipped: readonly string[];
}

/** Options of {@linkcode loadImages}. */
export interface LoadImagesOptions {
  /**
   * 1: gray, of colors their luma 0.299 R + 0.587 G + 0.114 B (Rec. 601). 3: RGB. Default: as the
   * first image is, and then all must be of that kind.
   */
  readonly channels?: 1 | 3;
  /**
   * Height and width for all images, multiples of 4. Each is scaled to cover that size, and the rest is
   * cut off equally on both sides. Enlarging interpolates linearly, shrinking averages. Default: the
   * first image's, and then all must have that size.
   */
  readonly size?: readonly [number, number];
  /** The gray, 0 to 255, that transparent pixels are put on. Default 255, white. */
  readonly background?: number;
  /** Stops the loading; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Width and height from the header of a PNG file, so that nothing is allocated for an image that is
 * refused.
 */
function sizeOf(bytes: Uint8Array, name: string): { width: number; height: number } {
  const refuse = (what: string): never => {
    throw new DataError(`${name} ${what}, or take it out of the folder`);
  };
  if (bytes.length < 24) {
    refuse(`is truncated: it has ${bytes.length} bytes, a PNG file has at least 57. Copy it again`);
  }
  try {
    requireSignature(bytes);
  } catch (error) {
    const { message } = error as Error;
    refuse(`is no PNG file: ${message}. Convert it (another name does not)`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (width * height > MAX_PIXELS) {
    const size = `${width} x ${height} pixels; at most ${MAX_PIXELS} are read`;
    refuse(`says that it has ${size}. Scale it down`);
  }
  return { width, height };
}

/** Whether the networks can take images of this height or width. */
const isMultiple = (side: number) => Number.isSafeInteger(side) && side >= 4 && side % 4 === 0;

/** Refuses sizes that the networks cannot take, before more files are read. */
function requireMultiples(height: number, width: number, file: string): void {
  for (const [name, size] of [["height", height], ["width", width]] as const) {
    if (isMultiple(size)) continue;
    const [h, w] = [height, width].map((n) => Math.max(4, Math.round(n / 4) * 4));
    throw new DataError(
      `${file} has a ${name} of ${size}; the networks need a multiple of 4, because the generator ` +
        `doubles its size twice. Pass \`size\` (--image-size), such as [${h}, ${w}]`,
    );
  }
}

const KIND = { 1: "gray", 3: "in color" };

/** The number of channels without transparency. */
const opaque = ({ channels }: Image): 1 | 3 => channels < 3 ? 1 : 3;

/**
 * Loads the PNG files of a folder, or of its subfolders, as a data set. Files come in the order of
 * their names; hidden files are ignored, and other files listed as `skipped`. Each subfolder is a
 * class: label 0 is the first by name. Any PNG is read: palettes, 1 to 16 bits, transparency
 * (which is put on `background`).
 *
 * Permissions: read for the folder.
 *
 * Array buffers made: the data set, and for one image at a time what `decodePNG` makes, 16 bytes a
 * pixel and 4 for each value between the two steps of scaling.
 *
 * ```ts
 * import { loadImages, trainDCGAN } from "@dcgan/webgpu";
 *
 * const dataset = await loadImages("faces", { size: [32, 32], channels: 3 });
 * using run = await trainDCGAN({ dataset, epochs: 10, outDir: "out" });
 * ```
 *
 * @param dir the folder
 * @returns bytes [count, height, width, channels], with labels where there are subfolders
 * @throws {DataError} when the folder or a file cannot be read, there is no PNG in it, a file is
 *   damaged or no PNG, images differ in size or kind and no option says what to do, or sizes are
 *   not multiples of 4. The message names the file.
 * @throws {RangeError} when an option is out of range.
 */
export async function loadImages(dir: string, options: LoadImagesOptions = {}): Promise<Images> {
  const { size, background = 255, signal } = options;
  validate(options);
  signal?.throwIfAborted();
  const { findImages, readImage, shown } = await import("../files/image_folder.ts");
  const { files, classes, skipped } = await findImages(dir);
  const first = shown(files[0].path);
  let [height, width] = size ?? [0, 0];
  let channels = options.channels;
  let images = new Uint8Array();
  for (const [i, { path }] of files.entries()) {
    signal?.throwIfAborted();
    const bytes = await readImage(path);
    const name = shown(path);
    const found = sizeOf(bytes, name);
    if (i === 0 && !size) {
      ({ height, width } = found);
      requireMultiples(height, width, name);
    }
    if (!size && (found.height !== height || found.width !== width)) {
      throw new DataError(
        `${name} has ${found.width} x ${found.height} pixels, ${first} has ${width} x ${height}. ` +
          `Pass \`size\` (--image-size) to bring all to one, such as [${height}, ${width}]`,
      );
    }
    const image = decodePNG(bytes, name);
    if (i === 0) {
      channels ??= opaque(image);
      const total = files.length * height * width * channels;
      if (total > MAX_BYTES) {
        throw new DataError(
          `${shown(dir)} has ${files.length} images, ${total} bytes at ${height} x ${width}; ` +
            `at most ${MAX_BYTES} fit. Pass a smaller \`size\` (--image-size), or take fewer`,
        );
      }
      images = new Uint8Array(total);
    }
    if (!options.channels && opaque(image) !== channels) {
      throw new DataError(
        `${name} is ${KIND[opaque(image)]}, ${first} is ${KIND[channels!]}. ` +
          "Pass `channels` (--channels): 1 makes all of them gray, 3 RGB",
      );
    }
    const values = toChannels(image, channels!, background);
    images.set(fitImage(values, image, [height, width]), i * height * width * channels!);
  }

  return {
    images,
    labels: Uint8Array.from(classes.length ? files : [], ({ label }) => label),
    count: files.length,
    height,
    width,
    channels: channels!,
    classes,
    files: files.map(({ path }) => path),
    skipped,
  };
}

function validate({ channels, size, background = 255 }: LoadImagesOptions): void {
  if (channels !== undefined && channels !== 1 && channels !== 3) {
    throw new RangeError(`channels must be 1 (gray) or 3 (RGB), got ${channels}`);
  }
  if (!(background >= 0 && background <= 255)) {
    throw new RangeError(`background must be a gray from 0 to 255, got ${background}`);
  }
  if (size && !size.every(isMultiple)) {
    throw new RangeError(
      `size must be [height, width], both multiples of 4 (the generator doubles its size ` +
        `twice), got [${size.join(", ")}]`,
    );
  }
}
