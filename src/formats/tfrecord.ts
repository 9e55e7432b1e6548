/**
 * TFRecord, TensorFlow's file of records: each is its length (64 bits), a checksum of that, the
 * bytes, and a checksum of those, all little-endian.
 */

import { crc32c } from "./crc.ts";

/** CRC-32C, turned and shifted, so that the checksum of bytes that hold checksums stays a good one. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0;
}

/** One record of a TFRecord file. */
export function encodeRecord(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(bytes.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(bytes, 12);
  view.setUint32(12 + bytes.length, maskedCrc(bytes), true);
  return record;
}
