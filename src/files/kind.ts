/** What is at a path, and reading it if it is a file. */

import { join } from "npm:pathe@2.0.3";
import { CheckpointError } from "../errors.ts";
import { type FileInfo, isReason } from "./file_system.ts";
import { system } from "./system.ts";

/** Undefined where there is nothing, or a file stands where the path needs a folder. */
export async function ifThere<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isReason(error, "NotFound", "NotADirectory")) return undefined;
    throw error;
  }
}

/** What is at a path, links followed: "other" is a pipe, a socket or a device. */
export async function kindOf(path: string): Promise<"file" | "directory" | "other" | undefined> {
  const info = await ifThere(system.stat(path));
  return info && (info.isFile ? "file" : info.isDirectory ? "directory" : "other");
}

/** Files in a folder whose names match, links left out; none where there is no such folder. */
export async function filesIn(
  folder: string,
  name: RegExp,
): Promise<{ readonly path: string; readonly match: RegExpExecArray }[]> {
  const entries = await ifThere(Array.fromAsync(system.readDir(folder))) ?? [];
  return entries.flatMap((entry) => {
    const match = entry.isFile && name.exec(entry.name);
    return match ? [{ path: join(folder, entry.name), match }] : [];
  });
}

/**
 * Refuses symbolic links with these names in a folder: writing to one would change a file elsewhere. The
 * folder itself may be a link, since the caller names it.
 *
 * @throws {CheckpointError} naming the link and the way out.
 */
export async function requireNoLinks(folder: string, names: readonly string[]): Promise<void> {
  for (const path of names.map((name) => join(folder, name))) {
    // Even one that leads nowhere.
    if (!(await ifThere(system.lstat(path)))?.isSymlink) continue;
    throw new CheckpointError(
      `${path} is a link, and nothing is written outside of ${folder}: remove it, or put what it ` +
        "leads to into its place",
    );
  }
}

/** There is a pipe, a socket or a device at a path. The message is half a sentence about "it". */
export class NotAFile extends Error {
  constructor() {
    super("it is not a file, but a pipe, a socket or a device; put a file in its place");
  }
}

/**
 * Refuses what is not a file, links followed: opening a pipe waits without end, and a device may have no
 * end. A folder is left to the system, which does not open one.
 *
 * @throws {NotAFile} when it is a pipe, a socket or a device.
 * @throws what the system says, such as that there is nothing.
 */
export async function requireFile(path: string): Promise<FileInfo> {
  const info = await system.stat(path);
  if (!info.isFile && !info.isDirectory) throw new NotAFile();
  return info;
}

/** The bytes of a file. Throws as {@linkcode requireFile}. */
export async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  await requireFile(path);
  return await system.readFile(path);
}

/** The text of a file. Throws as {@linkcode requireFile}. */
export async function readTextFile(path: string): Promise<string> {
  await requireFile(path);
  return new TextDecoder().decode(await system.readFile(path));
}
