/**
 * MNIST's files on the disk, and the folder where downloaded ones are kept.
 *
 * @module
 */

import { join } from "node:path";
import { type FoundFile, type MNISTFile, openFile, spellings } from "../data/mnist_files.ts";
import { DataError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "./atomic.ts";
import { readFile } from "./kind.ts";

/** Environment variables with the place of caches, on any system. */
export const CACHE_VARIABLES: readonly string[] = ["HOME", "LOCALAPPDATA", "XDG_CACHE_HOME"];

/** The flag of Deno that allows reading those of one system. */
export function allowCacheVariables(os: typeof Deno.build.os = Deno.build.os): string {
  return `--allow-env=${
    os === "windows" ? "LOCALAPPDATA" : os === "darwin" ? "HOME" : "HOME,XDG_CACHE_HOME"
  }`;
}

/**
 * The user's cache folder for MNIST, where the system keeps caches: under `XDG_CACHE_HOME` or
 * `~/.cache`, on macOS `~/Library/Caches`, on Windows `LOCALAPPDATA`.
 *
 * @throws {Deno.errors.NotCapable} when those variables may not be read.
 * @throws {Error} when none of them is set.
 */
export function defaultCacheDir(): string {
  const under = (variable: string, ...path: string[]) => {
    const value = Deno.env.get(variable);
    return value && join(value, ...path);
  };
  const caches = Deno.build.os === "windows"
    ? under("LOCALAPPDATA")
    : Deno.build.os === "darwin"
    ? under("HOME", "Library", "Caches")
    : under("XDG_CACHE_HOME") || under("HOME", ".cache");
  if (!caches) throw new Error("no environment variable says where the user's caches are");
  return join(caches, "dcgan-webgpu", "mnist");
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
  file: MNISTFile,
): AsyncGenerator<FoundFile | DataError> {
  for (const spelling of spellings(file)) {
    const path = join(dir, spelling);
    try {
      yield await openFile(await readFile(path), file, path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      yield error instanceof DataError ? error : unreadable(path, dir, error as Error);
      // Without the permission, the other names would say the same.
      if (error instanceof Deno.errors.NotCapable) return;
    }
  }
}

function unreadable(path: string, dir: string, cause: Error): DataError {
  const remedy = cause instanceof Deno.errors.NotCapable
    ? `Run with --allow-read=${dir}`
    : "Check that it is a file and that you may read it";
  return new DataError(`${path} cannot be read: ${cause.message}. ${remedy}`, { cause });
}
