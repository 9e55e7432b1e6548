/**
 * Layer by layer, and both models whole, against tfjs at the real shapes of the network.
 *
 * Both sides compute in float32 and add up in other orders, so results differ by about 1e-7 times
 * the root of the number of terms: norms of differences stay below 1e-5 of the norms themselves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Discriminator, Generator, Gpu, grad, ops } from "../../mod.ts";
import type { Tensor } from "../../mod.ts";
import {
  batchNormalization,
  conv2D,
  conv2DTranspose,
  dense,
  type LayerFactory,
  leakyReLU,
} from "../../src/model/layers.ts";
import { Sequential } from "../../src/model/sequential.ts";
import { relativeError } from "../support/close.ts";
import { TestRandom } from "../support/random.ts";
import {
  copyWeights,
  disturb,
  layers,
  type Sequential as TfSequential,
  sequential,
  tf,
  tutorialDiscriminator,
  tutorialGenerator,
  weightsOf,
} from "../support/tfjs.ts";

const TOLERANCE = 1e-5;
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function near(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const error = relativeError(actual, expected);
  assert(error < TOLERANCE, `${what} differs from tfjs by ${error.toExponential(2)} of its norm`);
}

/** Output, gradients of the input and of every weight, and moving statistics after a training call. */
async function compareTraining(gpu: Gpu, ours: Sequential, theirs: TfSequential, batch: number) {
  const random = new TestRandom(ours.name);
  disturb(ours.variables, random);
  await copyWeights(ours.variables, theirs);
  const inputShape = [batch, ...ours.inputShape];
  const outputShape = [batch, ...ours.outputShape];
  const x = Float32Array.from(random.fill(size(inputShape)));
  const dy = Float32Array.from(random.fill(size(outputShape)));

  using program = gpu.compile({ x: inputShape, dy: outputShape }, ({ x, dy }) => {
    const y = ours.call(x, { training: true });
    const targets = [x, ...ours.trainableVariables];
    const gradients = grad(ops.sum(ops.mul(y, dy)), targets);
    return { y, ...Object.fromEntries(gradients.map((g, i) => [`gradient ${i}`, g])) };
  });
  program.run({ x, dy });
  const { y, ...gradients } = await program.read() as Record<string, Float32Array>;

  const input = tf.variable(tf.tensor(x, inputShape));
  const weights = weightsOf(theirs);
  const targets = [input, ...weights.filter((_, i) => ours.variables[i].trainable)];
  let output = tf.tensor(0);
  const { grads } = tf.variableGrads(() => {
    output = tf.keep(theirs.apply(input, { training: true }) as tf.Tensor);
    return tf.sum(tf.mul(output, tf.tensor(dy, outputShape))) as tf.Scalar;
  }, targets);

  near(`${ours.name}: y`, y, await output.data());
  const names = ["x", ...ours.trainableVariables.map((v) => v.name)];
  for (const [i, name] of names.entries()) {
    const expected = await grads[targets[i].name].data();
    near(`${ours.name}: gradient of ${name}`, gradients[`gradient ${i}`], expected);
  }
  for (const [i, variable] of ours.variables.entries()) {
    near(`${ours.name}: ${variable.name} after`, await variable.read(), await weights[i].data());
  }
  tf.disposeVariables();
}

async function compareInference(gpu: Gpu, ours: Sequential, theirs: TfSequential, batch: number) {
  const random = new TestRandom(ours.name);
  disturb(ours.variables, random);
  await copyWeights(ours.variables, theirs);
  const inputShape = [batch, ...ours.inputShape];
  const x = Float32Array.from(random.fill(size(inputShape)));
  using program = gpu.compile(
    { x: inputShape },
    ({ x }) => ({ y: ours.call(x, { training: false }) }),
  );
  program.run({ x });
  const { y } = await program.read();
  near(
    `${ours.name} in inference`,
    y,
    await (theirs.apply(tf.tensor(x, inputShape)) as tf.Tensor).data(),
  );
  tf.disposeVariables();
}

/** A layer at its place in the network, in both libraries. */
interface Case {
  readonly name: string;
  readonly inputShape: number[];
  readonly batch: number;
  readonly ours: LayerFactory;
  readonly theirs: TfSequential["layers"][number];
}

function denseCase(inputs: number, units: number, useBias: boolean): Case {
  return {
    name: `dense ${inputs} to ${units}`,
    inputShape: [inputs],
    batch: 4,
    ours: dense(units, { useBias }),
    theirs: layers.dense({ inputShape: [inputs], units, useBias, kernelInitializer: "zeros" }),
  };
}

function convCase(inputShape: number[], filters: number): Case {
  const options = { kernelSize: 5, strides: 2 };
  return {
    name: `conv ${inputShape} to ${filters}`,
    inputShape,
    batch: 2,
    ours: conv2D(filters, options),
    theirs: layers.conv2d({ ...options, inputShape, filters, padding: "same" }),
  };
}

function transposedCase(inputShape: number[], filters: number, strides: number): Case {
  const options = { kernelSize: 5, strides, useBias: false };
  return {
    name: `transposed conv ${inputShape} to ${filters}`,
    inputShape,
    batch: 2,
    ours: conv2DTranspose(filters, options),
    theirs: layers.conv2dTranspose({ ...options, inputShape, filters, padding: "same" }),
  };
}

function batchNormCase(inputShape: number[]): Case {
  return {
    name: `batch norm ${inputShape}`,
    inputShape,
    batch: 4,
    ours: batchNormalization(),
    theirs: layers.batchNormalization({ inputShape }),
  };
}

const CASES: readonly Case[] = [
  denseCase(100, 12544, false),
  denseCase(6272, 1, true),
  convCase([28, 28, 1], 64),
  convCase([14, 14, 64], 128),
  transposedCase([7, 7, 256], 128, 1),
  transposedCase([7, 7, 128], 64, 2),
  transposedCase([14, 14, 64], 1, 2),
  batchNormCase([12544]),
  batchNormCase([7, 7, 128]),
  batchNormCase([14, 14, 64]),
  {
    name: "leaky relu",
    inputShape: [14, 14, 64],
    batch: 4,
    ours: leakyReLU(),
    theirs: layers.leakyReLU({ inputShape: [14, 14, 64], alpha: 0.3 }),
  },
];

for (const { name, inputShape, batch, ours, theirs } of CASES) {
  Deno.test(`tfjs agrees on ${name}`, async () => {
    using gpu = await Gpu.request();
    const model = new Sequential(gpu, name, inputShape, [ours], { seed: 1, stream: 0 });
    const oracle = sequential({ layers: [theirs] });
    await compareTraining(gpu, model, oracle, batch);
    await compareInference(gpu, model, oracle, batch);
  });
}

const cotangent = (dy: Tensor, y: Tensor, targets: Tensor[]) =>
  grad(ops.sum(ops.mul(y, dy)), targets);

Deno.test("tfjs agrees on both cross-entropies", async () => {
  using gpu = await Gpu.request();
  const random = new TestRandom("cross-entropies");
  const [rows, classes] = [37, 11];
  const shape: [number, number] = [rows, classes];
  const logits = Float32Array.from(random.fill(rows * classes, (r) => 8 * r.normal()));
  // tfjs' gradient of softmax holds for labels that sum to one only.
  const raw = random.fill(rows * classes, (r) => r.uniform());
  const total = (row: number) =>
    raw.subarray(row * classes, (row + 1) * classes).reduce((a, b) => a + b);
  const labels = Float32Array.from(raw, (v, i) => v / total(Math.floor(i / classes)));
  const dy = Float32Array.from(random.fill(rows * classes));
  const dyOfRows = dy.slice(0, rows);

  using program = gpu.compile(
    { logits: shape, labels: shape, dy: shape, dyOfRows: [rows] },
    ({ logits, labels, dy, dyOfRows }) => {
      const sigmoid = ops.sigmoidCrossEntropyWithLogits(logits, labels);
      const softmax = ops.softmaxCrossEntropyWithLogits(logits, labels);
      const [ofSigmoid] = cotangent(dy, sigmoid, [logits]);
      const [ofSoftmax] = cotangent(dyOfRows, softmax, [logits]);
      return { sigmoid, softmax, ofSigmoid, ofSoftmax };
    },
  );
  program.run({ logits, labels, dy, dyOfRows });
  const ours = await program.read();

  const x = tf.tensor2d(logits, shape);
  const t = tf.tensor2d(labels, shape);
  const { NONE } = tf.Reduction;
  const sigmoid = (x: tf.Tensor) => tf.losses.sigmoidCrossEntropy(t, x, undefined, 0, NONE);
  const softmax = (x: tf.Tensor) => tf.losses.softmaxCrossEntropy(t, x, undefined, 0, NONE);
  near("sigmoid cross-entropy", ours.sigmoid, await sigmoid(x).data());
  near("softmax cross-entropy", ours.softmax, await softmax(x).data());
  const ofSigmoid = tf.grad(sigmoid)(x, tf.tensor2d(dy, shape));
  const ofSoftmax = tf.grad(softmax)(x, tf.tensor1d(dyOfRows));
  near("gradient of sigmoid cross-entropy", ours.ofSigmoid, await ofSigmoid.data());
  near("gradient of softmax cross-entropy", ours.ofSoftmax, await ofSoftmax.data());
});

Deno.test("tfjs agrees on the whole generator, narrow", async () => {
  using gpu = await Gpu.request();
  const widths: [number, number, number] = [12, 10, 6];
  const ours = new Generator(gpu, { noiseDim: 13, widths, channels: 3, seed: 2 });
  const theirs = tutorialGenerator({ noiseDim: 13, widths, channels: 3 });
  await compareTraining(gpu, ours, theirs, 8);
  await compareInference(gpu, ours, theirs, 8);
});

Deno.test("tfjs agrees on the whole discriminator, narrow", async () => {
  using gpu = await Gpu.request();
  const widths: [number, number] = [10, 14];
  const ours = new Discriminator(gpu, { widths, channels: 3, dropout: 0, seed: 2 });
  const theirs = tutorialDiscriminator({ widths, channels: 3 });
  await compareTraining(gpu, ours, theirs, 4);
  await compareInference(gpu, ours, theirs, 4);
});

Deno.test("tfjs agrees on the inference of both models at full size", async () => {
  using gpu = await Gpu.request();
  await compareInference(gpu, new Generator(gpu, { seed: 3 }), tutorialGenerator(), 2);
  await compareInference(gpu, new Discriminator(gpu, { seed: 3 }), tutorialDiscriminator(), 4);
});
