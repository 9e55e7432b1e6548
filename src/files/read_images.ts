/** Reads a folder or an archive of images, one after another. */

import { decodeImage, Unreadable } from "../data/decode.ts";
import { type Color, fitImage, padImage, toChannels } from "../data/fit.ts";
import { MAX_BYTES } from "../data/idx.ts";
import { type Images, isMultiple, type LoadImagesOptions } from "../data/images.ts";
import { DataError } from "../errors.ts";
import type { Image } from "../formats/image.ts";
import { findImages, shown } from "./image_folder.ts";
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

/** As `loadImages`, whose options are checked. */
export async function readImages(source: string, options: LoadImagesOptions): Promise<Images> {
  const { size, fit = "crop", background = 255, signal, onMessage = () => {} } = options;
  const behind: Color = typeof background === "number"
    ? [background, background, background]
    : background;
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
