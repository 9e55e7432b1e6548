/**
 * Where measurements of kernels are kept.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { defaultCacheDir } from "../data/mnist_cache.ts";

/** A folder beside MNIST's in the user's cache; nothing where the system has none. */
export function kernelCacheDir(): string | undefined {
  try {
    return join(dirname(defaultCacheDir()), "kernels");
  } catch {
    return undefined;
  }
}
