/**
 * Images that are decoded once into one file, and read from there when they are trained. The file has the
 * images [count, height, width, channels], then the labels [count]; beside it is what it holds, as JSON,
 * which is written last.
 */

import { join } from "npm:pathe@2.0.3";
import type { SkippedFile } from "../data/decode.ts";
import type { StreamedImages, StreamImagesOptions } from "../data/images.ts";
import { DataError } from "../errors.ts";
import { concat } from "../formats/bytes.ts";
import { sha256 } from "../formats/sha256.ts";
import { VERSION } from "../version.ts";
import { cannotWrite, makeFolder, writeFileAtomic } from "./atomic.ts";
import type { SystemFile } from "./file_system.ts";
import type { FoundImages } from "./image_folder.ts";
import { ifThere, readTextFile } from "./kind.ts";
import { defaultCacheDir } from "./mnist_cache.ts";
import { decodeAll, findAll, fitted } from "./read_images.ts";
import { system } from "./system.ts";

/** What is beside the file. */
interface Contents {
  readonly count: number;
  readonly labeled: boolean;
  /** Of the images. */
  readonly id: string;
  readonly skipped: readonly SkippedFile[];
}

const utf8 = (text: string) => new TextEncoder().encode(text);

/** A name that is another one when the files or what is made of them change. */
async function nameOf(
  source: string,
  { files }: FoundImages,
  { size, channels, fit, background }: StreamImagesOptions,
): Promise<string> {
  const stamps: unknown[] = [];
  for (const { path } of files) {
    // What is in an archive changes with it.
    const info = await ifThere(system.stat(path)) ?? await system.stat(source);
    stamps.push([path, info.size, info.mtime?.getTime()]);
  }
  const made = [VERSION, size, channels, fit, background, stamps];
  return (await sha256(utf8(JSON.stringify(made)))).slice(0, 32);
}

/** Decodes all images into a file, whole or not at all. */
async function decodeInto(
  path: string,
  source: string,
  found: FoundImages,
  options: StreamImagesOptions,
): Promise<Contents> {
  const { size, channels = 3 } = options;
  const skipped = [...found.skipped];
  const labels: number[] = [];
  const digests: Uint8Array[] = [];
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    {
      using file = await system.open(temporary, { write: true, createNew: true });
      const write = async (bytes: Uint8Array) => {
        for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      };
      for await (const { image, file: { label } } of decodeAll(source, found, skipped, options)) {
        const bytes = new Uint8Array(fitted(image, channels, size, options).buffer);
        await write(bytes);
        digests.push(utf8(await sha256(bytes)));
        labels.push(label);
      }
      await write(Uint8Array.from(labels));
      await file.sync();
    }
    await system.rename(temporary, path);
  } catch (cause) {
    await system.remove(temporary).catch(() => {}); // It may not exist.
    if (cause instanceof DataError || options.signal?.aborted) throw cause;
    throw cannotWrite(path, cause);
  }
  const id = `sha256 of sha256 ${await sha256(concat([...digests, Uint8Array.from(labels)]))}`;
  return { count: labels.length, labeled: found.classes.length > 0, id, skipped };
}

/** What is in a file that was made before. */
async function contentsOf(path: string): Promise<Contents | undefined> {
  try {
    return JSON.parse(await readTextFile(`${path}.json`));
  } catch {
    return undefined; // It is not there, or damaged: it is made again.
  }
}

/** Fills an array from a place in a file. */
async function readAt(file: SystemFile, place: number, to: Uint8Array, path: string) {
  await file.seek(place, 0);
  for (let at = 0; at < to.length;) {
    const read = await file.read(to.subarray(at));
    if (!read) throw new DataError(`${path} is cut off: remove it, and it is made again`);
    at += read;
  }
}

/** As `streamImages`, whose options are checked. */
export async function openImages(
  source: string,
  options: StreamImagesOptions,
): Promise<StreamedImages> {
  const { size: [height, width], channels = 3, cacheDir = defaultCacheDir("images") } = options;
  const found = await findAll(source);
  await makeFolder(cacheDir);
  const path = join(cacheDir, await nameOf(source, found, options));
  let contents = await contentsOf(path);
  if (!contents || !await ifThere(system.stat(path))) {
    options.onMessage?.(`decoding ${found.files.length} images into ${path}`);
    contents = await decodeInto(path, source, found, options);
    await writeFileAtomic(`${path}.json`, utf8(JSON.stringify(contents)));
  }
  const { count, labeled, id, skipped } = contents;
  const bytes = height * width * channels;
  const file = await system.open(path, { read: true });
  const labels = new Uint8Array(labeled ? count : 0);
  try {
    await readAt(file, count * bytes, labels, path);
  } catch (error) {
    file.close();
    throw error;
  }
  return {
    ...{ count, height, width, channels, labels, classes: found.classes, id, skipped, path },
    async read(places) {
      const images = new Uint8Array(places.length * bytes);
      for (const [i, place] of places.entries()) {
        await readAt(file, place * bytes, images.subarray(i * bytes, (i + 1) * bytes), path);
      }
      return images;
    },
    [Symbol.dispose]: () => file.close(),
  };
}
