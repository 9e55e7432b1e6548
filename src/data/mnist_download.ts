/**
 * Fetching a file of MNIST from public mirrors.
 *
 * @module
 */

import { DataError } from "../errors.ts";
import { concat } from "../formats/bytes.ts";
import { type FoundFile, type MNISTFile, openFile } from "./mnist_files.ts";

/** Public copies of the compressed files as they were first published. */
export const MNIST_MIRRORS: readonly string[] = [
  "https://storage.googleapis.com/cvdf-datasets/mnist/",
  "https://ossci-datasets.s3.amazonaws.com/mnist/",
];

/** A file as it came over the network, and what is in it. */
export interface Download {
  /** As sent: usually gzip. */
  readonly body: Uint8Array;
  /** What is in it, verified. */
  readonly found: FoundFile;
}

/** Milliseconds without a byte after which a mirror is given up. */
export const SILENCE = 30_000;

/** `fetch` says only that it failed; why is in the cause, after the address that is known. */
function reason({ message, cause }: Error): string {
  return cause instanceof Error && message === "fetch failed"
    ? cause.message.replace(/ for url \([^)]*\)/, "")
    : message;
}

/**
 * Fetches the compressed form of a file and verifies it. Nothing is written.
 *
 * @param mirror URL of the folder that holds it.
 * @param signal Stops it; the promise is then rejected with the signal's reason.
 * @param silence Milliseconds without a byte after which it is given up.
 * @throws {DataError} when the mirror cannot be reached, sends nothing for too long, does not have the
 * file, or sends another one, naming the address and the reason.
 */
export async function downloadFile(
  mirror: string,
  file: MNISTFile,
  signal?: AbortSignal,
  silence = SILENCE,
): Promise<Download> {
  const address = `${mirror.replace(/\/?$/, "/")}${file.name}.gz`;
  // Compression never makes a file much longer, and a server may send it uncompressed.
  const limit = file.size + 4096;
  const late = new AbortController();
  const wait = () =>
    setTimeout(() => {
      late.abort(new DataError(`nothing came for ${silence / 1000} seconds`));
    }, silence);
  let timer = wait();
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
      timer = wait();
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
    const remedy = cause.name === "NotCapable"
      ? `. Run with --allow-net=${new URL(address).host}`
      : "";
    throw new DataError(`${address} cannot be used: ${reason(cause)}${remedy}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
