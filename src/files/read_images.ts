/** Reads a folder or an archive of images, one after another. */

import { decodeImage, type SkippedFile, Unreadable } from "../data/decode.ts";
import { type Color, fitImage, padImage, toChannels } from "../data/fit.ts";
import { MAX_BYTES } from "../data/idx.ts";
import { type Images, isMultiple, type LoadImagesOptions } from "../data/images.ts";
import { DataError } from "../errors.ts";
import type { Image } from "../formats/image.ts";
import { findImages, type FoundImages, shown } from "./image_folder.ts";
import { findInZip, isZip } from "./image_zip.ts";

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

/** What {@linkcode decodeAll} needs of the options. */
type Reading = Pick<LoadImagesOptions, "signal" | "onMessage">;

/** The images of a folder, or of an archive. */
export const findAll = async (source: string): Promise<FoundImages> =>
  await (await isZip(source) ? findInZip : findImages)(source);

/**
 * Decodes images, one after another.
 *
 * @param skipped gets those that cannot be read
 * @throws {DataError} when none can be.
 */
export async function* decodeAll(
  source: string,
  { files, read }: FoundImages,
  skipped: SkippedFile[],
  { signal, onMessage = () => {} }: Reading,
) {
  let said = performance.now();
  let first: Unreadable | undefined;
  let count = 0;
  for (const [i, file] of files.entries()) {
    signal?.throwIfAborted();
    if (performance.now() - said > MESSAGE_INTERVAL) {
      onMessage(`${i} of ${files.length} images read`);
      said = performance.now();
    }
    const name = shown(file.path);
    const image = await decode(() => read(file.path), name);
    if (image instanceof Unreadable) {
      first ??= image;
      skipped.push({ path: file.path, reason: image.reason, message: image.message });
    } else {
      count++;
      yield { file, name, image };
    }
  }
  if (count || !first) return;
  const none = `None of the ${files.length} images of ${shown(source)} can be read. `;
  throw new DataError((files.length === 1 ? "" : none) + first.message);
}

/** An image, or why its file is skipped. */
async function decode(bytes: () => Promise<Uint8Array>, name: string): Promise<Image | Unreadable> {
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

/** The bytes [...size, channels] of an image, as the options say. */
export function fitted(
  image: Image,
  channels: 1 | 3,
  size: readonly [number, number],
  { fit = "crop", background = 255 }: Pick<LoadImagesOptions, "fit" | "background">,
): Uint8ClampedArray {
  const color: Color = typeof background === "number"
    ? [background, background, background]
    : background;
  const values = toChannels(image, channels, color);
  return fit === "crop" ? fitImage(values, image, size) : padImage(values, image, size, color);
}

/** As `loadImages`, whose options are checked. */
export async function readImages(source: string, options: LoadImagesOptions): Promise<Images> {
  const found = await findAll(source);
  const { classes } = found;
  const skipped = [...found.skipped];
  const used: FoundImages["files"][number][] = [];
  let [height, width] = options.size ?? [0, 0];
  // Behind a color, images are in color, whichever comes first.
  const [red, ...rest] = [options.background ?? 255].flat();
  let channels = options.channels ?? (rest.every((value) => value === red) ? 1 : 3);
  let images = new Uint8Array();
  const requireRoom = () => {
    const total = found.files.length * height * width * channels;
    if (total <= MAX_BYTES) return total;
    throw new DataError(
      `${
        shown(source)
      } has ${found.files.length} images, ${total} bytes at ${height} x ${width}; ` +
        `at most ${MAX_BYTES} fit. Read them while they are trained with streamImages (--stream), ` +
        "pass a smaller `size` (--image-size), or take fewer",
    );
  };
  for await (const { file, name, image } of decodeAll(source, found, skipped, options)) {
    if (!used.length) {
      if (!options.size) {
        ({ height, width } = image);
        requireMultiples(height, width, name);
      }
      images = new Uint8Array(requireRoom());
    }
    if (!options.size && (image.height !== height || image.width !== width)) {
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
    const bytes = fitted(image, channels, [height, width], options);
    images.set(bytes, used.length * bytes.length);
    used.push(file);
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
