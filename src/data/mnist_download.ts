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

/** Aborts when no data has arrived for so many milliseconds. */
class Patience implements Disposable {
  readonly #late = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly milliseconds: number) {
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#late.signal;
  }

  /** Starts waiting again. */
  heard(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#late.abort(new DataError(`nothing came for ${this.milliseconds / 1000} seconds`));
    }, this.milliseconds);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** The body of a response of at most `limit` bytes. */
async function fetchBody(
  url: URL,
  limit: number,
  patience: Patience,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const signals = signal ? [signal, patience.signal] : [patience.signal];
  const response = await fetch(url, { signal: AbortSignal.any(signals) });
  patience.heard();
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw new DataError(`the server answered ${response.status} ${response.statusText}`.trim());
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    patience.heard();
    length += chunk.length;
    if (length > limit) throw new DataError(`the server sent more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return concat(chunks);
}

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
 * @throws {DataError} when the mirror cannot be reached, falls silent, has not the file, or sends
 * another one, naming the address and the reason.
 */
export async function downloadFile(
  mirror: string,
  file: MNISTFile,
  signal?: AbortSignal,
  silence = SILENCE,
): Promise<Download> {
  const base = mirror.endsWith("/") ? mirror : `${mirror}/`;
  const address = `${base}${file.name}.gz`;
  using patience = new Patience(silence);
  try {
    const url = new URL(address);
    // Compression never makes a file much longer, and a server may send it uncompressed.
    const body = await fetchBody(url, file.size + 4096, patience, signal);
    const found = await openFile(body, file, "what it sent");
    if (!found.verified) {
      throw new DataError(`what it sent is not the original ${file.name}: its checksum differs`);
    }
    return { body, found: { ...found, name: address } };
  } catch (failed) {
    signal?.throwIfAborted();
    const cause = patience.signal.aborted ? patience.signal.reason : failed;
    const remedy = (cause as Error).name === "NotCapable"
      ? `. Run with --allow-net=${new URL(address).host}`
      : "";
    throw new DataError(`${address} cannot be used: ${reason(cause as Error)}${remedy}`, { cause });
  }
}
