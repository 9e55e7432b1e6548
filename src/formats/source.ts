/** Files by what a caller has of them: a path, a URL, or the bytes. */

import { CheckpointError } from "../errors.ts";

/** Where a file is. A path needs a runtime with a file system. */
export type Source = string | URL | Uint8Array | Blob;

/** The path of a source on the disk, if it has one. */
export function pathOf(source: Source): string | undefined {
  if (typeof source === "string") return source;
  if (!(source instanceof URL) || source.protocol !== "file:") return undefined;
  // On Windows the path of file:///C:/out is C:/out.
  return decodeURIComponent(source.pathname).replace(/^\/(?=[A-Za-z]:)/, "");
}

/**
 * The bytes of a source that has no path, and what messages call it.
 *
 * Permissions: net for the host of a URL.
 *
 * @param what what should be there, for messages: "checkpoint"
 * @throws {TypeError} when it is no source.
 * @throws {CheckpointError} when a URL cannot be fetched, naming it and the reason.
 */
export async function readSource(
  source: Source,
  what: string,
): Promise<{ readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }> {
  if (source instanceof URL) {
    const bytes = await fetchBytes(source).catch((cause) => {
      throw new CheckpointError(`Cannot open the ${what} ${source}: ${cause.message}`, { cause });
    });
    return { name: source.href, bytes };
  }
  if (source instanceof Blob) {
    const name = "name" in source ? String(source.name) : "the blob"; // A File has a name.
    return { name, bytes: new Uint8Array(await source.arrayBuffer()) };
  }
  if (source instanceof Uint8Array) {
    return { name: "the bytes", bytes: source as Uint8Array<ArrayBuffer> };
  }
  throw new TypeError(`A file must be a path, a URL, a Blob or a Uint8Array, got ${source}`);
}

/** The bytes that a URL leads to. The error of a failure has a reason without the URL. */
export async function fetchBytes(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
  return new Uint8Array(await response.arrayBuffer());
}
