/** What the command line trains on. */

import { basename } from "node:path";
import { DataError, type Dataset, type LoadImagesOptions, type SkippedFile } from "../../mod.ts";
import { type StreamedImages, streamImages } from "../../mod.ts";
import {
  loadFashionMNIST,
  loadImages,
  loadMNIST,
  type LoadMNISTOptions,
  type MNISTSplit,
} from "../../mod.ts";
import { isImageName } from "../files/image_folder.ts";
import { isZip } from "../files/image_zip.ts";
import { kindOf } from "../files/kind.ts";
import { plain } from "../formats/json.ts";
import { UsageError } from "./flags.ts";
import { installedMNIST, mnistPackageDir } from "./mnist_package.ts";
import { FASHION_MNIST, path } from "./values.ts";

export interface DataFlags extends Pick<LoadImagesOptions, "channels" | "fit" | "background"> {
  readonly data?: string;
  readonly imageSize?: readonly [height: number, width: number];
  /** Which images of a set that has both; default those to train on. */
  readonly split?: MNISTSplit;
}

const isIDX = (name: string) => /idx[13][-.]ubyte(\.gz)?$/i.test(name);

/** Names in a folder, and of those below it the image files. */
async function namesIn(dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    names.push(name);
    if (!isDirectory) continue;
    for await (const inside of Deno.readDir(`${dir}/${name}`)) {
      if (isImageName(inside.name)) names.push(`${name}/${inside.name}`);
    }
  }
  return names.sort();
}

/** The first names of some. */
function few(paths: readonly string[]): string {
  const names = paths.slice(0, 3).map((path) => basename(path)).join(", ");
  return plain(names, 200) + (paths.length > 3 ? ", ..." : "");
}

/** Says what was skipped, a line for each reason. */
function saySkipped(skipped: readonly SkippedFile[], say: (text: string) => void): void {
  for (const [reason, files] of Map.groupBy(skipped, ({ reason }) => reason)) {
    const names = few(files.map(({ path }) => path));
    say(`${files.length} file${files.length === 1 ? "" : "s"} skipped, ${reason}: ${names}`);
  }
}

/** The images in the folder or archive that `--data` names, to be read while they are trained. */
export async function streamData(
  { data, imageSize: size, channels, fit, background }: DataFlags,
  say: (text: string) => void,
): Promise<StreamedImages> {
  if (data === undefined || !size) {
    throw new UsageError(
      "--stream is for image files: name them with --data, and give --image-size",
    );
  }
  const options = { size, channels, fit, background, onMessage: say };
  const images = await streamImages(path(data), options);
  saySkipped(images.skipped, say);
  const shape = `${images.height} x ${images.width} x ${images.channels}`;
  say(`${path(data)}, ${images.count} images of ${shape}, read from ${images.path}`);
  return images;
}

/**
 * MNIST, Fashion-MNIST, or the images in the folder or archive that `--data` names; a folder comes before
 * a set of its name.
 *
 * @param say called with a sentence that says where the data came from, and with others on the way
 * @param fetch whether data may be fetched; else only what is here is taken
 */
export async function loadData(
  { data: source, imageSize: size, channels, fit, background, split }: DataFlags,
  say: (text: string) => void,
  fetch = true,
): Promise<Dataset> {
  const mnist = async (from: LoadMNISTOptions, whyNoImages: string, load = loadMNIST) => {
    const [flag] = Object.entries({ "image-size": size, channels, fit, background })
      .flatMap(([name, value]) => value === undefined ? [] : [name]);
    if (flag) throw new UsageError(`--${flag} is for image files, and ${whyNoImages}`);
    const dataset = await load({ ...from, split, onMessage: say });
    say(`${dataset.source}, ${dataset.count} images`);
    return dataset;
  };
  if (source === undefined) {
    const fallback = fetch ? mnistPackageDir : installedMNIST;
    return await mnist({ download: fetch, fallback }, "--data names no folder of them");
  }
  const data = path(source);
  const zip = await isZip(data);
  if (!zip && await kindOf(data) !== "directory") {
    if (source === FASHION_MNIST) {
      return await mnist({ download: fetch }, `--data ${source} has none`, loadFashionMNIST);
    }
    throw new DataError(
      `There is no folder ${data}: --data names one with IDX, PNG, JPEG or WebP files, or a .zip file`,
    );
  }
  // Whoever loads a folder reports that it cannot be read.
  const names = zip ? undefined : await namesIn(data).catch(() => undefined);
  if (zip || names?.some(isImageName)) {
    const options = { size, channels, fit, background, onMessage: say };
    const images = await loadImages(data, options);
    const { count, height, width, classes } = images;
    const folders = classes.length ? ` in ${classes.length} folders` : "";
    saySkipped(images.skipped, say);
    say(`${data}, ${count} images of ${height} x ${width} x ${images.channels}${folders}`);
    return images;
  }
  if (names && !names.some(isIDX)) {
    throw new DataError(
      `${data} has neither MNIST's IDX files (train-images-idx3-ubyte and ` +
        `train-labels-idx1-ubyte, raw or .gz) nor PNG, JPEG or WebP files: it ` +
        (names.length ? `holds ${few(names)}` : "is empty"),
    );
  }
  return await mnist({ dir: data }, `${data} has none`);
}
