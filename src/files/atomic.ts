/** Writing a file so that it is there whole or not at all. */

import { basename, dirname, join } from "npm:pathe@2.0.3";
import { filesIn } from "./kind.ts";
import { isOfSystem, isReason, type SystemFile } from "./file_system.ts";
import { system } from "./system.ts";

/** What to do about a failed write, by the system's names for the reason. */
const REMEDIES: readonly [codes: readonly string[], remedy: string][] = [
  [["ENOSPC", "EDQUOT"], "Free some space, or write to another disk"],
  [["EROFS", "EACCES", "EPERM"], "Write to a folder that you may write to"],
  [["EEXIST", "ENOTDIR"], "A file is in the way: choose another name"],
  [["EISDIR", "ENOTEMPTY"], "A folder is in the way: choose another name"],
];

function remedy(error: Error & { code?: string }, folder: string): string {
  if (isReason(error, "NotCapable")) {
    return `Run with --allow-read=${folder} --allow-write=${folder}`;
  }
  if (error.code === "ENOENT") return `Create the folder ${folder} first`;
  const [, found] = REMEDIES.find(([codes]) => codes.includes(error.code ?? "")) ?? [];
  return found ?? "Check the folder, or write to another one";
}

/**
 * Writes a file by way of a temporary one in the same folder that is flushed to the disk and then
 * renamed: a reader of the path sees the old file or the whole new one, even after a power cut.
 * The temporary file is removed when the write fails.
 *
 * @throws {Error} when the file cannot be written, naming the path, the reason and a way out; the
 * system's own error is its `cause`.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
  try {
    {
      using file = await system.open(temporary, { write: true, createNew: true });
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    }
    await system.rename(temporary, path);
  } catch (cause) {
    await system.remove(temporary).catch(() => {}); // It may not exist.
    throw cannotWrite(path, cause);
  }
  await removeTemporary(folder, basename(path)).catch(() => {}); // The file itself is written.
}

/** The error of a file that cannot be written: the path, the system's reason and a way out. */
export function cannotWrite(path: string, cause: unknown, what = "write", folder = dirname(path)) {
  const way = remedy(cause as Error, folder);
  return new Error(`Cannot ${what} ${path}: ${reasonOf(cause)}. ${way}`, { cause });
}

/** The system's reason without the paths that its message ends with, a temporary one among them. */
export function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/: [a-z]+ '.*$/s, "");
}

/** Whether a path still leads to an open file, which may have been removed or replaced. */
export async function isStillAt(path: string, file: SystemFile): Promise<boolean> {
  const there = await system.stat(path).catch(() => undefined);
  return (await file.stat()).ino === there?.ino;
}

/** Whether an error, or its cause, comes from the operating system, such as a full disk. */
export function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return isOfSystem(error) || isSystemError(error.cause);
}

/** Makes a folder, and those above it, where they are not there yet. */
export async function makeFolder(path: string): Promise<void> {
  await system.mkdir(path, { recursive: true }).catch((cause) => {
    throw cannotWrite(path, cause, "make the folder", path);
  });
}

/** Of {@linkcode writeFileAtomic}'s temporary files. */
const TEMPORARY = /^\.(.+)\.[0-9a-f]{8}\.tmp$/;

/** No write takes this long, so an older temporary file was left by a process that was killed. */
const LEFT_OVER_MILLISECONDS = 600_000;

/**
 * Removes temporary files that a process left in a folder when it was killed while it wrote: of the file
 * with this name, those that no process can still be writing; without a name all of them.
 */
export async function removeTemporary(folder: string, name?: string): Promise<void> {
  for (const { path, match: [, of] } of await filesIn(folder, TEMPORARY)) {
    if (name !== undefined) {
      if (of !== name) continue;
      const { mtime } = await system.stat(path);
      if (Date.now() - mtime!.getTime() < LEFT_OVER_MILLISECONDS) continue;
    }
    await system.remove(path);
  }
}
