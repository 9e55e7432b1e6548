/** MNIST and Fashion-MNIST, found or fetched, and verified. */

import { DataError } from "../errors.ts";
import { type IDX, parseIDX } from "./idx.ts";
import { downloadFile, type FoundFile, SILENCE, spellings } from "./mnist_files.ts";
import type { LoadMNISTOptions, MNIST, MNISTSplit } from "./mnist.ts";
import type { Published, PublishedFile } from "./published.ts";

export { FASHION_MNIST_SET, MNIST_SET } from "./published.ts";

/** A file and the place where it was. */
interface Located extends FoundFile {
  readonly place: string;
}

/** The user's own folder: its files are taken, original or not. */
async function findInFolder(dir: string, file: PublishedFile): Promise<Located> {
  const { candidates } = await import("../files/mnist_cache.ts");
  for await (const found of candidates(dir, file)) {
    if (found instanceof Error) throw found;
    return { ...found, place: `from ${dir}` };
  }
  throw new DataError(
    `No ${file.name} in ${dir}: looked for ${spellings(file).join(", ")}. ` +
      "Put the IDX files there, or leave out `dir` (--data) to have MNIST found or downloaded",
  );
}

/**
 * The search without `dir`, for a file: in the cache, in the folder that `fallback` names, at the
 * mirrors. Only the original is taken.
 */
async function searcher(
  set: Published,
  options: LoadMNISTOptions,
  silence: number,
): Promise<(file: PublishedFile) => Promise<Located>> {
  const { download = true, mirrors = set.mirrors, signal, onMessage = () => {} } = options;
  const { fallback = () => Promise.resolve(set.installed) } = options;
  const disk = await import("../files/mnist_cache.ts");
  /** What was tried, for the error when nothing is left to try. */
  const tried: string[] = [];
  const fail = (text: string) => {
    tried.push(text);
    onMessage(text);
  };

  let cache = options.cacheDir;
  try {
    cache ??= disk.defaultCacheDir(set.cache);
  } catch (error) {
    const { name, message } = error as Error;
    const denied = name === "NotCapable";
    const remedy = denied ? `Run with ${disk.allowCacheVariables()}, or pass` : "Pass";
    fail(`the cache folder is unknown: ${message}. ${remedy} \`cacheDir\``);
  }

  /** The answer of `fallback`, once it was asked. */
  let other: Promise<string | undefined> | undefined;
  const askFallback = async () => {
    try {
      return await fallback(onMessage);
    } catch (error) {
      fail(`the fallback failed: ${(error as Error).message}`);
      return undefined;
    }
  };

  return async (file) => {
    for (const folder of [() => cache, () => other ??= askFallback()]) {
      const dir = await folder();
      if (dir === undefined) continue;
      let there = false;
      for await (const found of disk.candidates(dir, file)) {
        signal?.throwIfAborted();
        there = true;
        if (found instanceof Error) fail(found.message);
        else if (found.verified) return { ...found, place: `from ${dir}` };
        else fail(`${found.name} is not the original: its checksum differs`);
      }
      // A cache that is still empty is no news, so it is not reported.
      if (!there) tried.push(`${dir}: it is not there`);
    }
    if (!download) tried.push("the mirrors were not asked, because `download` is false");
    for (const mirror of download ? mirrors : []) {
      signal?.throwIfAborted();
      onMessage(`downloading ${file.name} from ${mirror}`);
      try {
        const { body, found } = await downloadFile(mirror, file, signal, silence);
        const name = body[0] === 0x1f ? `${file.name}.gz` : file.name;
        // A cache that cannot be written costs a download next time, not this run.
        if (cache !== undefined) {
          await disk.store(cache, name, body).catch((error) =>
            onMessage(`${name} could not be kept in ${cache}: ${error.message}`)
          );
        }
        return { ...found, place: `downloaded from ${mirror}` };
      } catch (error) {
        signal?.throwIfAborted();
        fail((error as Error).message);
      }
    }
    throw new DataError(
      `${set.name}'s ${file.name} was not found. Tried:\n  ${tried.join("\n  ")}\n` +
        "Put the IDX files into a folder and pass it as `dir` (--data)",
    );
  };
}

/** The array in a file, which must have these axes. */
function parseArray({ bytes, name }: Located, axes: readonly string[]): IDX {
  const array = parseIDX(bytes, name);
  if (array.dims.length !== axes.length || array.dims.includes(0)) {
    throw new DataError(
      `${name} has dimensions [${array.dims.join(", ")}], expected [${axes.join(", ")}], ` +
        "none of them 0. Check that images and labels are not exchanged",
    );
  }
  return array;
}

function assemble(set: Published, split: MNISTSplit, images: Located, labels: Located): MNIST {
  const pixels = parseArray(images, ["count", "height", "width"]);
  const labelled = parseArray(labels, ["count"]);
  const [count, height, width] = pixels.dims;
  if (labelled.dims[0] !== count) {
    throw new DataError(
      `${images.name} has ${count} images, but ${labels.name} has ${labelled.dims[0]} labels. ` +
        "Take both files from the same data set",
    );
  }
  const verified = images.verified && labels.verified;
  const places = [...new Set([images.place, labels.place])].join(" and ");
  const check = verified ? "checksum verified" : `not the original ${set.name}: checksum differs`;
  const source = `${set.name} ${places} (${check})`;
  const shape = { count, height, width, channels: 1 };
  const arrays = { images: pixels.data, labels: labelled.data };
  return { ...arrays, classes: verified ? set.classes : [], ...shape, split, source, verified };
}

/** Loads a set; a mirror that sends nothing for so many milliseconds is given up. */
export async function loadPatiently(
  set: Published,
  options: LoadMNISTOptions,
  silence = SILENCE,
): Promise<MNIST> {
  const { dir, split = "train", signal } = options;
  if (!Object.hasOwn(set.files, split)) {
    throw new RangeError(`split must be "train" or "test", got ${JSON.stringify(split)}`);
  }
  signal?.throwIfAborted();
  const find = dir === undefined
    ? await searcher(set, options, silence)
    : (file: PublishedFile) => findInFolder(dir, file);
  const images = await find(set.files[split].images);
  signal?.throwIfAborted();
  const labels = await find(set.files[split].labels);
  signal?.throwIfAborted();
  return assemble(set, split, images, labels);
}
