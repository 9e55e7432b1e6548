/** The two models: their sizes, names, initial weights, summaries and what they refuse. */

import assert from "node:assert/strict";
import {
  architectureSummary,
  Discriminator,
  discriminatorArchitecture,
  Generator,
  generatorArchitecture,
  Gpu,
  ops,
} from "../../mod.ts";
import type { DiscriminatorOptions, GeneratorOptions, Variable } from "../../mod.ts";
import { variableDigests } from "../support/digest.ts";
import { assertClose, rms } from "../support/close.ts";

const norm = (suffix: string, n: number) =>
  ["gamma", "beta", "moving_mean", "moving_variance"]
    .map((weight) => [`batch_normalization${suffix}/${weight}`, [n]]);

const GENERATOR = [
  ["dense/kernel", [100, 12544]],
  ...norm("", 12544),
  ["conv2d_transpose/kernel", [5, 5, 128, 256]],
  ...norm("_1", 128),
  ["conv2d_transpose_1/kernel", [5, 5, 64, 128]],
  ...norm("_2", 64),
  ["conv2d_transpose_2/kernel", [5, 5, 1, 64]],
];

const DISCRIMINATOR = [
  ["conv2d/kernel", [5, 5, 1, 64]],
  ["conv2d/bias", [64]],
  ["conv2d_1/kernel", [5, 5, 64, 128]],
  ["conv2d_1/bias", [128]],
  ["dense/kernel", [6272, 1]],
  ["dense/bias", [1]],
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

const readAll = (variables: readonly Variable[]) => Promise.all(variables.map((v) => v.read()));

Deno.test("the models have the tutorial's weights, named and ordered as Keras does", async () => {
  using gpu = await Gpu.request();
  const generator = new Generator(gpu);
  const discriminator = new Discriminator(gpu);
  assert.deepEqual(generator.parameterCount, { total: 2_330_944, trainable: 2_305_472 });
  assert.deepEqual(discriminator.parameterCount, { total: 212_865, trainable: 212_865 });
  for (
    const [model, weights] of [[generator, GENERATOR], [discriminator, DISCRIMINATOR]] as const
  ) {
    const { variables, trainableVariables } = model;
    assert.deepEqual(variables.map(({ name, shape }) => [name, [...shape]]), weights);
    const trainable = variables.filter(({ name }) => !name.includes("/moving_"));
    assert.deepEqual(trainableVariables, trainable);
    assert.deepEqual(variables.filter((v) => v.trainable), trainable);
  }
});

Deno.test("the summaries are Keras', with and without a device", async () => {
  using gpu = await Gpu.request();
  assert.equal(new Generator(gpu).summary(), GENERATOR_SUMMARY);
  assert.equal(new Discriminator(gpu).summary(), DISCRIMINATOR_SUMMARY);
  assert.equal(architectureSummary(generatorArchitecture()), GENERATOR_SUMMARY);
  assert.equal(architectureSummary(discriminatorArchitecture()), DISCRIMINATOR_SUMMARY);
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
      const [a, b] = variable.shape.slice(-2);
      const taps = variable.size / (a * b);
      const limit = Math.sqrt(6 / (taps * (a + b))); // of Keras' fans
      const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      assert(largest <= limit && largest > 0.98 * limit, `${what} is within ±${limit}`);
      // Moments of a uniform distribution, within five standard errors.
      const deviation = limit / Math.sqrt(3);
      const sigmas = 5 / Math.sqrt(values.length);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      assertClose([mean], [0], { atol: sigmas * deviation, what: `mean of ${what}` });
      const rtol = sigmas * Math.sqrt(0.8);
      assertClose([rms(values) ** 2], [deviation ** 2], { rtol, what: `variance of ${what}` });
    }
  }
});

// Made by the version before there were other depths: SHA-256 of the first kernels of seed 1, shortened.
const FIRST_KERNELS = [
  "generator dense/kernel aad2536461640c25",
  "generator conv2d_transpose/kernel 0f87f1d11ab5d1b2",
  "generator conv2d_transpose_1/kernel 90eb01c7a1092b63",
  "generator conv2d_transpose_2/kernel d717ec0e0a68abab",
  "discriminator conv2d/kernel d0032b1a6c166152",
  "discriminator conv2d_1/kernel 57dbed9e5537a1dc",
  "discriminator dense/kernel c96d218e94a2b834",
];

Deno.test("the tutorial's networks start with the bits of every version", async () => {
  using gpu = await Gpu.request();
  const kernels: string[] = [];
  for (const model of [new Generator(gpu, { seed: 1 }), new Discriminator(gpu, { seed: 1 })]) {
    const all = await variableDigests(model.variables.filter(({ name }) => /kernel$/.test(name)));
    kernels.push(...all.map((each) => `${model.name} ${each}`));
  }
  assert.deepEqual(kernels, FIRST_KERNELS);
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

Deno.test("images of other sizes, and the same layers without a device", async () => {
  using gpu = await Gpu.request();
  const image = { height: 8, width: 12, channels: 3 };
  const options = { ...image, noiseDim: 5, widths: [4, 3, 2] } as const;
  const generator = new Generator(gpu, options);
  const discriminator = new Discriminator(gpu, { ...image, widths: [2, 3] });
  assert.deepEqual(generator.outputShape, [8, 12, 3]);
  assert.deepEqual(discriminator.inputShape, [8, 12, 3]);
  using program = gpu.compile({ noise: [2, 5] }, ({ noise }) => ({
    logits: discriminator.call(generator.call(noise, { training: false }), { training: false }),
  }));
  program.run({ noise: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] });
  assert((await program.read()).logits.every(Number.isFinite));

  const architecture = generatorArchitecture(options);
  assert.equal(architectureSummary(architecture), generator.summary());
  assert.deepEqual(architecture.outputShape, generator.outputShape);
  assert.deepEqual(
    architecture.layers.flatMap(({ name, layer }) => layer.weights.map((w) => `${name}/${w.name}`)),
    generator.variables.map(({ name }) => name),
  );
  const other = discriminatorArchitecture({ ...image, widths: [2, 3] });
  assert.equal(architectureSummary(other), discriminator.summary());
});

Deno.test("the models refuse options and inputs that they cannot take", async () => {
  using gpu = await Gpu.request();
  const { count: live } = gpu.context.memory;
  const refused = (message: string, ...makes: (() => unknown)[]) => {
    for (const make of makes) assert.throws(make, { name: "RangeError", message });
  };
  const seed = "A seed must be a whole number from 0 to 4294967295, got";
  refused(`${seed} -1`, () => new Generator(gpu, { seed: -1 }));
  refused(`${seed} 1.5`, () => new Generator(gpu, { seed: 1.5 }));
  refused(`${seed} 4294967296`, () => new Discriminator(gpu, { seed: 2 ** 32 }));

  const image = "of images must be a multiple of 4, got";
  const hint = "the generator doubles its size twice. Pad or crop the images to";
  const thrice =
    "of images must be a multiple of 8, got 28: the generator doubles its size 3 times";
  const fewer = "or give fewer widths";
  const count = "must be a whole number of at least 1, got";
  const generators: [GeneratorOptions, string][] = [
    [{ noiseDim: 0 }, `noiseDim ${count} 0`],
    [{ channels: NaN }, `channels ${count} NaN`],
    [{ widths: [8, 2.5, 8] }, `a width ${count} 2.5`],
    [{ height: 30 }, `The height ${image} 30: ${hint} 28 or 32, ${fewer}`],
    [{ width: 0 }, `The width ${image} 0: ${hint} 4`],
    [{ width: NaN }, `The width ${image} NaN: ${hint} 4`],
    [
      { widths: [8, 8, 8, 8] },
      `The height ${thrice}. Pad or crop the images to 24 or 32, ${fewer}`,
    ],
    [{ widths: [8] }, "widths must be a list of at least 2, got 1"],
    [{ classes: 1.5 }, "classes must be a whole number, got 1.5"],
    [
      { normalization: "layer" as "none" },
      'normalization must be one of "batch", "none", got "layer"',
    ],
  ];
  for (const [options, message] of generators) {
    refused(message, () => new Generator(gpu, options), () => generatorArchitecture(options));
  }
  const discriminators: [DiscriminatorOptions, string][] = [
    [{ widths: [0, 8] }, `a width ${count} 0`],
    [{ channels: -1 }, `channels ${count} -1`],
    [{ height: 27 }, `The height ${image} 27: ${hint} 24 or 28`],
    [{ widths: [2, 2, 2] }, `The height ${thrice}. Pad or crop the images to 24 or 32, ${fewer}`],
    [{ widths: [] }, "widths must be a list of at least 1, got 0"],
    [{ classes: -1 }, "classes must be a whole number, got -1"],
    [
      { initializer: "he" as "heUniform" },
      'initializer must be one of "glorotUniform", "heUniform", got "he"',
    ],
    [{ dropout: 1 }, "dropout must be at least 0 and below 1, got 1"],
    [{ dropout: -0.1 }, "dropout must be at least 0 and below 1, got -0.1"],
    [{ dropout: NaN }, "dropout must be at least 0 and below 1, got NaN"],
  ];
  for (const [options, message] of discriminators) {
    const architecture = () => discriminatorArchitecture(options);
    refused(message, () => new Discriminator(gpu, options), architecture);
  }
  assert.equal(gpu.context.memory.count, live, "nothing was allocated");

  const generator = new Generator(gpu, { widths: [2, 2, 2] });
  const discriminator = new Discriminator(gpu, { widths: [2, 2] });
  const inputs = [
    [generator, "[batch, 100]", [[2, 99], [100], [2, 100, 1]]],
    [discriminator, "[batch, 28, 28, 1]", [[2, 28, 28], [2, 28, 28, 3], [28, 28, 1]]],
  ] as const;
  for (const [model, needed, shapes] of inputs) {
    for (const x of shapes) {
      const call = () => gpu.compile({ x }, ({ x }) => ({ y: model.call(x, { training: false }) }));
      const message = `The ${model.name} takes ${needed}, got [${x.join(", ")}]`;
      assert.throws(call, { name: "TypeError", message });
    }
  }
  assert.throws(() => generator.call(generator.variables[0], { training: false }), {
    name: "TypeError",
    message: /call them inside gpu\.compile/,
  });
});
