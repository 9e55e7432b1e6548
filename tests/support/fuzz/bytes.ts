/**
 * Damage done to files, byte by byte.
 *
 * @module
 */

import fc from "npm:fast-check@4.10.2";

/** Numbers at which readers go wrong. */
const WORDS = [0, 1, 7, 8, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

type Damage =
  | { readonly kind: "set" | "insert"; readonly at: number; readonly value: number }
  | { readonly kind: "word"; readonly at: number; readonly value: number; readonly little: boolean }
  | { readonly kind: "cut" | "keep" | "repeat"; readonly at: number; readonly length: number };

/** A place: near the beginning, where headers are, or anywhere. */
const place = fc.oneof(fc.nat(40), fc.nat(2 ** 20));

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("set" as const, "insert" as const),
    at: place,
    value: fc.nat(255),
  }),
  fc.record({
    kind: fc.constant("word" as const),
    at: place,
    value: fc.constantFrom(...WORDS),
    little: fc.boolean(),
  }),
  fc.record({
    kind: fc.constantFrom("cut" as const, "keep" as const, "repeat" as const),
    at: place,
    length: fc.oneof(fc.nat(16), fc.nat(2000)),
  }),
);

function apply(bytes: Uint8Array, change: Damage): Uint8Array {
  const at = change.at % (bytes.length + 1);
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(at);
  switch (change.kind) {
    case "set":
      return concat(before, Uint8Array.of(change.value), after.subarray(1));
    case "insert":
      return concat(before, Uint8Array.of(change.value), after);
    case "word": {
      const word = new Uint8Array(4);
      new DataView(word.buffer).setUint32(0, change.value, change.little);
      return concat(before, word, after.subarray(4));
    }
    case "cut":
      return concat(before, after.subarray(change.length));
    case "keep":
      return bytes.slice(0, at);
    case "repeat":
      return concat(before, after.subarray(0, change.length), after);
  }
}

/** All of them, one after another. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Text in UTF-8. */
export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** A valid file with up to three pieces of damage. */
export function damaged(file: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(file, fc.array(damage, { maxLength: 3 }))
    .map(([bytes, changes]) => changes.reduce(apply, bytes));
}
