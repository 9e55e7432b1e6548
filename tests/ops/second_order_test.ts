/**
 * Gradients of gradients. With L = sum(c * y), g = dL/da and M = sum(d * g), the gradient of M with
 * respect to each input is compared with mixed second differences of L in float64.
 */

import { Gpu } from "../../src/graph/gpu.ts";
import { grad } from "../../src/ops/grad.ts";
import * as ops from "../../src/ops/mod.ts";
import { assertClose } from "../support/close.ts";
import { row } from "./cases.ts";
import {
  direction,
  dot,
  draw,
  drawCotangents,
  evaluate,
  lossOf,
  moved,
  type OpCase,
  recordable,
} from "../support/gradcheck.ts";
import { TestRandom } from "../support/random.ts";
import type { NdArray } from "../support/reference.ts";

const gpu = await Gpu.request();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Small enough for the truncation (its square), large enough for the rounding (2^-52 over it). */
const STEP = 1e-3;

/** The differences' truncation and float32's rounding; a tenth of what has to be seen. */
const TOLERANCE = 1e-4;

type Inputs = Record<string, NdArray>;

/** d/ds d/dt of f at inputs[first] + s * u, then inputs[second] + t * v. */
function mixed(
  f: (inputs: Inputs) => number,
  inputs: Inputs,
  [first, u]: [string, Float64Array],
  [second, v]: [string, Float64Array],
): number {
  const at = (s: number, t: number) => {
    const once = { ...inputs, [first]: moved(inputs[first], u, s * STEP) };
    return f({ ...once, [second]: moved(once[second], v, t * STEP) });
  };
  return (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * STEP ** 2);
}

async function checkSecond(op: OpCase): Promise<void> {
  const random = new TestRandom(op.name);
  const inputs = draw(op, random);
  const cotangents = drawCotangents(evaluate(op, inputs), random);
  const loss = (at: Inputs) => lossOf(evaluate(op, at), cotangents);
  const names = Object.keys(inputs);
  const data = Object.fromEntries(names.map((name) => [name, inputs[name].data]));
  const { inputs: specs, body } = recordable(op);

  for (const first of names) {
    const along = random.fill(inputs[first].data.length).map(Math.fround);
    const all: typeof specs = { ...specs, along: inputs[first].shape };
    using program = gpu.compile(all, (t) => {
      const g = body(t)[`d_${first}`];
      const second = grad(ops.sum(ops.mul(g, t.along)), names.map((name) => t[name]));
      return Object.fromEntries(second.map((h, i) => [names[i], h]));
    });
    program.run({ along, ...data, ...cotangents });
    const actual = await program.read();
    for (const second of names) {
      const d = direction(actual[second], random);
      const expected = mixed(loss, inputs, [first, along], [second, d]);
      const what = `${op.name}: d/d${second} of the gradient of ${first}`;
      assertClose([dot(actual[second], d)], [expected], { rtol: TOLERANCE, atol: 1e-4, what });
    }
  }
}

const positive = (r: TestRandom) => r.between(0.5, 2);
const away = (r: TestRandom) => (r.uniform() < 0.5 ? -1 : 1) * r.between(0.5, 2);
/** Elements whose differences are far from the steps taken. */
const far = (r: TestRandom) => r.below(40) / 10 - 2 + (r.below(2) ? 0.04 : 0);
const vector = (values?: (r: TestRandom) => number) => ({ x: { shape: [7], values } });

// Ops that are linear in each operand are checked behind a tanh too, so that every second
// derivative is something else than 0.
const CASES: readonly OpCase[] = [
  ...[false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => {
      const inputs = { a: transposeA ? [4, 3] : [3, 4], b: transposeB ? [5, 4] : [4, 5] };
      const name = `matmul ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`;
      return row(name, inputs, (o, { a, b }) => o.matmul(a, b, { transposeA, transposeB }));
    })
  ),
  row("tanh of matmul", { a: [3, 4], b: [4, 5] }, (o, { a, b }) => {
    return o.tanh(o.mul(o.matmul(a, b), 0.5));
  }),
  row("conv2d", { x: [2, 5, 4, 3], w: [3, 2, 3, 2] }, (o, { x, w }) => {
    return o.conv2d(x, w, { strides: [2, 1], padding: "same" });
  }),
  row("conv2d with something left over", { x: [2, 6, 5, 4], w: [3, 3, 4, 4] }, (o, { x, w }) => {
    return o.tanh(o.mul(o.conv2d(x, w, { strides: 2 }), 0.2));
  }),
  row("conv2dTranspose", { x: [2, 3, 2, 4], w: [4, 3, 4, 4] }, (o, { x, w }) => {
    return o.tanh(o.mul(o.conv2dTranspose(x, w, { strides: 2, padding: "same" }), 0.2));
  }),
  row("conv2dTranspose, valid", { x: [1, 3, 2, 2], w: [2, 3, 3, 2] }, (o, { x, w }) => {
    return o.conv2dTranspose(x, w, { strides: [3, 2] });
  }),
  row(
    "conv2dFilterGrad",
    { x: [2, 5, 4, 2], dy: [2, 3, 2, 3] },
    (o, { x, dy }) =>
      o.conv2dFilterGrad(x, dy, { kernelSize: [3, 2], strides: 2, padding: "same" }),
  ),
  row("tanh of conv2dFilterGrad", { x: [2, 5, 5, 4], dy: [2, 3, 3, 4] }, (o, { x, dy }) => {
    return o.tanh(o.mul(o.conv2dFilterGrad(x, dy, { kernelSize: 3 }), 0.2));
  }),
  row("batchNorm", { x: [6, 3], gamma: [3], beta: [3] }, (o, { x, gamma, beta }) => {
    return o.batchNorm(x, gamma, beta, { epsilon: 0.1 }).y;
  }),
  row(
    "batchNorm and its statistics",
    { x: [2, 3, 2, 4], gamma: [4], beta: [4] },
    (o, { x, gamma, beta }) => ({ ...o.batchNorm(x, gamma, beta, { epsilon: 0.1 }) }),
  ),
  row("tanh of batchNorm", { x: [7, 2], gamma: [2], beta: [2] }, (o, { x, gamma, beta }) => {
    return o.tanh(o.batchNorm(x, gamma, beta, { epsilon: 0.1 }).y);
  }),
  row(
    "batchNormInference",
    {
      ...{ x: [5, 3], gamma: [3], beta: [3], mean: [3] },
      variance: { shape: [3], values: positive },
    },
    (o, { x, gamma, beta, mean, variance }) =>
      o.batchNormInference(x, gamma, beta, mean, variance, { epsilon: 0.1 }),
  ),
  row("add and sub with broadcasting", { a: [3, 1], b: [4] }, (o, { a, b }) => {
    return o.tanh(o.sub(o.add(a, b), o.mul(b, 2)));
  }),
  row("mul with broadcasting", { a: [2, 3, 4], b: [3, 1] }, (o, { a, b }) => o.tanh(o.mul(a, b))),
  row(
    "div with broadcasting",
    { a: { shape: [3, 5] }, b: { shape: [5], values: away } },
    (o, { a, b }) => o.div(a, b),
  ),
  row("number / x", vector(away), (o, { x }) => o.div(3, x)),
  row("maximum and minimum with broadcasting", {
    a: { shape: [3, 4], values: far },
    b: { shape: [4], values: far },
  }, (o, { a, b }) => o.mul(o.tanh(o.maximum(a, b)), o.minimum(a, o.sub(0.1, b)))),
  row("where", { a: [3, 4], b: [4] }, (o, { a, b }) => {
    const chosen = o.where(o.constant([1, 0, 0, 1]), o.mul(a, b), o.exp(b));
    return o.mul(chosen, o.where(o.constant([1, 0, 1], [3, 1]), a, 2));
  }),
  row("max", { x: { shape: [2, 3], values: [1, 2, -3, 0.5, -0.5, -1] } }, (o, { x }) => {
    return o.mul(o.exp(o.max(x, 1, true)), o.mul(x, o.max(x)));
  }),
  row("slice with strides", { x: [5, 4] }, (o, { x }) => {
    return o.tanh(o.mul(o.slice(x, [0, 1], [-1, -1], [2, 2]), o.slice(x, [1, 0], [3, 2])));
  }),
  row("softplus", vector(), (o, { x }) => o.softplus(o.mul(x, 2))),
  row("cube of relu", vector(away), (o, { x }) => o.mul(o.relu(x), o.mul(x, x))),
  row("exp", vector(), (o, { x }) => o.exp(x)),
  row("log", vector(positive), (o, { x }) => o.log(x)),
  row("sqrt", vector(positive), (o, { x }) => o.sqrt(x)),
  row("tanh", vector(), (o, { x }) => o.tanh(x)),
  row("sigmoid", vector(), (o, { x }) => o.sigmoid(x)),
  row("square of abs", vector(away), (o, { x }) => o.mul(o.abs(x), x)),
  row("square of leakyRelu", vector(away), (o, { x }) => {
    return o.mul(o.leakyRelu(x), o.leakyRelu(o.neg(x), 0.1));
  }),
  row("sigmoidCrossEntropyWithLogits", {
    x: { shape: [3, 4] },
    t: { shape: [4], values: (r) => r.uniform() },
  }, (o, { x, t }) => o.sigmoidCrossEntropyWithLogits(x, t)),
  row("softmaxCrossEntropyWithLogits", {
    x: { shape: [3, 4] },
    t: { shape: [3, 4], values: (r) => r.uniform() },
  }, (o, { x, t }) => o.softmaxCrossEntropyWithLogits(x, t)),
  row("reductions and moves", { x: [2, 3, 4] }, (o, { x }) => {
    const joined = o.concat([o.transpose(x, [2, 0, 1]), o.reshape(x, [4, 2, 3])], 1);
    const cut = o.pad(o.slice(joined, [1, 0, 1], [2, 4, 2]), [[0, 0], [1, 0], [0, 1]]);
    return o.mul(o.tanh(o.mean(cut, 0)), o.sum(o.broadcastTo(cut, [2, 5, 3]), [0, 1], true));
  }),
  row("gather", { x: [4, 3], y: [3, 3] }, (o, { x, y }) => {
    return o.tanh(o.mul(o.gather(x, o.constant(2, [3])), y));
  }),
];

for (const op of CASES) Deno.test(`second order: ${op.name}`, () => checkSecond(op));
