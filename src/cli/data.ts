/**
 * What the command line trains on.
 *
 * @module
 */

import { type Dataset, loadMNIST, loadPictures } from "../../mod.ts";
import { mnistPackageDir } from "./mnist_package.ts";
import { userPath } from "./user_path.ts";

/** Whether a folder, or one in it, has PNG files. */
async function hasPictures(dir: string, depth = 1): Promise<boolean> {
  for await (const { name, isFile, isDirectory } of Deno.readDir(dir)) {
    if (isFile && /\.png$/i.test(name)) return true;
    if (isDirectory && depth > 0 && await hasPictures(`${dir}/${name}`, depth - 1)) return true;
  }
  return false;
}

/** MNIST, or the PNG files in the folder that `--data` names. */
export async function loadData(
  { data, "picture-size": size }: { data?: string; "picture-size"?: [number, number] },
  say: (text: string) => void,
): Promise<Dataset> {
  const dir = data === undefined ? undefined : userPath(data);
  // A folder that cannot be read is reported by whoever loads it.
  if (dir !== undefined && await hasPictures(dir).catch(() => false)) {
    const pictures = await loadPictures(dir, { size });
    const { count, height, width, channels, classes } = pictures;
    const kinds = classes.length ? ` in ${classes.length} folders` : "";
    say(`${dir}, ${count} pictures of ${height} x ${width} x ${channels}${kinds}`);
    return pictures;
  }
  const mnist = await loadMNIST({ dir, fallback: mnistPackageDir, onMessage: say });
  say(`${mnist.source}, ${mnist.count} pictures`);
  return mnist;
}
