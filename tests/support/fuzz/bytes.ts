/** Damage to files, byte by byte. */

import { concat as join } from "../../../src/formats/bytes.ts";
import fc from "npm:fast-check@4.10.2";

/** Numbers at which readers go wrong. */
const WORDS = [0, 1, 7, 8, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** A place: near the beginning, where headers are, or anywhere. */
const at = fc.oneof(fc.nat(40), fc.nat(2 ** 20));

const damage = fc.oneof(
  fc.record({ at, kind: fc.constantFrom("set", "insert"), value: fc.nat(255) }),
  fc.record({ at, kind: fc.constantFrom("little", "big"), value: fc.constantFrom(...WORDS) }),
  fc.record({
    at,
    kind: fc.constantFrom("cut", "keep", "repeat"),
    value: fc.oneof(fc.nat(16), fc.nat(2000)),
  }),
);

type Damage = { readonly kind: string; readonly at: number; readonly value: number };

function apply(bytes: Uint8Array, { kind, at: place, value }: Damage): Uint8Array {
  const at = place % (bytes.length + 1);
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(at);
  if (kind === "set") return concat(before, Uint8Array.of(value), after.subarray(1));
  if (kind === "insert") return concat(before, Uint8Array.of(value), after);
  if (kind === "cut") return concat(before, after.subarray(value));
  if (kind === "keep") return bytes.slice(0, at);
  if (kind === "repeat") return concat(before, after.subarray(0, value), after);
  const number = word(value);
  return concat(before, kind === "little" ? number.reverse() : number, after.subarray(4));
}

export function word(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export const concat = (...parts: readonly Uint8Array[]) => join(parts);

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** A valid file with up to three pieces of damage. */
export function damaged(file: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(file, fc.array(damage, { maxLength: 3 }))
    .map(([bytes, changes]) => changes.reduce(apply, bytes));
}
