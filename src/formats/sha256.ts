import { hex } from "./bytes.ts";

/**
 * The SHA-256 of bytes, in lower-case hexadecimal.
 *
 * @param bytes of any length; shared memory is allowed
 */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // WebCrypto refuses shared memory; `slice` copies into memory of its own.
  const own = bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", own as BufferSource)));
}
