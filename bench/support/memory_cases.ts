/**
 * Elementwise chains, copies, reductions and batch normalization at shapes of a training step.
 *
 * @module
 */

import { grad, ops } from "../../mod.ts";
import * as reference from "../../tests/support/reference.ts";
import { both, type KernelCase, opCase } from "./kernel_case.ts";

function elementwiseCases(batch: number): KernelCase[] {
  const kernel = /^elementwise/;
  const hidden = [batch, 14, 14, 64];
  const dense = [batch, 12544];
  const [images, logits] = [[batch, 28, 28, 1], [batch, 1]];
  return [
    opCase({
      name: `bias and leakyRelu, ${hidden.join("x")}`,
      kernel,
      inputs: { x: hidden, bias: [64] },
      y: hidden,
      sample: { x: [0], y: [0] },
      ...both<"x" | "bias">((f, { x, bias }) => f.leakyRelu(f.add(x, bias))),
    }),
    opCase({
      name: `batchNormInference and leakyRelu, ${dense.join("x")}`,
      kernel,
      inputs: { x: dense, gamma: [12544], beta: [12544], mean: [12544], variance: [12544] },
      y: dense,
      low: 0.1,
      sample: { x: [0], y: [0] },
      ...both<"x" | "gamma" | "beta" | "mean" | "variance">((
        f,
        { x, gamma, beta, mean, variance },
      ) => f.leakyRelu(f.batchNormInference(x, gamma, beta, mean, variance))),
    }),
    opCase({
      name: `gradient of leakyRelu and dropout, ${hidden.join("x")}`,
      kernel,
      inputs: { dy: hidden, x: hidden, mask: hidden },
      y: hidden,
      sample: { dy: [0], x: [0], mask: [0], y: [0] },
      ...both<"dy" | "x" | "mask">((f, { dy, x, mask }) => f.mul(f.mul(dy, mask), f.step(x, 0.3))),
    }),
    opCase({
      name: `tanh, ${images.join("x")}`,
      kernel,
      inputs: { x: images },
      y: images,
      sample: { x: [0], y: [0] },
      ...both<"x">((f, { x }) => f.tanh(x)),
    }),
    opCase({
      name: `sigmoidCrossEntropyWithLogits, ${logits.join("x")}`,
      kernel,
      inputs: { x: logits, labels: logits },
      y: logits,
      low: 0,
      sample: {},
      ...both<"x" | "labels">((f, { x, labels }) => f.sigmoidCrossEntropyWithLogits(x, labels)),
    }),
  ];
}

function copyAndReduceCases(batch: number): KernelCase[] {
  const hidden = [batch, 14, 14, 64];
  return [
    opCase({
      name: `transpose, ${batch}x784`,
      kernel: /^copy/,
      inputs: { x: [batch, 784] },
      y: [784, batch],
      sample: { x: [0], y: [1] },
      ...both<"x">((f, { x }) => f.transpose(x)),
    }),
    opCase({
      name: `pad to 32x32, ${batch}x28x28x1`,
      kernel: /^copy/,
      inputs: { x: [batch, 28, 28, 1] },
      y: [batch, 32, 32, 1],
      sample: { x: [0], y: [0] },
      ...both<"x">((f, { x }) => f.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]])),
    }),
    opCase({
      name: `sum over all but channels, ${hidden.join("x")}`,
      kernel: /^reduce/,
      inputs: { x: hidden },
      y: [64],
      sample: { x: [3], y: [0] },
      ...both<"x">((f, { x }) => f.sum(x, [0, 1, 2])),
    }),
    opCase({
      name: `mean, ${batch}x1`,
      kernel: /^reduce/,
      inputs: { x: [batch, 1] },
      y: [],
      sample: {},
      ...both<"x">((f, { x }) => f.mean(x)),
    }),
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
      ...both<"x" | "gamma" | "beta">((f, { x, gamma, beta }) => {
        const { mean, variance } = f.batchNorm(x, gamma, beta);
        return f.add(mean, variance);
      }),
    }),
    opCase({
      name: `batchNorm gradient sums, ${shape.join("x")}`,
      kernel: /gradient/,
      inputs: { ...inputs, dy: shape },
      y: [size],
      sample: { ...sample, dy: [channels] },
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
