/** One file of a published data set: opened and verified, or fetched from a mirror. */

import { DataError } from "../errors.ts";
import { concat } from "../formats/bytes.ts";
import { sha256 } from "../formats/sha256.ts";
import { decompressIDX } from "./idx.ts";
import type { PublishedFile } from "./published.ts";

/** A published file, or one that stands in its place. */
export interface FoundFile {
  /** Uncompressed. */
  readonly bytes: Uint8Array;
  /** For messages. */
  readonly name: string;
  /** Whether it is the original. */
  readonly verified: boolean;
}

/** The names that a file goes by: with a hyphen or a dot before `idx`, raw or compressed. */
export function spellings(file: PublishedFile): string[] {
  const dotted = file.name.replace("-idx", ".idx");
  return [file.name, `${file.name}.gz`, dotted, `${dotted}.gz`];
}

/**
 * Decompresses a file where needed and compares its checksum, if it is as long as it should be.
 *
 * Array buffers made: what `decompressIDX` makes, and the copy that WebCrypto makes of what it hashes.
 *
 * @param stored raw or gzip
 * @param name what messages call it
 * @throws {DataError} when it is compressed and damaged.
 */
export async function openFile(
  stored: Uint8Array,
  file: PublishedFile,
  name: string,
): Promise<FoundFile> {
  const bytes = await decompressIDX(stored, name);
  const verified = bytes.length === file.size && await sha256(bytes) === file.sha256;
  return { bytes, name, verified };
}

/** Milliseconds without a byte after which a mirror is given up. */
export const SILENCE = 30_000;

/** `fetch` says only that it failed; why is in the cause, after the address that is known. */
function reason({ message, cause }: Error): string {
  const inner = message === "fetch failed" && cause instanceof Error;
  return inner ? cause.message.replace(/ for url \([^)]*\)/, "") : message;
}

/**
 * Fetches the compressed form of a file from a folder's URL and verifies it. Nothing is written.
 *
 * @param signal stops it; the promise is then rejected with the signal's reason
 * @param silence milliseconds without a byte after which it is given up
 * @returns what was sent, usually gzip, and the verified file in it
 * @throws {DataError} when the mirror cannot be reached, sends nothing for too long, does not have the
 *   file, or sends another one, naming the address and the reason.
 */
export async function downloadFile(
  mirror: string,
  file: PublishedFile,
  signal?: AbortSignal,
  silence = SILENCE,
): Promise<{ body: Uint8Array; found: FoundFile }> {
  const address = `${mirror.replace(/\/?$/, "/")}${file.name}.gz`;
  // Compression never makes a file much longer, and a server may send it uncompressed.
  const limit = file.size + 4096;
  const late = new AbortController();
  const giveUp = () => late.abort(new DataError(`nothing came for ${silence / 1000} seconds`));
  let timer = setTimeout(giveUp, silence);
  try {
    const signals = signal ? [signal, late.signal] : [late.signal];
    const response = await fetch(new URL(address), { signal: AbortSignal.any(signals) });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new DataError(`the server answered ${response.status} ${response.statusText}`.trim());
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(giveUp, silence);
      length += chunk.length;
      if (length > limit) throw new DataError(`the server sent more than ${limit} bytes`);
      chunks.push(chunk);
    }
    const body = concat(chunks);
    const found = await openFile(body, file, "what it sent");
    if (!found.verified) {
      throw new DataError(`what it sent is not the original ${file.name}: its checksum differs`);
    }
    return { body, found: { ...found, name: address } };
  } catch (failed) {
    signal?.throwIfAborted();
    const cause = late.signal.aborted ? late.signal.reason : failed;
    const denied = cause.name === "NotCapable";
    const remedy = denied ? `. Run with --allow-net=${new URL(address).host}` : "";
    throw new DataError(`${address} cannot be used: ${reason(cause)}${remedy}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
