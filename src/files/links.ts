/**
 * Links in a folder that another person may have made.
 *
 * @module
 */

import { join } from "node:path";
import { CheckpointError } from "../errors.ts";

/**
 * Refuses symbolic links with these names in a folder: writing to one would change a file elsewhere. The
 * folder itself may be a link, since the caller names it.
 *
 * Permissions: read for the folder.
 *
 * @throws {CheckpointError} naming the link and the way out.
 */
export async function requireNoLinks(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    if (!await isLink(path)) continue;
    throw new CheckpointError(
      `${path} is a link, and nothing is written outside of ${folder}: remove it, or put what it ` +
        "leads to into its place",
    );
  }
}

/** Whether there is a symbolic link at a path, even if it leads nowhere. */
export async function isLink(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isSymlink;
  } catch (error) {
    // The write reports any other error.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}
