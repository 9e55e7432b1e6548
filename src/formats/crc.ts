/** Cyclic redundancy checks of 32 bits. */

/** The check of a polynomial, whose bits are in reverse. */
function crcOf(polynomial: number): (bytes: Uint8Array) => number {
  const table = Int32Array.from({ length: 256 }, (_, rest) => {
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? polynomial ^ rest >>> 1 : rest >>> 1;
    return rest;
  });
  return (bytes) => {
    let crc = -1;
    for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]) & 255] ^ crc >>> 8;
    return ~crc >>> 0;
  };
}

/** CRC-32, as zlib and PNG have it. */
export const crc32 = /* @__PURE__ */ crcOf(0xedb88320);

/** CRC-32C (Castagnoli), as TensorFlow has it. */
export const crc32c = /* @__PURE__ */ crcOf(0x82f63b78);
