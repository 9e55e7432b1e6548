import assert from "node:assert/strict";
import { type DType, ops } from "../../mod.ts";
import { gpu, held } from "../support/compute.ts";

/** Data that a tensor of two elements refuses: what the message calls wrong, and at which index. */
const REFUSED: [dtype: DType, data: unknown, what: string | number, at?: number][] = [
  ["f32", "12", 'string "12"'],
  ["f32", 12, "number 12"],
  ["f32", null, "null"],
  ["f32", new ArrayBuffer(8), "ArrayBuffer"],
  ["f32", ["1", 2], 'string "1"', 0],
  ["f32", [1, undefined], "undefined", 1],
  ["f32", new Array(2), "undefined", 0],
  ["f32", [[1], [2]], "Array", 0],
  ["f32", [1, true], "boolean true", 1],
  ["f32", new BigInt64Array(2), "bigint 0", 0],
  ["u32", [0, -1], -1, 1],
  ["u32", [1.5, 0], 1.5, 0],
  ["u32", [0, NaN], NaN, 1],
  ["u32", [2 ** 32, 0], 2 ** 32, 0],
  ["u32", [0, Infinity], Infinity, 1],
  ["u32", new Float32Array([0.5, 1]), 0.5, 0],
  ["u32", new Int32Array([1, -2]), -2, 1],
  ["u8", [0, 256], 256, 1],
  ["u8", [-1, 0], -1, 0],
  ["u8", new Uint32Array([0, 1000]), 1000, 1],
];

Deno.test("arrays: what a tensor cannot hold is refused by inputs, variables and writes", () => {
  for (const [dtype, data, what, at] of REFUSED) {
    const given = data as number[];
    const most = dtype === "u8" ? 255 : 4294967295;
    const advice = at === undefined ? ": use an array of numbers" : `, at ${at}: ` +
      (dtype === "f32" ? "use a number" : `${dtype} holds whole numbers from 0 to ${most}`);
    const refused = (target: string, act: () => unknown) =>
      assert.throws(act, {
        name: dtype === "f32" ? "TypeError" : "RangeError",
        message: `Cannot write ${what} to ${target} [2]${advice}`,
      });
    refused("w", () => gpu.variable([2], given, { name: "w", dtype }));
    const w = gpu.variable([2], undefined, { name: "w", dtype });
    refused("w", () => w.write(given));
    w.dispose();
    using program = gpu.compile({ x: { shape: [2], dtype } }, () => ({ y: ops.constant(1, []) }));
    refused("input x", () => program.run({ x: given }));
  }
  assert.equal(gpu.context.memory.count, 0);
});

const ACCEPTED: [dtype: DType, data: ArrayLike<number>, held?: number[]][] = [
  ["f32", [NaN, -Infinity]],
  ["f32", new Float64Array([0.5, Infinity])],
  ["f32", new Int8Array([-1, 3])],
  ["f32", new Float32Array(new SharedArrayBuffer(8)), [0, 0]],
  ["f32", { length: 2, 0: 1, 1: 2 }, [1, 2]],
  ["u32", [0, 2 ** 32 - 1]],
  ["u32", new Float32Array([3, 4])],
  ["u8", [0, 255]],
  ["u8", new Uint8ClampedArray([7, 255])],
];

Deno.test("arrays: any array of numbers that the type has is accepted", async () => {
  for (const [dtype, data, expected = Array.from(data)] of ACCEPTED) {
    assert.deepEqual(await held(gpu.variable([2], data, { dtype })), [expected]);
  }
});
