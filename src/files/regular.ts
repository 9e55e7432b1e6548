/**
 * Opening what should be a file. Opening a pipe waits without end, and signals do not interrupt it; a
 * device may have no end.
 *
 * @module
 */

/** What lies at a path is a pipe, a socket or a device. The message is half a sentence about "it". */
export class NotAFile extends Error {
  constructor() {
    super("it is not a file, but a pipe, a socket or a device; put a file in its place");
  }
}

/**
 * Refuses what is not a file, links followed. A folder is left to the system, which does not open one.
 *
 * Permissions: read for the path.
 *
 * @throws {NotAFile} when it is a pipe, a socket or a device.
 * @throws {Deno.errors.NotFound} when there is nothing; and what else the system says.
 */
export async function requireFile(path: string): Promise<Deno.FileInfo> {
  const info = await Deno.stat(path);
  if (!info.isFile && !info.isDirectory) throw new NotAFile();
  return info;
}

/**
 * The bytes of a file.
 *
 * @throws as {@linkcode requireFile}
 */
export async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  await requireFile(path);
  return await Deno.readFile(path);
}

/**
 * The text of a file.
 *
 * @throws as {@linkcode requireFile}
 */
export async function readTextFile(path: string): Promise<string> {
  await requireFile(path);
  return await Deno.readTextFile(path);
}
