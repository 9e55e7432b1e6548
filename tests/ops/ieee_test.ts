/**
 * NaN, infinities and zeros: elementwise ops give what IEEE 754 says of them, alone and fused, and
 * none is lost to what a shader compiler knows about numbers.
 */

import { deepStrictEqual as equal } from "node:assert/strict";
import { grad, ops, type Tensor } from "../../mod.ts";
import { assertClose } from "../support/close.ts";
import { compute, gpu, run } from "../support/compute.ts";

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const X = [nan, inf, -inf, 0, 1, -2, 3];
const Y = [1, 2, 3, 0, nan, -6, inf];

/** What is expected of each element of X (and Y), and how it is recorded. */
type Row = readonly [(x: number, y: number) => number, (x: Tensor, y: Tensor) => Tensor];

const constant = ops.constant;
const ROWS: Record<string, Row> = {
  "relu": [(x) => Math.max(x, 0), ops.relu],
  "relu in a chain": [(x) => Math.max(2 * x + 1, 0), (x) => ops.relu(ops.add(ops.mul(x, 2), 1))],
  "relu twice": [(x) => Math.max(x, 0), (x) => ops.relu(ops.relu(x))],
  "leakyRelu": [(x) => x > 0 ? x : Math.fround(0.5) * x, (x) => ops.leakyRelu(x, 0.5)],
  "leakyRelu of slope 0": [(x) => Math.max(x, 0), (x) => ops.leakyRelu(x, 0)],
  "maximum with 0": [(x) => Math.max(x, 0), (x) => ops.maximum(x, 0)],
  "maximum": [(x, y) => Math.max(x, y), (x, y) => ops.maximum(ops.mul(x, 1), y)],
  "minimum": [(x, y) => Math.min(x, y), ops.minimum],
  "maximum of a minimum": [
    (x) => Math.max(Math.min(x, 2), -1),
    (x) => ops.maximum(ops.minimum(x, 2), -1),
  ],
  "sign": [Math.sign, ops.sign],
  "sqrt": [Math.sqrt, ops.sqrt],
  "tanh": [(x) => isFinite(x) ? 0 : Math.tanh(x), (x) => ops.tanh(unbounded(x))],
  "sigmoid": [(x) => isFinite(x) ? 0.5 : 1 / (1 + Math.exp(-x)), (x) => ops.sigmoid(unbounded(x))],
  "x - x": [(x) => x - x, (x) => ops.sub(x, x)],
  "x + -x": [(x) => x - x, (x) => ops.add(x, ops.neg(x))],
  "(x + y) - x": [(x, y) => x + y - x, (x, y) => ops.sub(ops.add(x, y), x)],
  "x * 0": [(x) => x * 0, (x) => ops.mul(x, 0)],
  "x * constant 0": [(x) => x * 0, (x) => ops.mul(x, constant(0, [7]))],
  "x * (y - y)": [(x, y) => x * (y - y), (x, y) => ops.mul(x, ops.sub(y, y))],
  "x * 0 * y": [(x, y) => x * 0 * y, (x, y) => ops.mul(ops.mul(x, 0), y)],
  "x * step": [(x, y) => x * (y > 0 ? 1 : 0), (x, y) => ops.mul(x, ops.step(y))],
  "x / x": [(x) => x / x, (x) => ops.div(x, x)],
  "x / constant 0": [(x) => x / 0, (x) => ops.div(x, constant(0))],
  "x / constant 0 of x's shape": [(x) => x / 0, (x) => ops.div(x, constant(0, [7]))],
  "x / an array of zeros": [(x) => x / 0, (x) => ops.div(x, constant(new Float32Array(7)))],
  "x / (y - y)": [(x, y) => x / (y - y), (x, y) => ops.div(x, ops.sub(y, y))],
  "x / (1 - 1)": [(x) => x / 0, (x) => ops.div(x, ops.sub(constant(1), 1))],
  "1 / |x * 0|": [(x) => 1 / Math.abs(x * 0), (x) => ops.div(1, ops.abs(ops.mul(x, 0)))],
  "exp(log(x))": [(x) => Math.sign(Math.exp(Math.log(x))), (x) => ops.sign(ops.exp(ops.log(x)))],
  "sqrt(x) * sqrt(x)": [
    (x) => Math.sign(Math.sqrt(x) ** 2),
    (x) => ops.sign(ops.mul(ops.sqrt(x), ops.sqrt(x))),
  ],
  "where": [(x, y) => x !== 0 ? y : 7, (x, y) => ops.where(x, y, 7)],
};

/** x where it is infinite or NaN, else 0. */
function unbounded(x: Tensor): Tensor {
  return ops.where(ops.log(ops.exp(ops.sub(x, x))), x, 0);
}

/** 0 and -0 are the same here. */
const unsigned = (values: readonly number[]) => values.map((v) => v + 0);

for (const [name, [expected, record]] of Object.entries(ROWS)) {
  Deno.test(`IEEE: ${name}`, async () => {
    const { z } = await compute({ x: X, y: Y }, ({ x, y }) => ({ z: record(x, y) }));
    equal(unsigned(z), unsigned(X.map((x, i) => Math.fround(expected(x, Y[i])))));
  });
}

Deno.test("IEEE: max is NaN where one element is, in both forms of the kernel", async () => {
  for (const channels of [1, 3, 4]) {
    using program = gpu.compile({ x: [700, channels] }, ({ x }) => ({ y: ops.max(x, 0) }));
    for (const at of [0, 1, 350, 699]) {
      const x = new Float32Array(700 * channels).fill(-1);
      x[at * channels] = nan;
      equal(await run(program, { x }), { y: [nan, -1, -1, -1].slice(0, channels) });
    }
  }
});

Deno.test("IEEE: cross-entropy of infinite logits has its limit, and so has its gradient", async () => {
  const given = { x: [inf, inf, -inf, -inf, nan, 0], t: [1, 0, 1, 0, 1, nan] };
  const { loss, dx, dt, softplus } = await compute(given, ({ x, t }) => {
    const loss = ops.sigmoidCrossEntropyWithLogits(x, t);
    const [dx, dt] = grad(ops.sum(loss), [x, t]);
    return { loss, dx, dt, softplus: ops.softplus(x) };
  });
  equal(loss, [0, inf, inf, 0, nan, nan]);
  equal(unsigned(dx), [0, 1, -1, 0, nan, nan]);
  equal(unsigned(dt), [-inf, -inf, inf, inf, nan, 0]);
  equal(softplus, [inf, inf, 0, 0, nan, Math.fround(Math.log(2))]);
});

Deno.test("IEEE: equal elements share the gradients of max, maximum and minimum", async () => {
  const given = { x: [3, 1, 3, -inf, 3], y: [3, 2, 1, -inf, 6] };
  const got = await compute(given, ({ x, y }) => {
    const most = ops.max(x);
    const [first] = grad(ops.mul(most, most), [x]);
    const [second] = grad(ops.sum(ops.mul(first, constant([3, 2, 1, 0, 6]))), [x]);
    const pairs = [ops.maximum, ops.minimum].map((op) => grad(ops.sum(op(x, y)), [x, y]));
    const [[maxX, maxY], [minX, minY]] = pairs;
    return { first, second, maxX, maxY, minX, minY };
  });
  const expected = {
    first: [2, 0, 2, 0, 2], // 2 * 3 * 1/3
    second: [20 / 9, 0, 20 / 9, 0, 20 / 9], // 2 * (3 + 1 + 6) / 9
    maxX: [0.5, 0, 1, 0.5, 0],
    maxY: [0.5, 1, 0, 0.5, 1],
    minX: [0.5, 1, 0, 0.5, 1],
    minY: [0.5, 0, 1, 0.5, 0],
  };
  const values = Object.values(expected).flat();
  assertClose(Object.values(got).flat(), values, { atol: 5e-6 });
});

Deno.test("IEEE: what where does not choose has no part in gradients", async () => {
  const gradient = await compute({ x: [-1, 0, 4] }, ({ x }) => {
    const safe = ops.where(ops.step(x), ops.log(ops.where(ops.step(x), x, 1)), 0);
    return { dx: grad(ops.sum(safe), [x])[0] };
  });
  equal(gradient, { dx: [0, 0, 0.25] });
});
