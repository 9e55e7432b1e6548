/** Layer by layer, and both models whole, against tfjs at the real shapes of the network. */

import assert from "node:assert/strict";
import { Discriminator, Generator, Gpu, grad, layers, ops, Sequential } from "../../mod.ts";
import type { LayerFactory, Tensor, TensorLike } from "../../mod.ts";
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

/**
 * Of the norm of a difference, relative to the norm itself. Both sides compute in float32 and add up in
 * other orders, so results differ by about 1e-7 times the root of the number of terms.
 */
const TOLERANCE = 1e-5;
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function near(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const error = relativeError(actual, expected);
  assert(error < TOLERANCE, `${what} differs from tfjs by ${error.toExponential(2)} of its norm`);
}

const cotangent = (dy: Tensor, y: Tensor, targets: readonly TensorLike[]) =>
  grad(ops.sum(ops.mul(y, dy)), targets);

/** Two models with the same weights, and an input for both. */
async function prepare(ours: Sequential, theirs: TfSequential, batch: number) {
  const random = new TestRandom(ours.name);
  disturb(ours.variables, random);
  await copyWeights(ours.variables, theirs);
  const inputShape = [batch, ...ours.inputShape];
  return { random, inputShape, x: Float32Array.from(random.fill(size(inputShape))) };
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

/**
 * The output, the gradients of the input and of every weight, and the moving statistics after a
 * training call; then the output of an inference call.
 */
async function compare(gpu: Gpu, ours: Sequential, theirs: TfSequential, batch: number) {
  const { random, inputShape, x } = await prepare(ours, theirs, batch);
  const outputShape = [batch, ...ours.outputShape];
  const dy = Float32Array.from(random.fill(size(outputShape)));

  using program = gpu.compile({ x: inputShape, dy: outputShape }, ({ x, dy }) => {
    const y = ours.call(x, { training: true });
    const gradients = cotangent(dy, y, [x, ...ours.trainableVariables]);
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
  await compareInference(gpu, ours, theirs, batch);
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
    const oracle = sequential({ layers: [tfLayers.inputLayer({ inputShape }), theirs] });
    await compare(gpu, model, oracle, batch);
  });
}

const { sigmoidCrossEntropy, softmaxCrossEntropy } = tf.losses;
for (
  const [name, ofOurs, ofTheirs, outputShape] of [
    ["sigmoid", ops.sigmoidCrossEntropyWithLogits, sigmoidCrossEntropy, [37, 11]],
    ["softmax", ops.softmaxCrossEntropyWithLogits, softmaxCrossEntropy, [37]],
  ] as const
) {
  Deno.test(`tfjs agrees on the ${name} cross-entropy`, async () => {
    using gpu = await Gpu.request();
    const random = new TestRandom("cross-entropies");
    const shape: [number, number] = [37, 11];
    const x = Float32Array.from(random.fill(size(shape), (r) => 8 * r.normal()));
    // tfjs' gradient of softmax holds for labels that sum to one only.
    const rows = Array.from({ length: 37 }, () => random.fill(11, (r) => r.uniform()));
    const labels = rows.flatMap((row) => [...row.map((v) => v / row.reduce((a, b) => a + b))]);
    const dy = Float32Array.from(random.fill(size(outputShape)));

    using program = gpu.compile({ x: shape, labels: shape, dy: outputShape }, (inputs) => {
      const y = ofOurs(inputs.x, inputs.labels);
      return { y, dx: cotangent(inputs.dy, y, [inputs.x])[0] };
    });
    program.run({ x, labels, dy });
    const { y, dx } = await program.read();

    const t = tf.tensor2d(labels, shape);
    const theirs = (x: tf.Tensor) => ofTheirs(t, x, undefined, 0, tf.Reduction.NONE);
    const logits = tf.tensor2d(x, shape);
    near("its value", y, await theirs(logits).data());
    near("its gradient", dx, await tf.grad(theirs)(logits, tf.tensor(dy, [...outputShape])).data());
  });
}

Deno.test("tfjs agrees on the whole generator, narrow", async () => {
  using gpu = await Gpu.request();
  const sizes = { noiseDim: 13, widths: [12, 10, 6] as const, channels: 3 };
  await compare(gpu, new Generator(gpu, { ...sizes, seed: 2 }), tutorialGenerator(sizes), 8);
});

Deno.test("tfjs agrees on the whole discriminator, narrow", async () => {
  using gpu = await Gpu.request();
  const ours = new Discriminator(gpu, { widths: [10, 14], channels: 3, dropout: 0, seed: 2 });
  await compare(gpu, ours, tutorialDiscriminator({ widths: [10, 14], channels: 3 }), 4);
});

Deno.test("tfjs agrees on deeper networks, the generator without normalization", async () => {
  using gpu = await Gpu.request();
  const image = { channels: 3, height: 16, width: 24 };
  const sizes = { ...image, noiseDim: 9, widths: [8, 7, 6, 5], normalization: "none" } as const;
  await compare(gpu, new Generator(gpu, { ...sizes, seed: 2 }), tutorialGenerator(sizes), 4);
  const critic = { ...image, widths: [5, 6, 7], dropout: 0 };
  const ours = new Discriminator(gpu, { ...critic, initializer: "heUniform", seed: 2 });
  await compare(gpu, ours, tutorialDiscriminator(critic), 4);
});

Deno.test("tfjs agrees on the inference of both models at full size", async () => {
  using gpu = await Gpu.request();
  await compareInference(gpu, new Generator(gpu, { seed: 3 }), tutorialGenerator(), 2);
  await compareInference(gpu, new Discriminator(gpu, { seed: 3 }), tutorialDiscriminator(), 4);
});
