/** Checksums of a safetensors file's parts: they show which part a disk or a copy has changed. */

import { CheckpointError } from "../errors.ts";
import { crc32 } from "./crc.ts";
import { parseJSON, plain, quote } from "./json.ts";
import { METADATA, type SafetensorsFile } from "./safetensors.ts";

/** The metadata that holds them. */
const KEY = "crc32";

/** The same file with a checksum of every tensor, and of the metadata, in its metadata. */
export function withChecksums(file: SafetensorsFile): SafetensorsFile {
  const sums = JSON.stringify(Object.fromEntries(checksums(file)));
  return { ...file, metadata: { ...file.metadata, [KEY]: sums } };
}

/**
 * Refuses a file that was changed after {@linkcode withChecksums}. One without checksums is taken as
 * it is: version 0.1.0 wrote none.
 *
 * @param path what messages call the file
 * @throws {CheckpointError} naming the tensor that was changed.
 */
export function requireChecksums(file: SafetensorsFile, path: string): void {
  const text = file.metadata[KEY];
  if (text === undefined) return;
  const refuse = (what: string): never => {
    throw new CheckpointError(`${path} is damaged: ${what}. Use another checkpoint`);
  };
  let left: Map<string, unknown>;
  try {
    left = new Map(Object.entries(parseJSON(text) as object));
  } catch {
    return refuse("its checksums are not JSON");
  }
  for (const [name, sum] of checksums(file)) {
    const what = name === METADATA ? "its metadata" : `the tensor ${plain(name)}`;
    const written = left.get(name);
    if (!left.delete(name)) refuse(`${what} has no checksum`);
    if (written !== sum) {
      refuse(`${what} has the CRC-32 ${sum}, it was written with ${quote(written)}`);
    }
  }
  for (const name of left.keys()) refuse(`it has no tensor ${plain(name)}, but its checksum`);
}

function* checksums({ tensors, metadata }: SafetensorsFile): Generator<[string, string]> {
  const hex = (bytes: Uint8Array) => crc32(bytes).toString(16).padStart(8, "0");
  const entries = Object.entries(metadata).filter(([key]) => key !== KEY);
  // First, since all else is read by it.
  const text = JSON.stringify(entries.toSorted(([a], [b]) => a < b ? -1 : 1));
  yield [METADATA, hex(new TextEncoder().encode(text))];
  for (const [name, { data }] of tensors) {
    yield [name, hex(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
  }
}
