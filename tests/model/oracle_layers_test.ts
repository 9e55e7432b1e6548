/**
 * Layer by layer, and both models whole, against tfjs at the real shapes of the network.
 *
 * Both sides compute in float32 and add up in other orders, so results differ by about 1e-7 times
 * the root of the number of terms: norms of differences stay below 1e-5 of the norms themselves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Discriminator, Generator, Gpu, grad, layers, ops, Sequential } from "../../mod.ts";
import type { LayerFactory, Tensor } from "../../mod.ts";
import { relativeError } from "../support/close.ts";
import { TestRandom } from "../support/random.ts";
import {
  copyWeights,
  disturb,
  layers as tfLayers,
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

/** Two models with the same weights, and an input for both. */
async function prepare(ours: Sequential, theirs: TfSequential, batch: number) {
  const random = new TestRandom(ours.name);
  disturb(ours.variables, random);
  await copyWeights(ours.variables, theirs);
  const inputShape = [batch, ...ours.inputShape];
  return { random, inputShape, x: Float32Array.from(random.fill(size(inputShape))) };
}

/** Output, gradients of the input and of every weight, and moving statistics after a training call. */
async function compareTraining(gpu: Gpu, ours: Sequential, theirs: TfSequential, batch: number) {
  const { random, inputShape, x } = await prepare(ours, theirs, batch);
  const outputShape = [batch, ...ours.outputShape];
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
  const { inputShape, x } = await prepare(ours, theirs, batch);
  using program = gpu.compile(
    { x: inputShape },
    ({ x }) => ({ y: ours.call(x, { training: false }) }),
  );
  program.run({ x });
  const { y } = await program.read();
  const expected = theirs.apply(tf.tensor(x, inputShape)) as tf.Tensor;
  near(`${ours.name} in inference`, y, await expected.data());
  tf.disposeVariables();
}

const KERNEL = { kernelInitializer: "zeros" } as const; // their weights are copied from ours
const NO_BIAS = { useBias: false } as const;
const HALF = { kernelSize: 5, strides: 2, padding: "same" } as const;
const DOUBLE = { ...HALF, ...NO_BIAS };
const KEEP = { ...DOUBLE, strides: 1 } as const;
const VALID = { kernelSize: [3, 2] as [number, number], strides: [1, 2] as [number, number] };
const RELU = { ...VALID, activation: "relu" } as const;
const SIGMOID = { ...VALID, activation: "sigmoid" } as const;
const TANH = { activation: "tanh" } as const;
const SETTINGS = { momentum: 0.8, epsilon: 0.1 };

/** A layer in both libraries. */
type Pair = readonly [ours: LayerFactory, theirs: TfSequential["layers"][number]];

const dense = (units: number, options: layers.DenseOptions): Pair => [
  layers.dense(units, options),
  tfLayers.dense({ units, ...options, ...KERNEL }),
];
interface ConvOptions extends layers.ConvLayerOptions {
  readonly kernelSize: number | [number, number];
  readonly strides?: number | [number, number];
}
const conv = (filters: number, options: ConvOptions): Pair => [
  layers.conv2D(filters, options),
  tfLayers.conv2d({ filters, ...options }),
];
const transposed = (filters: number, options: ConvOptions): Pair => [
  layers.conv2DTranspose(filters, options),
  tfLayers.conv2dTranspose({ filters, ...options }),
];
const norm = (options = {}): Pair => [
  layers.batchNormalization(options),
  tfLayers.batchNormalization(options),
];

/** Layers at their places in the networks, then what the tutorial's networks do not use. */
const CASES: readonly [name: string, inputShape: number[], batch: number, pair: Pair][] = [
  ["dense 100", [100], 4, dense(12544, NO_BIAS)],
  ["dense 6272", [6272], 4, dense(1, {})],
  ["conv 1 to 64", [28, 28, 1], 2, conv(64, HALF)],
  ["conv 64 to 128", [14, 14, 64], 2, conv(128, HALF)],
  ["transposed conv 256 to 128", [7, 7, 256], 2, transposed(128, KEEP)],
  ["transposed conv 128 to 64", [7, 7, 128], 2, transposed(64, DOUBLE)],
  ["transposed conv 64 to 1", [14, 14, 64], 2, transposed(1, DOUBLE)],
  ["batch norm 12544", [12544], 4, norm()],
  ["batch norm 7, 7, 128", [7, 7, 128], 4, norm()],
  ["batch norm 14, 14, 64", [14, 14, 64], 4, norm()],
  ["leaky relu", [14, 14, 64], 4, [layers.leakyReLU(), tfLayers.leakyReLU({ alpha: 0.3 })]],
  ["batch norm with other settings", [5, 4, 3], 4, norm(SETTINGS)],
  ["conv, valid, relu", [6, 5, 3], 2, conv(4, RELU)],
  ["transposed conv, valid, sigmoid", [6, 5, 3], 2, transposed(4, SIGMOID)],
  ["dense, tanh", [6], 3, dense(5, TANH)],
  ["relu", [6, 5, 3], 2, [layers.relu(), tfLayers.reLU({})]],
  ["activation", [7], 2, [layers.activation("tanh"), tfLayers.activation(TANH)]],
  ["reshape", [6], 2, [layers.reshape([3, 2]), tfLayers.reshape({ targetShape: [3, 2] })]],
  ["flatten", [2, 3, 4], 2, [layers.flatten(), tfLayers.flatten()]],
];

for (const [name, inputShape, batch, [ours, theirs]] of CASES) {
  Deno.test(`tfjs agrees on ${name}`, async () => {
    using gpu = await Gpu.request();
    const model = new Sequential(gpu, inputShape, [ours], { name, seed: 1 });
    const oracle = sequential({
      layers: [tfLayers.inputLayer({ inputShape: [...inputShape] }), theirs],
    });
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
