/**
 * Where measurements of kernels are kept.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { allowCacheVariables, defaultCacheDir } from "../files/mnist_cache.ts";

/** A folder beside MNIST's in the user's cache; undefined, which is reported, where none is known. */
export function kernelCacheDir(report: (text: string) => void): string | undefined {
  try {
    return join(dirname(defaultCacheDir()), "kernels");
  } catch (error) {
    const remedy = error instanceof Deno.errors.NotCapable
      ? `. Run with ${allowCacheVariables()}`
      : "";
    report(`measurements of kernels are not kept: ${(error as Error).message}${remedy}`);
    return undefined;
  }
}
