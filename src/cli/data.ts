/**
 * What the command line trains on.
 *
 * @module
 */

import { DataError, type Dataset, loadImages, loadMNIST } from "../../mod.ts";
import { UsageError } from "./flags.ts";
import { mnistPackageDir } from "./mnist_package.ts";
import { exists, userPath } from "./user_path.ts";

/** Whether a folder, or one in it, has PNG files. */
async function hasImages(dir: string, depth = 1): Promise<boolean> {
  for await (const { name, isFile, isDirectory } of Deno.readDir(dir)) {
    if (isFile && /\.png$/i.test(name)) return true;
    if (isDirectory && depth > 0 && await hasImages(`${dir}/${name}`, depth - 1)) return true;
  }
  return false;
}

/** MNIST, or the PNG files in the folder that `--data` names. */
export async function loadData(
  { data, "image-size": size }: { data?: string; "image-size"?: [number, number] },
  say: (text: string) => void,
): Promise<Dataset> {
  const dir = data === undefined ? undefined : userPath(data);
  if (dir !== undefined && !await exists(dir)) {
    throw new DataError(`There is no folder ${dir}: --data names one with IDX or PNG files`);
  }
  // A folder that cannot be read is reported by whoever loads it.
  if (dir !== undefined && await hasImages(dir).catch(() => false)) {
    const images = await loadImages(dir, { size });
    const { count, height, width, channels, classes } = images;
    const kinds = classes.length ? ` in ${classes.length} folders` : "";
    say(`${dir}, ${count} images of ${height} x ${width} x ${channels}${kinds}`);
    return images;
  }
  if (size !== undefined) {
    throw new UsageError(
      `--image-size is for PNG files, and ${
        dir === undefined ? "--data names no folder of them" : `${dir} has none`
      }`,
    );
  }
  const mnist = await loadMNIST({ dir, fallback: mnistPackageDir, onMessage: say });
  say(`${mnist.source}, ${mnist.count} images`);
  return mnist;
}
