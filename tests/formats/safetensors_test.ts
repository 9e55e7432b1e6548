import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import {
  CheckpointError,
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
} from "../../mod.ts";
import { errorOf } from "../support/errors.ts";
import { concat, word } from "../support/fuzz/bytes.ts";
import { safetensors } from "../support/fuzz/models.ts";

const tensors = new Map<string, SafeTensor>([
  ["a/kernel", { dtype: "F32", shape: [2, 3], data: Float32Array.from([1, -2, 3, NaN, 5, 6e-40]) }],
  ["scalar", { dtype: "F32", shape: [], data: Float32Array.of(7) }],
  ["state", { dtype: "U32", shape: [2], data: Uint32Array.of(4294967295, 1) }],
]);
const file = encodeSafetensors({ tensors, metadata: { note: "ü" } });

/** A file with a header of the test's own, and so many bytes of data. */
const withHeader = (header: unknown, data = 0) =>
  safetensors(typeof header === "string" ? header : JSON.stringify(header), new Uint8Array(data));

const read = (bytes: Uint8Array) => decodeSafetensors(bytes, "file");

const refused = (bytes: Uint8Array, ...message: RegExp[]) =>
  assert.throws(() => read(bytes), errorOf(CheckpointError, ...message));

Deno.test("safetensors: what is written is read, to the bit, from a Buffer of Node too", () => {
  const pool = Buffer.concat([Buffer.alloc(16), file]).subarray(16);
  for (const bytes of [file, pool]) {
    assert.deepEqual(read(bytes).tensors, tensors);
    assert.deepEqual({ ...read(bytes).metadata }, { note: "ü" });
  }
});

Deno.test("safetensors: the layout is that of the format", () => {
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  assert.equal(length % 8, 0);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  assert.deepEqual(header["a/kernel"], { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] });
  assert.deepEqual(header.state, { dtype: "U32", shape: [2], data_offsets: [28, 36] });
  assert.equal(file.length, 8 + length + 36);
  assert.equal(new DataView(file.buffer).getFloat32(8 + length + 4, true), -2);
});

Deno.test("safetensors: damaged files are refused, whatever the damage", () => {
  const f32 = (shape: unknown, data_offsets: unknown) => ({ dtype: "F32", shape, data_offsets });
  const a = (shape: unknown, data_offsets: unknown) => ({ a: f32(shape, data_offsets) });
  refused(file.subarray(0, 5), /has 5 bytes/);
  refused(file.subarray(0, file.length - 1), /ends at byte/);
  refused(new Uint8Array([...file, 0]), /tensors end at byte/);
  refused(new Uint8Array(8).fill(255), /claims 18446744073709551615 bytes/);
  const large = withHeader(" ".repeat(100_000_001));
  refused(large, /header has 100000001 bytes, at most 100000000 are read/);
  refused(concat(word(1).reverse(), Uint8Array.of(0, 0, 0, 0, 255)), /its header is not UTF-8/);
  refused(withHeader("{"), /not JSON/);
  refused(withHeader("[]"), /not a JSON object/);
  refused(withHeader({ a: 1 }), /"a" is not an object/);
  refused(withHeader({ a: { ...f32([], [0, 8]), dtype: "F64" } }, 8), /"F64"/);
  refused(withHeader(a([-1], [0, 4]), 4), /no valid shape/);
  refused(withHeader(a([1], [0]), 4), /no valid offsets/);
  refused(withHeader(a([2 ** 53, 4], [0, 4]), 4), /no valid shape/);
  refused(withHeader(a([2], [0, 4]), 4), /needs 8 bytes, its offsets hold 4/);
  refused(withHeader(a([1], [4, 8]), 8), /begins at 4, expected 0/);
  refused(withHeader({ ...a([1], [0, 4]), b: f32([1], [0, 4]) }, 4), /begins at 0, expected 4/);
  refused(withHeader({ __metadata__: { a: 1 } }), /metadata "a" is not text/);
  // Nested too deep, before anything goes through it.
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const inside = `{"a":{"dtype":${deep},"shape":[1],"data_offsets":[0,4]}}`;
  for (const header of [inside, `{"a":`.repeat(5000) + "1" + "}".repeat(5000), "[".repeat(5000)]) {
    refused(withHeader(header, 4), /levels deep/);
  }
});

Deno.test("safetensors: names of prototype properties are names like others", () => {
  const header = `{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`;
  assert.deepEqual([...read(withHeader(header, 4)).tensors.keys()], ["__proto__"]);
  const { metadata } = read(withHeader(`{"__metadata__":{"__proto__":"text"}}`));
  assert.deepEqual(Object.entries(metadata), [["__proto__", "text"]]);
});

Deno.test("safetensors: of a name that appears twice the last entry counts, and no byte is left over", () => {
  const entry = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`;
  const other = entry.replace("[0,4]", "[4,8]");
  refused(withHeader(`{"a":${entry},"\\u0061":${other}}`, 8), /"a" begins at 4, expected 0/);
  refused(withHeader(`{"a":${other},"a":${entry}}`, 8), /tensors end at byte \d+, the file at/);
  const { tensors } = read(withHeader(`{"a":${entry},"a\\"":${other}}`, 8));
  assert.deepEqual([...tensors.keys()], ["a", 'a"']);
});

Deno.test("safetensors: 100,000 tensors are views of one copy of the values", () => {
  const many = Array.from({ length: 100_000 }, (_, i): [string, SafeTensor] => [
    `${i}`,
    { dtype: "F32", shape: [], data: Float32Array.of(i) },
  ]);
  const bytes = encodeSafetensors({ tensors: new Map(many), metadata: {} });
  const all = [...read(bytes).tensors.values()];
  assert.equal(all.length, many.length);
  assert.ok(all.every(({ data }, i) => data[0] === i && data.buffer === all[0].data.buffer));
  assert.notEqual(all[0].data.buffer, bytes.buffer);
});

Deno.test("safetensors: messages are short and hold no commands to a terminal", () => {
  const long = { ["n".repeat(1e6)]: { dtype: "t".repeat(1e6) } };
  for (const header of [long, { "\u009b2J": 1 }, "\u0000{"]) {
    // deno-lint-ignore no-control-regex
    refused(withHeader(header), /^[^\x00-\x1f\x7f-\x9f]{1,599}$/);
  }
});

Deno.test("safetensors: what could not be read is not written", () => {
  const write = (name: string, dtype: "F32" | "U32", shape: number[]) => () => {
    const tensor = { dtype, shape, data: Float32Array.of(1, 2) };
    return encodeSafetensors({ tensors: new Map([[name, tensor]]), metadata: {} });
  };
  assert.throws(write("__metadata__", "F32", [2]), RangeError);
  assert.throws(write("a", "F32", [3]), TypeError);
  assert.throws(write("a", "F32", [-1, -2]), TypeError);
  assert.throws(write("a", "U32", [2]), TypeError);
});
