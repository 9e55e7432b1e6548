/**
 * Writing of protocol buffers' wire format. A message is its fields, one after another:
 *
 *     message(varint(1, 17), string(2, "images"), bytes(3, message(float(1, 0.5))))
 *
 * Zeros, empty texts and empty messages are written too: whether a field may be left out is the
 * caller's to know.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/
 */

import { concat, floatBytes } from "./bytes.ts";

/** Bytes of a field, its tag first, or of several. */
export type Encoded = Uint8Array<ArrayBuffer>;

/** How the value behind a tag is laid out. */
const WIRE = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

/** Joins fields to a message. */
export function message(...fields: readonly Uint8Array[]): Encoded {
  return concat(fields);
}

/** Seven bits a byte, the lowest first; the highest bit says that more follow. */
function rawVarint(value: number): Encoded {
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`Cannot encode ${value}: it is no whole number that is held exactly`);
  }
  const out: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value)); // negative numbers in two's complement: ten bytes
  do {
    const low = Number(left & 0x7fn);
    left >>= 7n;
    out.push(left ? low | 0x80 : low);
  } while (left);
  return Uint8Array.from(out);
}

function tagged(field: number, wire: keyof typeof WIRE, ...value: Uint8Array[]): Encoded {
  return message(rawVarint(field * 8 + WIRE[wire]), ...value);
}

/** A field of type uint32, uint64, int32, int64, bool or enum. */
export function varint(field: number, value: number): Encoded {
  return tagged(field, "varint", rawVarint(value));
}

/** A field of type float. */
export function float(field: number, value: number): Encoded {
  return tagged(field, "fixed32", floatBytes([value]));
}

/** A field of type double. */
export function double(field: number, value: number): Encoded {
  const data = new DataView(new ArrayBuffer(8));
  data.setFloat64(0, value, true);
  return tagged(field, "fixed64", new Uint8Array(data.buffer));
}

/** A field of type bytes, or a message as {@linkcode message} returns it. */
export function bytes(field: number, value: Uint8Array): Encoded {
  return tagged(field, "delimited", rawVarint(value.length), value);
}

/** A field of type string. */
export function string(field: number, value: string): Encoded {
  return bytes(field, new TextEncoder().encode(value));
}

/** A repeated field of type int64, packed. */
export function packedInt64s(field: number, values: readonly number[]): Encoded {
  return bytes(field, message(...values.map(rawVarint)));
}
