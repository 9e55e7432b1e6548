import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import {
  CheckpointError,
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
} from "../../mod.ts";
import { concat, utf8, word } from "../support/fuzz/bytes.ts";

const tensors = new Map<string, SafeTensor>([
  ["a/kernel", { dtype: "F32", shape: [2, 3], data: Float32Array.from([1, -2, 3, NaN, 5, 6e-40]) }],
  ["scalar", { dtype: "F32", shape: [], data: Float32Array.of(7) }],
  ["state", { dtype: "U32", shape: [2], data: Uint32Array.of(4294967295, 1) }],
]);
const file = encodeSafetensors({ tensors, metadata: { note: "ü" } });

/** A file with a header of the test's own. */
function withHeader(header: unknown, data = 0): Uint8Array {
  const text = utf8(typeof header === "string" ? header : JSON.stringify(header));
  return concat(word(text.length).reverse(), new Uint8Array(4), text, new Uint8Array(data));
}

function refused(bytes: Uint8Array, message: RegExp): void {
  assert.throws(() => decodeSafetensors(bytes, "file"), (error: Error) => {
    assert.ok(error instanceof CheckpointError, error.stack);
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("safetensors: what is written is read, to the bit", () => {
  const read = decodeSafetensors(file, "file");
  assert.deepEqual(read.tensors, tensors);
  assert.deepEqual({ ...read.metadata }, { note: "ü" });
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
  refused(file.subarray(0, 5), /has 5 bytes/);
  refused(file.subarray(0, file.length - 1), /ends at byte/);
  refused(new Uint8Array([...file, 0]), /tensors end at byte/);
  refused(new Uint8Array(8).fill(255), /claims 18446744073709551615 bytes/);
  const large = new Uint8Array(8 + 100_000_001);
  new DataView(large.buffer).setUint32(0, 100_000_001, true);
  refused(large, /header has 100000001 bytes, at most 100000000 are read/);
  refused(concat(word(1).reverse(), Uint8Array.of(0, 0, 0, 0, 255)), /its header is not UTF-8/);
  refused(withHeader("{"), /not JSON/);
  refused(withHeader("[]"), /not a JSON object/);
  refused(withHeader({ a: 1 }), /"a" is not an object/);
  refused(withHeader({ a: { dtype: "F64", shape: [], data_offsets: [0, 8] } }, 8), /"F64"/);
  refused(withHeader({ a: f32([-1], [0, 4]) }, 4), /no valid shape/);
  refused(withHeader({ a: f32([1], [0]) }, 4), /no valid offsets/);
  refused(withHeader({ a: f32([2 ** 53, 4], [0, 4]) }, 4), /no valid shape/);
  refused(withHeader({ a: f32([2], [0, 4]) }, 4), /needs 8 bytes, its offsets hold 4/);
  refused(withHeader({ a: f32([1], [4, 8]) }, 8), /begins at 4, expected 0/);
  refused(withHeader({ a: f32([1], [0, 4]), b: f32([1], [0, 4]) }, 4), /begins at 0, expected 4/);
  refused(withHeader({ __metadata__: { a: 1 } }), /metadata "a" is not text/);
});

Deno.test("safetensors: names of prototype properties are names like others", () => {
  const header = `{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`;
  const read = decodeSafetensors(withHeader(header, 4), "file");
  assert.deepEqual([...read.tensors.keys()], ["__proto__"]);
  const text = withHeader(`{"__metadata__":{"__proto__":"text"}}`);
  const { metadata } = decodeSafetensors(text, "file");
  assert.deepEqual(Object.entries(metadata), [["__proto__", "text"]]);
});

Deno.test("safetensors: of a name that appears twice the last entry counts, and no byte is left over", () => {
  const entry = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`;
  const other = entry.replace("[0,4]", "[4,8]");
  refused(withHeader(`{"a":${entry},"\\u0061":${other}}`, 8), /"a" begins at 4, expected 0/);
  refused(withHeader(`{"a":${other},"a":${entry}}`, 8), /tensors end at byte \d+, the file at/);
  const read = decodeSafetensors(withHeader(`{"a":${entry},"a\\"":${other}}`, 8), "file");
  assert.deepEqual([...read.tensors.keys()], ["a", 'a"']);
});

Deno.test("safetensors: 100,000 tensors are views of one copy of the values", () => {
  const many = new Map<string, SafeTensor>();
  for (let i = 0; i < 100_000; i++) {
    many.set(`${i}`, { dtype: "F32", shape: [], data: Float32Array.of(i) });
  }
  const bytes = encodeSafetensors({ tensors: many, metadata: {} });
  const read = [...decodeSafetensors(bytes, "file").tensors.values()];
  assert.equal(read.length, many.size);
  assert.ok(read.every(({ data }, i) => data[0] === i && data.buffer === read[0].data.buffer));
  assert.notEqual(read[0].data.buffer, bytes.buffer);
});

Deno.test("safetensors: a header nested too deep is refused before anything goes through it", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  refused(withHeader(`{"a":{"dtype":${deep},"shape":[1],"data_offsets":[0,4]}}`, 4), /levels deep/);
  refused(withHeader(`{"a":`.repeat(5000) + "1" + "}".repeat(5000)), /levels deep/);
  refused(withHeader("[".repeat(5000)), /levels deep/);
});

Deno.test("safetensors: messages are short and hold no commands to a terminal", () => {
  const long = JSON.stringify({ ["n".repeat(1e6)]: { dtype: "t".repeat(1e6) } });
  for (const bytes of [withHeader(long), withHeader({ "\u009b2J": 1 }), withHeader("\u0000{")]) {
    assert.throws(() => decodeSafetensors(bytes, "file"), ({ message }: Error) => {
      assert.ok(message.length < 600, `${message.length} characters`);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(message, /[\x00-\x1f\x7f-\x9f]/);
      return true;
    });
  }
});

Deno.test("safetensors: the bytes may be a Buffer of Node", () => {
  const pool = Buffer.concat([Buffer.alloc(16), file]).subarray(16);
  const read = decodeSafetensors(pool, "file");
  assert.deepEqual(read.tensors, tensors);
});

Deno.test("safetensors: what could not be read is not written", () => {
  const write = (name: string, tensor: SafeTensor) => () =>
    encodeSafetensors({ tensors: new Map([[name, tensor]]), metadata: {} });
  const data = Float32Array.of(1, 2);
  assert.throws(write("__metadata__", { dtype: "F32", shape: [2], data }), RangeError);
  assert.throws(write("a", { dtype: "F32", shape: [3], data }), TypeError);
  assert.throws(write("a", { dtype: "F32", shape: [-1, -2], data }), TypeError);
  assert.throws(write("a", { dtype: "U32", shape: [2], data }), TypeError);
});
