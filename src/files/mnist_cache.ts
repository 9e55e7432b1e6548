/** Files of published data sets on the disk, and the folder where downloaded ones are kept. */

import { join } from "npm:pathe@2.0.3";
import { type FoundFile, openFile, spellings } from "../data/mnist_files.ts";
import type { PublishedFile } from "../data/published.ts";
import { DataError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "./atomic.ts";
import { readFile } from "./kind.ts";
import { isReason } from "./file_system.ts";
import { env, runtime } from "./system.ts";

/** Environment variables with the place of caches, on any system. */
export const CACHE_VARIABLES: readonly string[] = ["HOME", "LOCALAPPDATA", "XDG_CACHE_HOME"];

/** Variables with this system's place of caches, the first that is set, and the folders below it. */
const PLACES: readonly (readonly [variable: string, ...folders: string[]])[] =
  runtime.os === "windows"
    ? [["LOCALAPPDATA"]]
    : runtime.os === "darwin"
    ? [["HOME", "Library", "Caches"]]
    : [["XDG_CACHE_HOME"], ["HOME", ".cache"]];

/** The flag of Deno that allows reading those variables. */
export function allowCacheVariables(): string {
  return `--allow-env=${PLACES.map(([variable]) => variable).sort().join(",")}`;
}

/**
 * The folder of this name where this system keeps a user's caches, in the library's own.
 *
 * @throws {Error} named NotCapable, when Deno may not read the variables.
 * @throws {Error} when none of them is set.
 */
export function defaultCacheDir(name: string): string {
  for (const [variable, ...folders] of PLACES) {
    const value = env(variable);
    if (value) return join(value, ...folders, "dcgan-webgpu", name);
  }
  throw new Error("no environment variable says where the user's caches are");
}

/** Puts a file into a folder, whole or not at all: other runs may be reading there. */
export async function store(dir: string, name: string, bytes: Uint8Array): Promise<void> {
  await makeFolder(dir);
  await writeFileAtomic(join(dir, name), bytes);
}

/**
 * Looks for a file in a folder under each of its names. Yields each file that it finds, or the reason why
 * it cannot be used.
 */
export async function* candidates(
  dir: string,
  file: PublishedFile,
): AsyncGenerator<FoundFile | DataError> {
  for (const spelling of spellings(file)) {
    const path = join(dir, spelling);
    try {
      yield await openFile(await readFile(path), file, path);
    } catch (cause) {
      if (isReason(cause, "NotFound")) continue;
      const denied = isReason(cause, "NotCapable");
      const remedy = denied
        ? `Run with --allow-read=${dir}`
        : "Check that it is a file and that you may read it";
      const message = `${path} cannot be read: ${(cause as Error).message}. ${remedy}`;
      yield cause instanceof DataError ? cause : new DataError(message, { cause });
      // Without the permission, the other names would fail alike.
      if (denied) return;
    }
  }
}
