/**
 * Tests the tester: errors are planted in ops, gradients, the reference and the results, and
 * `check` must see each.
 */

import { doesNotReject, doesNotThrow, rejects, throws } from "node:assert/strict";
import { ops, type Tensor } from "../../mod.ts";
import { assertClose, relativeError } from "../support/close.ts";
import { gpu } from "../support/compute.ts";
import { row } from "./cases.ts";
import { check, type Evaluators, type OpCase } from "../support/gradcheck.ts";
import * as float64 from "../support/reference.ts";
import type { Algebra, NdArray } from "../support/reference.ts";

const CONV = row("conv2d", [[2, 6, 6, 3], [4, 4, 3, 5]], (o, x, w) => {
  return o.conv2d(x, w, { padding: "same" });
}, { terms: 48 });
const MATMUL = row("matmul", [[5, 64], [64, 7]], (o, a, b) => o.matmul(a, b), { terms: 64 });
const TANH = row("tanh", [[3, 5]], (o, x) => o.tanh(x));
const SUM = row("sum", [[1000, 3]], (o, x) => o.sum(x, 0), { terms: 1000 });
const ALL = [CONV, MATMUL, TANH, SUM];

const sees = (op: OpCase, planted: Evaluators, message: RegExp) =>
  rejects(check(gpu, op, planted), { name: "AssertionError", message });

/** Says something else about one output. */
const tamper = (output: string, change: (data: Float32Array) => void): Evaluators => ({
  tamper: (name, data) => name === output ? change(data) : undefined,
});

Deno.test("nothing planted, nothing seen", async () => {
  for (const op of ALL) await doesNotReject(check(gpu, op));
});

/** y, whose gradient is multiplied by a factor. */
function bend(y: Tensor, factor: number): Tensor {
  return ops.add(ops.mul(y, factor), ops.mul(ops.stopGradient(y), 1 - factor));
}

/** Every op of the cases, with its gradient bent. */
function bent(factor: number): Algebra<Tensor> {
  return {
    ...ops,
    conv2d: (x, w, options) => bend(ops.conv2d(x, w, options), factor),
    matmul: (a, b, options) => bend(ops.matmul(a, b, options), factor),
    tanh: (x) => bend(ops.tanh(x), factor),
    sum: (x, axes, keep) => bend(ops.sum(x, axes, keep), factor),
  };
}

Deno.test("a gradient that is 0.1% off, of the wrong sign, and none at all", async () => {
  for (const op of ALL) {
    for (const factor of [1.001, 0.999, -1, 0]) {
      await sees(op, { gpu: bent(factor) }, /gradient of/);
    }
  }
});

Deno.test("one wrong element among the gradient's", async () => {
  const change = (data: Float32Array) => void (data[17] += 0.01 * Math.hypot(...data));
  await sees(MATMUL, tamper("d_a", change), /gradient of a/);
});

Deno.test("a gradient where there should be none", async () => {
  const op = row("zero", [[3, 5]], (o, x) => o.stopGradient(x), { gradient: "zero" });
  await doesNotReject(check(gpu, op));
  await sees(op, { gpu: { ...ops, stopGradient: (x) => ops.mul(x, 1) } }, /gradient of x/);
});

Deno.test("values that are 0.1% too large", async () => {
  const larger = tamper("y", (data) => data.forEach((v, i) => data[i] = 1.001 * v));
  for (const op of ALL) await sees(op, larger, /: y:/);
});

Deno.test("padding that is off by one in the reference", async () => {
  // An even kernel's odd zero belongs behind; here it is before, or both are dropped to one side.
  for (const [before, after] of [[2, 1], [0, 3], [3, 0]]) {
    const side = [before, after] as const;
    const conv2d = (x: NdArray, w: NdArray) =>
      float64.conv2d(float64.pad(x, [[0, 0], side, side, [0, 0]]), w);
    await sees(CONV, { reference: { ...float64, conv2d } }, /: y:/);
  }
});

Deno.test("a partial sum that is dropped", async () => {
  const matmul = (a: Tensor, b: Tensor) =>
    ops.matmul(ops.slice(a, [0, 0], [-1, 63]), ops.slice(b, [0, 0], [63, -1]));
  await sees(MATMUL, { gpu: { ...ops, matmul } }, /: y:/);
  const sum = (x: Tensor) => ops.sum(ops.slice(x, [0, 0], [999, 3]), 0);
  await sees(SUM, { gpu: { ...ops, sum } }, /: y:/);
});

Deno.test("values and gradients that are not finite", async () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    for (const [output, message] of [["y", /: y:/], ["d_x", /gradient of x/]] as const) {
      await sees(TANH, tamper(output, (data) => void (data[data.length - 1] = value)), message);
    }
  }
  // The device's own, and a reference that agrees with them.
  const log = <T>(o: Algebra<T>, x: T) => o.log(o.sub(x, 10));
  const planted = {
    gpu: { ...ops, tanh: (x: Tensor) => log<Tensor>(ops, x) },
    reference: { ...float64, tanh: (x: NdArray) => log<NdArray>(float64, x) },
  };
  await sees(TANH, planted, /: y:/);
});

Deno.test("assertClose", () => {
  doesNotThrow(() => assertClose([1, -2], [1.00001, -2.00001], { rtol: 1e-4 }));
  doesNotThrow(() => assertClose([0, 0], [0, -0], {}));
  const at = { what: "numbers", rtol: 1e-4 };
  throws(
    () => assertClose([1, 2, 3.01, 4], [1, 2.002, 3, 4], at),
    /numbers: 2 of 4 values differ, the worst at 2: got 3.01, expected 3, 33\.\d times/,
  );
  throws(() => assertClose([1], [1, 2], at), /numbers: got 1 values, expected 2/);
  throws(() => assertClose([1, NaN], [1, NaN], { atol: Infinity }), /the worst at 1: got NaN/);
  throws(() => assertClose([1, NaN], [1, 1], { atol: Infinity }), /expected 1/);
  throws(() => assertClose([Infinity], [Infinity], at), /got Infinity/);
  throws(() => assertClose([Infinity], [1], at), /got Infinity, expected 1/);
  throws(() => assertClose([Infinity], [1], { atol: Infinity }), /got Infinity, expected 1/);
  throws(() => assertClose([1], [-Infinity], { rtol: 1 }), /expected -Infinity/);
  throws(() => assertClose([5e-324], [0], {}), /expected 0/);
});

Deno.test("relativeError", () => {
  const error = relativeError([3, 4.005], [3, 4]);
  assertClose([error], [0.001], { rtol: 1e-9 });
  const infinite = [[[NaN], [1]], [[1], [NaN]], [[Infinity], [1]], [[Infinity], [Infinity]]];
  for (const [a, b] of [...infinite, [[1], [0]], [[1], [1, 1]]]) {
    assertClose([1 / relativeError(a, b)], [0], { what: `${a} and ${b}` });
  }
});
