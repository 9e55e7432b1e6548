/** Files by what a caller has of them: a path, a URL, or the bytes. */

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
 * @throws {TypeError} when it is no source.
 * @throws {Error} when a URL cannot be fetched; the message is a reason without a URL.
 */
export async function readSource(
  source: Source,
): Promise<{ readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }> {
  if (source instanceof URL) return { name: source.href, bytes: await fetchBytes(source) };
  if (source instanceof Blob) {
    const name = "name" in source ? String(source.name) : "the blob"; // A File has a name.
    return { name, bytes: new Uint8Array(await source.arrayBuffer()) };
  }
  if (source instanceof Uint8Array) {
    return { name: "the bytes", bytes: source as Uint8Array<ArrayBuffer> };
  }
  throw new TypeError(`A file must be a path, a URL, a Blob or a Uint8Array, got ${source}`);
}

/** The bytes that a URL leads to. @throws {Error} as {@linkcode readSource} */
export async function fetchBytes(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
  return new Uint8Array(await response.arrayBuffer());
}
