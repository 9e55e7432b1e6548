/**
 * Writing a file so that it is there whole or not at all.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";

/** What to do about a failed write, by the system's name for the reason. */
function remedy(error: Error & { code?: string }, folder: string): string {
  if (error instanceof Deno.errors.NotCapable) {
    return `Run with --allow-read=${folder} --allow-write=${folder}`;
  }
  switch (error.code) {
    case "ENOSPC":
    case "EDQUOT":
      return "Free some space, or write to another disk";
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return "Write to a folder that you may write to";
    case "ENOENT":
      return `Create the folder ${folder} first`;
    case "EEXIST":
    case "ENOTDIR":
      return "A file is in the way: choose another name";
    case "EISDIR":
    case "ENOTEMPTY":
      return "A folder is in the way: choose another name";
    default:
      return "Check the folder, or write to another one";
  }
}

/**
 * Writes a file by way of a temporary one in the same folder that is flushed to the disk and then
 * renamed: a reader of the path sees the old file or the whole new one, even after a power cut.
 * The temporary file is removed when the write fails.
 *
 * Permissions: read and write for the folder.
 *
 * @throws {Error} when the file cannot be written, naming the path, the reason and a way out; the
 * system's own error is its `cause`.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
  try {
    await writeAndFlush(temporary, bytes);
    await Deno.rename(temporary, path);
    await removeLeftOver(path);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {}); // It may not exist.
    throw cannotWrite(path, cause);
  }
}

/** The error of a file that cannot be written: the path, the system's reason and a way out. */
export function cannotWrite(path: string, cause: unknown): Error {
  // The system's message ends with the paths it saw, a temporary one among them.
  const reason = (cause as Error).message.replace(/: [a-z]+ '.*$/s, "");
  return new Error(`Cannot write ${path}: ${reason}. ${remedy(cause as Error, dirname(path))}`, {
    cause,
  });
}

/** Whether a path still leads to an open file, which may have been removed or replaced. */
export async function isStillAt(path: string, file: Deno.FsFile): Promise<boolean> {
  const [held, there] = await Promise.all([
    file.stat(),
    Deno.stat(path).catch(() => undefined),
  ]);
  return held.ino === there?.ino;
}

/** Whether an error, or its cause, comes from the operating system, such as a full disk. */
export function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  // Deno has classes for some of the system's errors, and codes for others.
  const known = "code" in error || Object.values(Deno.errors).some((C) => error instanceof C);
  return known || isSystemError(error.cause);
}

/**
 * Makes a folder, and those above it, where they are not there yet.
 *
 * @throws {Error} naming the path, the reason and a way out; the system's own error is its `cause`.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (cause) {
    const reason = (cause as Error).message.replace(/: mkdir '.*$/s, "");
    throw new Error(`Cannot make the folder ${path}: ${reason}. ${remedy(cause as Error, path)}`, {
      cause,
    });
  }
}

/** Of {@linkcode writeFileAtomic}'s temporary files. */
const TEMPORARY = /^\..+\.[0-9a-f]{8}\.tmp$/;

/** No write takes this long, so an older temporary file was left by a process that was killed. */
const LEFT_OVER_MILLISECONDS = 600_000;

/** Removes temporary files of a path that killed processes left. */
async function removeLeftOver(path: string): Promise<void> {
  const folder = dirname(path);
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!isFile || !TEMPORARY.test(name) || !name.startsWith(`.${basename(path)}.`)) continue;
      const { mtime } = await Deno.stat(join(folder, name));
      if (Date.now() - mtime!.getTime() < LEFT_OVER_MILLISECONDS) continue;
      await Deno.remove(join(folder, name));
    }
  } catch {
    // The file itself is written; the rest can wait.
  }
}

/** Removes temporary files that a process left in a folder when it was killed while it wrote. */
export async function removeTemporary(folder: string): Promise<void> {
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && TEMPORARY.test(name)) await Deno.remove(join(folder, name));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function writeAndFlush(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  await file.sync();
}
