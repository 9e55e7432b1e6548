import assert from "node:assert/strict";
import { type DType, Gpu, ops } from "../../mod.ts";

const gpu = await Gpu.request();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const number = (value: string, at: number) => ({
  name: "TypeError",
  message: `Cannot write ${value} to TARGET, at ${at}: use a number`,
});
const array = (value: string) => ({
  name: "TypeError",
  message: `Cannot write ${value} to TARGET: use an array of numbers`,
});
const range = (value: number, at: number, dtype: "u8" | "u32") => ({
  name: "RangeError",
  message: `Cannot write ${value} to TARGET, at ${at}: ${dtype} holds whole numbers from 0 to ` +
    { u8: 255, u32: 4294967295 }[dtype],
});

const REFUSED: [dtype: DType, data: unknown, error: { name: string; message: string }][] = [
  ["f32", "12", array('string "12"')],
  ["f32", 12, array("number 12")],
  ["f32", null, array("null")],
  ["f32", new ArrayBuffer(8), array("ArrayBuffer")],
  ["f32", ["1", 2], number('string "1"', 0)],
  ["f32", [1, undefined], number("undefined", 1)],
  ["f32", new Array(2), number("undefined", 0)],
  ["f32", [[1], [2]], number("Array", 0)],
  ["f32", [1, true], number("boolean true", 1)],
  ["f32", new BigInt64Array(2), number("bigint 0", 0)],
  ["u32", [0, -1], range(-1, 1, "u32")],
  ["u32", [1.5, 0], range(1.5, 0, "u32")],
  ["u32", [0, NaN], range(NaN, 1, "u32")],
  ["u32", [2 ** 32, 0], range(2 ** 32, 0, "u32")],
  ["u32", [0, Infinity], range(Infinity, 1, "u32")],
  ["u32", new Float32Array([0.5, 1]), range(0.5, 0, "u32")],
  ["u32", new Int32Array([1, -2]), range(-2, 1, "u32")],
  ["u8", [0, 256], range(256, 1, "u8")],
  ["u8", [-1, 0], range(-1, 0, "u8")],
  ["u8", new Uint32Array([0, 1000]), range(1000, 1, "u8")],
];

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

Deno.test("arrays: what a tensor cannot hold is refused by inputs, variables and writes", () => {
  for (const [dtype, data, error] of REFUSED) {
    const given = data as number[];
    const refused = (what: string, act: () => unknown) =>
      assert.throws(act, { ...error, message: error.message.replace("TARGET", `${what} [2]`) });
    refused("w", () => gpu.variable([2], given, { name: "w", dtype }));
    const w = gpu.variable([2], undefined, { name: "w", dtype });
    refused("w", () => w.write(given));
    w.dispose();
    using program = gpu.compile({ x: { shape: [2], dtype } }, () => ({ y: ops.constant(1, []) }));
    refused("input x", () => program.run({ x: given }));
  }
  assert.equal(gpu.context.memory.count, 0);
});

Deno.test("arrays: any array of numbers that the type has is accepted", async () => {
  for (const [dtype, data, held] of ACCEPTED) {
    const w = gpu.variable([2], data, { dtype });
    assert.deepEqual([...await w.read()], held ?? Array.from(data));
    w.dispose();
  }
});
