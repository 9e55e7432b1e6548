/**
 * The two models: their sizes, names, initial weights, summaries and what they refuse.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Discriminator, Generator, Gpu, ops } from "../../mod.ts";
import type { DiscriminatorOptions, GeneratorOptions, Variable } from "../../mod.ts";
import { variableDigests } from "../support/digest.ts";
import { assertClose, rms } from "../support/close.ts";

const norm = (suffix: string, n: number) =>
  ["gamma", "beta", "moving_mean", "moving_variance"].map((weight) => [
    `batch_normalization${suffix}/${weight}`,
    [n],
    !weight.startsWith("moving"),
  ]);

const GENERATOR = [
  ["dense/kernel", [100, 12544], true],
  ...norm("", 12544),
  ["conv2d_transpose/kernel", [5, 5, 128, 256], true],
  ...norm("_1", 128),
  ["conv2d_transpose_1/kernel", [5, 5, 64, 128], true],
  ...norm("_2", 64),
  ["conv2d_transpose_2/kernel", [5, 5, 1, 64], true],
];

const DISCRIMINATOR = [
  ["conv2d/kernel", [5, 5, 1, 64], true],
  ["conv2d/bias", [64], true],
  ["conv2d_1/kernel", [5, 5, 64, 128], true],
  ["conv2d_1/bias", [128], true],
  ["dense/kernel", [6272, 1], true],
  ["dense/bias", [1], true],
];

// What Keras 2.15 prints for the tutorial's models, but for blanks at the ends of lines.
const GENERATOR_SUMMARY = `\
Model: "generator"
_________________________________________________________________
 Layer (type)                Output Shape              Param #
=================================================================
 dense (Dense)               (None, 12544)             1254400

 batch_normalization (Batch  (None, 12544)             50176
 Normalization)

 leaky_re_lu (LeakyReLU)     (None, 12544)             0

 reshape (Reshape)           (None, 7, 7, 256)         0

 conv2d_transpose (Conv2DTr  (None, 7, 7, 128)         819200
 anspose)

 batch_normalization_1 (Bat  (None, 7, 7, 128)         512
 chNormalization)

 leaky_re_lu_1 (LeakyReLU)   (None, 7, 7, 128)         0

 conv2d_transpose_1 (Conv2D  (None, 14, 14, 64)        204800
 Transpose)

 batch_normalization_2 (Bat  (None, 14, 14, 64)        256
 chNormalization)

 leaky_re_lu_2 (LeakyReLU)   (None, 14, 14, 64)        0

 conv2d_transpose_2 (Conv2D  (None, 28, 28, 1)         1600
 Transpose)

=================================================================
Total params: 2330944 (8.89 MB)
Trainable params: 2305472 (8.79 MB)
Non-trainable params: 25472 (99.50 KB)
_________________________________________________________________`;

const DISCRIMINATOR_SUMMARY = `\
Model: "discriminator"
_________________________________________________________________
 Layer (type)                Output Shape              Param #
=================================================================
 conv2d (Conv2D)             (None, 14, 14, 64)        1664

 leaky_re_lu (LeakyReLU)     (None, 14, 14, 64)        0

 dropout (Dropout)           (None, 14, 14, 64)        0

 conv2d_1 (Conv2D)           (None, 7, 7, 128)         204928

 leaky_re_lu_1 (LeakyReLU)   (None, 7, 7, 128)         0

 dropout_1 (Dropout)         (None, 7, 7, 128)         0

 flatten (Flatten)           (None, 6272)              0

 dense (Dense)               (None, 1)                 6273

=================================================================
Total params: 212865 (831.50 KB)
Trainable params: 212865 (831.50 KB)
Non-trainable params: 0 (0.00 Byte)
_________________________________________________________________`;

/** The sums of Keras' fans that Glorot's limit is made of. */
const FANS: Record<string, number> = {
  "generator dense/kernel": 100 + 12544,
  "generator conv2d_transpose/kernel": 25 * (256 + 128),
  "generator conv2d_transpose_1/kernel": 25 * (128 + 64),
  "generator conv2d_transpose_2/kernel": 25 * (64 + 1),
  "discriminator conv2d/kernel": 25 * (1 + 64),
  "discriminator conv2d_1/kernel": 25 * (64 + 128),
  "discriminator dense/kernel": 6272 + 1,
};

const describe = (variables: readonly Variable[]) =>
  variables.map(({ name, shape, trainable }) => [name, [...shape], trainable]);
const readAll = (variables: readonly Variable[]) => Promise.all(variables.map((v) => v.read()));

Deno.test("the models have the tutorial's weights, named and ordered as Keras does", async () => {
  using gpu = await Gpu.request();
  const generator = new Generator(gpu);
  const discriminator = new Discriminator(gpu);
  assert.deepEqual(generator.parameterCount, { total: 2_330_944, trainable: 2_305_472 });
  assert.deepEqual(discriminator.parameterCount, { total: 212_865, trainable: 212_865 });
  assert.deepEqual(describe(generator.variables), GENERATOR);
  assert.deepEqual(describe(discriminator.variables), DISCRIMINATOR);
  for (const { variables, trainableVariables } of [generator, discriminator]) {
    assert.deepEqual(trainableVariables, variables.filter((v) => v.trainable));
  }
});

Deno.test("the summaries are Keras'", async () => {
  using gpu = await Gpu.request();
  assert.equal(new Generator(gpu).summary(), GENERATOR_SUMMARY);
  assert.equal(new Discriminator(gpu).summary(), DISCRIMINATOR_SUMMARY);
});

Deno.test("kernels start Glorot uniform, all else from zeros and ones", async () => {
  using gpu = await Gpu.request();
  for (const model of [new Generator(gpu, { seed: 1 }), new Discriminator(gpu, { seed: 1 })]) {
    for (const variable of model.variables) {
      const values = await variable.read();
      const what = `${model.name} ${variable.name}`;
      if (!variable.name.endsWith("kernel")) {
        const first = /gamma|variance/.test(variable.name) ? 1 : 0;
        assert(values.every((v) => v === first), `${what} starts from ${first}`);
        continue;
      }
      const limit = Math.sqrt(6 / FANS[what]);
      const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      assert(largest <= limit && largest > 0.98 * limit, `${what} is within ±${limit}`);
      // Moments of a uniform distribution, within five standard errors.
      const deviation = limit / Math.sqrt(3);
      const sigmas = 5 / Math.sqrt(values.length);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      assertClose([mean], [0], { atol: sigmas * deviation, what: `mean of ${what}` });
      assertClose([rms(values) ** 2], [deviation ** 2], {
        rtol: sigmas * Math.sqrt(0.8),
        what: `variance of ${what}`,
      });
    }
  }
});

Deno.test("the seed decides the weights", async () => {
  using gpu = await Gpu.request();
  const weights = (seed: number) => {
    const generator = new Generator(gpu, { widths: [4, 3, 5], seed });
    const discriminator = new Discriminator(gpu, { widths: [5, 3], seed });
    return readAll([...generator.variables, ...discriminator.variables]);
  };
  const [first, again, other] = [await weights(7), await weights(7), await weights(8)];
  assert.deepEqual(first, again);
  for (const [i, values] of first.entries()) {
    const constant = values.every((v) => v === values[0]);
    assert(constant || values.every((v, j) => v !== other[i][j]), `weight ${i} of other seeds`);
  }
  const kernels = [first[15], first[16]]; // both [5, 5, 1, 5]
  assert.equal(kernels[0].length, kernels[1].length);
  assert.notDeepEqual(kernels[0], kernels[1], "the models draw from streams of their own");
});

Deno.test("the untrained models: an image on [-1, 1], finite logits, unchanged statistics", async () => {
  using gpu = await Gpu.request();
  const generator = new Generator(gpu);
  const discriminator = new Discriminator(gpu);
  const call = (training: boolean) =>
    gpu.compile({}, () => {
      const noise = ops.randomNormal([2, generator.noiseDim], { seed: 0 });
      const image = generator.call(noise, { training });
      return { image, logits: discriminator.call(image, { training }) };
    });
  const before = await readAll(generator.variables);
  const unchanged = await variableDigests(generator.variables);

  using inference = call(false);
  inference.run();
  const { image, logits } = await inference.read();
  assert.equal(image.length, 2 * 28 * 28);
  assert(image.every((v) => v >= -1 && v <= 1));
  assert(rms(image) > 1e-3, "the image is not empty");
  assert.equal(logits.length, 2);
  assert(logits.every(Number.isFinite));
  assert.deepEqual(await variableDigests(generator.variables), unchanged);

  using training = call(true);
  training.run();
  for (const [i, values] of (await readAll(generator.variables)).entries()) {
    const { name, trainable } = generator.variables[i];
    const same = values.every((v, j) => v === before[i][j]);
    assert.equal(same, trainable, `only statistics move in a training call: ${name}`);
  }
});

Deno.test("images of other sizes", async () => {
  using gpu = await Gpu.request();
  const image = { height: 8, width: 12, channels: 3 };
  const generator = new Generator(gpu, { ...image, noiseDim: 5, widths: [4, 3, 2] });
  const discriminator = new Discriminator(gpu, { ...image, widths: [2, 3] });
  assert.deepEqual(generator.outputShape, [8, 12, 3]);
  assert.deepEqual(discriminator.inputShape, [8, 12, 3]);
  using program = gpu.compile({ noise: [2, 5] }, ({ noise }) => ({
    logits: discriminator.call(generator.call(noise, { training: false }), { training: false }),
  }));
  program.run({ noise: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] });
  assert((await program.read()).logits.every(Number.isFinite));
});

Deno.test("the models refuse options and inputs that they cannot take", async () => {
  using gpu = await Gpu.request();
  const seed = "A seed must be a whole number from 0 to 4294967295, got";
  const image = "of images must be a multiple of 4, got";
  const hint = "the generator doubles its size twice. Pad or crop the images";
  const count = "must be a whole number of at least 1, got";
  const generators: [GeneratorOptions, string][] = [
    [{ seed: -1 }, `${seed} -1`],
    [{ seed: 1.5 }, `${seed} 1.5`],
    [{ noiseDim: 0 }, `noiseDim ${count} 0`],
    [{ channels: NaN }, `channels ${count} NaN`],
    [{ widths: [8, 2.5, 8] }, `a width ${count} 2.5`],
    [{ height: 30 }, `The height ${image} 30: ${hint}`],
    [{ width: 0 }, `The width ${image} 0: ${hint}`],
  ];
  const discriminators: [DiscriminatorOptions, string][] = [
    [{ seed: 2 ** 32 }, `${seed} 4294967296`],
    [{ widths: [0, 8] }, `a width ${count} 0`],
    [{ channels: -1 }, `channels ${count} -1`],
    [{ height: 27 }, `The height ${image} 27: ${hint}`],
    [{ dropout: 1 }, "dropout must be at least 0 and below 1, got 1"],
    [{ dropout: -0.1 }, "dropout must be at least 0 and below 1, got -0.1"],
    [{ dropout: NaN }, "dropout must be at least 0 and below 1, got NaN"],
  ];
  const { count: live } = gpu.context.memory;
  for (const [options, message] of generators) {
    assert.throws(() => new Generator(gpu, options), { name: "RangeError", message });
  }
  for (const [options, message] of discriminators) {
    assert.throws(() => new Discriminator(gpu, options), { name: "RangeError", message });
  }
  assert.equal(gpu.context.memory.count, live, "nothing was allocated");

  const generator = new Generator(gpu, { widths: [2, 2, 2] });
  const discriminator = new Discriminator(gpu, { widths: [2, 2] });
  const called = (model: Generator | Discriminator, shape: number[]) => () =>
    gpu.compile({ x: shape }, ({ x }) => ({ y: model.call(x, { training: false }) }));
  for (const shape of [[2, 99], [100], [2, 100, 1]]) {
    const message = `The generator takes [batch, 100], got [${shape.join(", ")}]`;
    assert.throws(called(generator, shape), { name: "TypeError", message });
  }
  for (const shape of [[2, 28, 28], [2, 28, 28, 3], [28, 28, 1]]) {
    const message = `The discriminator takes [batch, 28, 28, 1], got [${shape.join(", ")}]`;
    assert.throws(called(discriminator, shape), { name: "TypeError", message });
  }
  assert.throws(() => generator.call(generator.variables[0], { training: false }), {
    name: "TypeError",
    message: /call them inside gpu\.compile/,
  });
});
