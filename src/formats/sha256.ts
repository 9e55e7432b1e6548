/**
 * SHA-256 of what may be large.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Bytes that are hashed at once. */
const PIECE = 2 ** 20;

/**
 * The SHA-256 of bytes, in lower-case hexadecimal. `crypto.subtle.digest` would copy all of them first.
 *
 * Array buffers made: pieces of 1 MiB, one at a time. A piece is a copy, so that shared memory, too, can
 * be hashed.
 */
export function sha256(bytes: Uint8Array): string {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += PIECE) hash.update(bytes.slice(at, at + PIECE));
  return hash.digest("hex");
}
