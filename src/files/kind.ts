/**
 * What lies at a path.
 *
 * @module
 */

/**
 * What lies at a path, links followed: "other" is a pipe, a socket or a device. Nothing where there is
 * nothing, or a file stands where the path needs a folder.
 *
 * Permissions: read for the path.
 *
 * @throws what else the system says, such as that the path may not be read.
 */
export async function kindOf(path: string): Promise<"file" | "directory" | "other" | undefined> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    return isFile ? "file" : isDirectory ? "directory" : "other";
  } catch (error) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotADirectory) return undefined;
    throw error;
  }
}
