/** What the command line trains on. */

import { basename } from "node:path";
import { DataError, type Dataset, loadImages } from "../../mod.ts";
import { loadFashionMNIST, loadMNIST } from "../../mod.ts";
import type { LoadMNISTOptions, MNISTSplit } from "../../mod.ts";
import { kindOf } from "../files/kind.ts";
import { plain } from "../formats/json.ts";
import { UsageError } from "./flags.ts";
import { installedMNIST, mnistPackageDir } from "./mnist_package.ts";
import { FASHION_MNIST, path } from "./values.ts";

export interface DataFlags {
  readonly data?: string;
  readonly imageSize?: readonly [height: number, width: number];
  readonly channels?: 1 | 3;
  /** Which images of a set that has both; default those to train on. */
  readonly split?: MNISTSplit;
}

const isPNG = (name: string) => /\.png$/i.test(name);
const isIDX = (name: string) => /idx[13][-.]ubyte(\.gz)?$/i.test(name);

/** Names in a folder, and of those below it the PNG files. */
async function namesIn(dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    names.push(name);
    if (!isDirectory) continue;
    for await (const inside of Deno.readDir(`${dir}/${name}`)) {
      if (isPNG(inside.name)) names.push(`${name}/${inside.name}`);
    }
  }
  return names.sort();
}

/**
 * MNIST, Fashion-MNIST, or the PNG files in the folder that `--data` names; a folder comes before a set
 * of its name.
 *
 * @param say called with a sentence that says where the data came from, and with others on the way
 * @param fetch whether data may be fetched; else only what is here is taken
 */
export async function loadData(
  { data: source, ...options }: DataFlags,
  say: (text: string) => void,
  fetch = true,
): Promise<Dataset> {
  const mnist = async (from: LoadMNISTOptions, whyNoPNG: string, load = loadMNIST) => {
    const flag = options.imageSize ? "image-size" : options.channels && "channels";
    if (flag) throw new UsageError(`--${flag} is for PNG files, and ${whyNoPNG}`);
    const dataset = await load({ ...from, split: options.split, onMessage: say });
    say(`${dataset.source}, ${dataset.count} images`);
    return dataset;
  };
  if (source === undefined) {
    const fallback = fetch ? mnistPackageDir : installedMNIST;
    return await mnist({ download: fetch, fallback }, "--data names no folder of them");
  }
  const data = path(source);
  if (await kindOf(data) !== "directory") {
    if (source === FASHION_MNIST) {
      return await mnist({ download: fetch }, `--data ${source} has none`, loadFashionMNIST);
    }
    throw new DataError(`There is no folder ${data}: --data names one with IDX or PNG files`);
  }
  // Whoever loads a folder reports that it cannot be read.
  const names = await namesIn(data).catch(() => undefined);
  if (names?.some(isPNG)) {
    const images = await loadImages(data, { size: options.imageSize, channels: options.channels });
    const { count, height, width, channels, classes } = images;
    const folders = classes.length ? ` in ${classes.length} folders` : "";
    say(`${data}, ${count} images of ${height} x ${width} x ${channels}${folders}`);
    const { length, 0: other } = images.skipped;
    if (length) {
      const name = plain(basename(other));
      say(`${length} other files there were not read, only PNG files are (${name} ...)`);
    }
    return images;
  }
  if (names && !names.some(isIDX)) {
    const few = plain(names.slice(0, 3).map((name) => basename(name)).join(", "));
    throw new DataError(
      `${data} has neither MNIST's IDX files (train-images-idx3-ubyte and ` +
        `train-labels-idx1-ubyte, raw or .gz) nor PNG files: it ` +
        (names.length ? `holds ${few}${names.length > 3 ? ", ..." : ""}` : "is empty"),
    );
  }
  return await mnist({ dir: data }, `${data} has none`);
}
