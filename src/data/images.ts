/** A data set from a folder or an archive of images. */

import { DataError } from "../errors.ts";
import type { Image } from "../formats/image.ts";
import type { Dataset } from "./dataset.ts";
import { decodeImage, type SkippedFile, Unreadable } from "./decode.ts";
import { type Color, fitImage, padImage, toChannels } from "./fit.ts";
import { MAX_BYTES } from "./idx.ts";

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
   * image is in color.
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

/** Whether the networks can take images of this height or width. */
const isMultiple = (side: number) => Number.isSafeInteger(side) && side >= 4 && side % 4 === 0;

/** Refuses sizes that the networks cannot take, before more files are read. */
function requireMultiples(height: number, width: number, file: string): void {
  for (const [name, size] of [["height", height], ["width", width]] as const) {
    if (isMultiple(size)) continue;
    const [h, w] = [height, width].map((n) => Math.max(4, Math.round(n / 4) * 4));
    throw new DataError(
      `${file} has a ${name} of ${size}; the networks need a multiple of 4, because the generator ` +
        `doubles its size at least twice. Pass \`size\` (--image-size), such as [${h}, ${w}]`,
    );
  }
}

/** The number of channels without transparency. */
const opaque = ({ channels }: Image): 1 | 3 => channels < 3 ? 1 : 3;

/** Gray images as RGB. */
const toColor = (gray: Uint8Array) =>
  Uint8Array.from({ length: 3 * gray.length }, (_, i) => gray[Math.floor(i / 3)]);

/** Milliseconds between messages. */
const MESSAGE_INTERVAL = 5000;

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
  const { size, fit = "crop", background = 255, signal, onMessage = () => {} } = options;
  validate(options);
  signal?.throwIfAborted();
  const behind: Color = typeof background === "number"
    ? [background, background, background]
    : background;
  const { findImages, shown } = await import("../files/image_folder.ts");
  const { findInZip, isZip } = await import("../files/image_zip.ts");
  const found = await (await isZip(source) ? findInZip : findImages)(source);
  const { classes } = found;
  const skipped = [...found.skipped];
  const used: typeof found.files[number][] = [];
  let [height, width] = size ?? [0, 0];
  let channels = options.channels ?? 1;
  let images = new Uint8Array();
  let said = performance.now();
  const requireRoom = () => {
    const total = found.files.length * height * width * channels;
    if (total <= MAX_BYTES) return total;
    throw new DataError(
      `${
        shown(source)
      } has ${found.files.length} images, ${total} bytes at ${height} x ${width}; ` +
        `at most ${MAX_BYTES} fit. Pass a smaller \`size\` (--image-size), or take fewer`,
    );
  };
  for (const [i, file] of found.files.entries()) {
    signal?.throwIfAborted();
    if (performance.now() - said > MESSAGE_INTERVAL) {
      onMessage(`${i} of ${found.files.length} images read`);
      said = performance.now();
    }
    const name = shown(file.path);
    const image = await read(() => found.read(file.path), name);
    if (image instanceof Unreadable) {
      skipped.push({ path: file.path, reason: image.reason, message: image.message });
      continue;
    }
    if (!used.length) {
      if (!size) {
        ({ height, width } = image);
        requireMultiples(height, width, name);
      }
      images = new Uint8Array(requireRoom());
    }
    if (!size && (image.height !== height || image.width !== width)) {
      throw new DataError(
        `${name} has ${image.width} x ${image.height} pixels, ${shown(used[0].path)} has ` +
          `${width} x ${height}. Pass \`size\` (--image-size) to bring all to one, such as ` +
          `[${height}, ${width}]`,
      );
    }
    if (!options.channels && opaque(image) > channels) {
      channels = 3;
      requireRoom();
      images = toColor(images);
    }
    const values = toChannels(image, channels, behind);
    const bytes = fit === "crop"
      ? fitImage(values, image, [height, width])
      : padImage(values, image, [height, width], behind);
    images.set(bytes, used.length * bytes.length);
    used.push(file);
  }
  if (!used.length) {
    const { message } = skipped.find(({ path }) => path === found.files[0].path)!;
    throw new DataError(
      found.files.length === 1
        ? message
        : `None of the ${found.files.length} images of ${shown(source)} can be read. ${message}`,
    );
  }
  return {
    images: images.subarray(0, used.length * height * width * channels),
    labels: Uint8Array.from(classes.length ? used : [], ({ label }) => label),
    count: used.length,
    ...{ height, width, channels, classes },
    files: used.map(({ path }) => path),
    skipped,
  };
}

/** An image, or why its file is skipped. */
async function read(bytes: () => Promise<Uint8Array>, name: string): Promise<Image | Unreadable> {
  try {
    const file = await bytes().catch((cause) => {
      throw new Unreadable("not readable", cause.message, { cause });
    });
    return await decodeImage(file, name);
  } catch (error) {
    if (error instanceof Unreadable) return error;
    throw error;
  }
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
