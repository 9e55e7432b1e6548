/**
 * The wire format against the examples of its specification, and against another's decoder.
 *
 * @module
 */

import assert from "node:assert/strict";
import { BinaryReader } from "npm:@bufbuild/protobuf@2.17.0/wire";
import { floatBytes } from "../../src/formats/bytes.ts";
import * as protobuf from "../../src/formats/protobuf.ts";

const { bytes, double, float, message, packedInt64s, string, varint } = protobuf;

Deno.test("protobuf: the specification's own examples", () => {
  assert.equal(varint(1, 150).toHex(), "089601");
  assert.equal(string(2, "testing").toHex(), "120774657374696e67");
  assert.equal(bytes(3, varint(1, 150)).toHex(), "1a03089601");
  assert.equal(packedInt64s(6, [3, 270, 86942]).toHex(), "3206038e029ea705");
  assert.equal(varint(1, -2).toHex(), "08feffffffffffffffff01");
});

Deno.test("protobuf: another's reader sees what was written", () => {
  const whole = [0, 1, 127, 128, 300, 2 ** 32, Number.MAX_SAFE_INTEGER, -1];
  const floats = [0, -0, 1.5, -1e-40, 3e38, Infinity];
  const doubles = [Math.PI, -1e-310, Number.MAX_VALUE];
  const text = "größer 数字 🙂";
  const long = new Uint8Array(100_000).map((_, i) => i);
  const reader = new BinaryReader(message(
    ...whole.map((value) => varint(1, value)),
    ...floats.map((value) => float(2, value)),
    ...doubles.map((value) => double(3, value)),
    string(4, text),
    bytes(2 ** 29 - 1, long),
    bytes(16, floatBytes(floats)),
    bytes(18, message()),
  ));
  const next = (field: number) => assert.equal(reader.tag()[0], field);
  const all = <T>(field: number, values: readonly T[], read: () => T) => {
    for (const value of values) {
      next(field);
      assert.deepEqual(read(), value);
    }
  };
  all(1, whole, () => Number(reader.int64()));
  all(2, floats.map(Math.fround), () => reader.float());
  all(3, doubles, () => reader.double());
  all(4, [text], () => reader.string());
  all(2 ** 29 - 1, [long], () => reader.bytes());
  next(16);
  const packed = new BinaryReader(reader.bytes());
  for (const value of floats) assert.equal(packed.float(), Math.fround(value));
  assert.equal(packed.pos, packed.len);
  next(18);
  assert.equal(reader.bytes().length, 0);
  assert.equal(reader.pos, reader.len);
});

Deno.test("protobuf: what has no encoding is refused", () => {
  assert.throws(() => varint(1, 0.5), /Cannot encode 0\.5: it is no whole number/);
  assert.throws(() => varint(1, 2 ** 53), RangeError);
  assert.throws(() => varint(1, NaN), RangeError);
});
