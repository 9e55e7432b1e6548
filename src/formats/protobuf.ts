/**
 * Writing of protocol buffers' wire format. A message is its fields, one after another:
 *
 *     message(varint(1, 17), string(2, "images"), bytes(3, message(float(1, 0.5))))
 *
 * Zeros, empty texts and empty messages are written too: whether a field may be left out is the
 * caller's to know.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/
 *
 * @module
 */

import { concat } from "./bytes.ts";

/** Bytes of a field, its tag first, or of several. */
export type Encoded = Uint8Array<ArrayBuffer>;

/** How the value behind a tag is laid out. */
const WIRE = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

const MAX_FIELD = 2 ** 29 - 1;

/** Joins fields to a message. */
export function message(...fields: readonly Uint8Array[]): Encoded {
  return concat(fields);
}

/** Seven bits a byte, the lowest first; the highest bit says that more follow. */
function rawVarint(value: number | bigint): Encoded {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`Cannot encode ${value}: it is no whole number that is held exactly`);
  }
  const whole = BigInt(value);
  if (whole < -(2n ** 63n) || whole >= 2n ** 64n) {
    throw new RangeError(`Cannot encode ${value}: it does not fit into 64 bits`);
  }
  const out: number[] = [];
  let left = BigInt.asUintN(64, whole); // negative numbers in two's complement: ten bytes
  do {
    const low = Number(left & 0x7fn);
    left >>= 7n;
    out.push(left ? low | 0x80 : low);
  } while (left);
  return Uint8Array.from(out);
}

function tagged(field: number, wire: keyof typeof WIRE, ...value: Uint8Array[]): Encoded {
  if (!Number.isInteger(field) || field < 1 || field > MAX_FIELD) {
    throw new RangeError(`A field's number is a whole number from 1 to ${MAX_FIELD}, got ${field}`);
  }
  return message(rawVarint(field * 8 + WIRE[wire]), ...value);
}

function fixed(size: 4 | 8, write: (view: DataView) => void): Encoded {
  const out = new Uint8Array(size);
  write(new DataView(out.buffer));
  return out;
}

/** A field of type uint32, uint64, int32, int64, bool or enum. */
export function varint(field: number, value: number | bigint): Encoded {
  return tagged(field, "varint", rawVarint(value));
}

/** A field of type float. */
export function float(field: number, value: number): Encoded {
  return tagged(field, "fixed32", fixed(4, (view) => view.setFloat32(0, value, true)));
}

/** A field of type double. */
export function double(field: number, value: number): Encoded {
  return tagged(field, "fixed64", fixed(8, (view) => view.setFloat64(0, value, true)));
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
export function packedInt64s(field: number, values: readonly (number | bigint)[]): Encoded {
  return bytes(field, message(...values.map(rawVarint)));
}

/** Floats of 32 bits, little-endian, whatever the machine's order. */
export function floatBytes(values: ArrayLike<number>): Encoded {
  const out = new DataView(new ArrayBuffer(4 * values.length));
  for (let i = 0; i < values.length; i++) out.setFloat32(4 * i, values[i], true);
  return new Uint8Array(out.buffer);
}
