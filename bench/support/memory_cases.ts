/**
 * Elementwise chains, copies, reductions and batch normalization at shapes of a training step.
 *
 * @module
 */

import { grad, ops, type Shape } from "../../mod.ts";
import * as reference from "../../tests/support/reference.ts";
import { type KernelCase, type Op, opCase } from "./kernel_case.ts";

/** A chain of elementwise ops. Of large tensors, a few places along the first axis are checked. */
function chain<N extends string>(
  name: string,
  inputs: Readonly<Record<N, Shape>>,
  op: Op<NoInfer<N>>,
  low?: number,
): KernelCase {
  const [y] = Object.values<Shape>(inputs);
  const places = y.length > 2 || y[1] > 1 ? [0] : [];
  const sample = Object.fromEntries(
    Object.entries<Shape>({ ...inputs, y })
      .map(([id, shape]) => [id, shape.length === y.length ? places : []]),
  );
  const kernel = /^elementwise/;
  return opCase({ name: `${name}, ${y.join("x")}`, kernel, inputs, y, sample, op, low });
}

function elementwiseCases(batch: number): KernelCase[] {
  const x = [batch, 14, 14, 64];
  const [dense, units] = [[batch, 12544], [12544]];
  const statistics = { gamma: units, beta: units, mean: units, variance: units };
  const logits = [batch, 1];
  return [
    chain("bias and leakyRelu", { x, bias: [64] }, (f, { x, bias }) => f.leakyRelu(f.add(x, bias))),
    chain("batchNormInference and leakyRelu", { x: dense, ...statistics }, (f, tensors) => {
      const { x, gamma, beta, mean, variance } = tensors;
      return f.leakyRelu(f.batchNormInference(x, gamma, beta, mean, variance));
    }, 0.1),
    chain(
      "gradient of leakyRelu and dropout",
      { dy: x, x, mask: x },
      (f, { dy, x, mask }) => f.mul(f.mul(dy, mask), f.step(x, 0.3)),
    ),
    chain("tanh", { x: [batch, 28, 28, 1] }, (f, { x }) => f.tanh(x)),
    chain(
      "sigmoidCrossEntropyWithLogits",
      { x: logits, labels: logits },
      (f, { x, labels }) => f.sigmoidCrossEntropyWithLogits(x, labels),
      0,
    ),
  ];
}

function copyAndReduceCases(batch: number): KernelCase[] {
  const hidden = [batch, 14, 14, 64];
  const one = (
    name: string,
    kernel: RegExp,
    [x, y]: readonly [Shape, Shape],
    sample: { x?: number[]; y?: number[] },
    op: Op<"x">,
  ) => opCase({ name, kernel, inputs: { x }, y, sample, op });
  return [
    one(
      `transpose, ${batch}x784`,
      /^copy/,
      [[batch, 784], [784, batch]],
      { x: [0], y: [1] },
      (f, { x }) => f.transpose(x),
    ),
    one(
      `pad to 32x32, ${batch}x28x28x1`,
      /^copy/,
      [[batch, 28, 28, 1], [batch, 32, 32, 1]],
      { x: [0], y: [0] },
      (f, { x }) => f.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]),
    ),
    one(
      `sum over all but channels, ${hidden.join("x")}`,
      /^reduce/,
      [hidden, [64]],
      { x: [3], y: [0] },
      (f, { x }) => f.sum(x, [0, 1, 2]),
    ),
    one(`mean, ${batch}x1`, /^reduce/, [[batch, 1], []], {}, (f, { x }) => f.mean(x)),
  ];
}

/** Statistics of batch normalization, and the sums of its gradient. */
function batchNormCases(shape: readonly number[]): KernelCase[] {
  const channels = shape.length - 1;
  const size = shape[channels];
  const rows = shape.slice(0, -1).map((_, axis) => axis);
  const inputs = { x: shape, gamma: [size], beta: [size] };
  const sample = { x: [channels], gamma: [0], beta: [0], y: [0] };
  return [
    opCase({
      name: `batchNorm statistics, ${shape.join("x")}`,
      kernel: /^batch_norm/,
      inputs,
      y: [size],
      sample,
      op: (f, { x, gamma, beta }) => {
        const { mean, variance } = f.batchNorm(x, gamma, beta);
        return f.add(mean, variance);
      },
    }),
    opCase({
      name: `batchNorm gradient sums, ${shape.join("x")}`,
      kernel: /gradient/,
      inputs: { ...inputs, dy: shape },
      y: [size],
      sample: { ...sample, dy: [channels] },
      op: {
        record({ x, gamma, beta, dy }) {
          const { y } = ops.batchNorm(x, gamma, beta);
          const [dGamma, dBeta] = grad(ops.sum(ops.mul(y, dy)), [gamma, beta]);
          return ops.add(dGamma, dBeta);
        },
        // dbeta = sum of dy, dgamma = sum of dy * xhat
        expected({ x, dy }) {
          const count = x.shape[channels];
          const one = reference.constant(1, [count]);
          const { y: xhat } = reference.batchNorm(x, one, reference.constant(0, [count]));
          return reference.sum(reference.mul(dy, reference.add(xhat, 1)), rows);
        },
      },
    }),
  ];
}

/** All of them. */
export function memoryCases(batch: number): KernelCase[] {
  return [
    ...elementwiseCases(batch),
    ...copyAndReduceCases(batch),
    ...batchNormCases([batch, 14, 14, 64]),
    ...batchNormCases([batch, 12544]),
  ];
}
