/** Options: their defaults, what is refused, and the names of version 0.1.0. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Hyperparameters, type StepEvent, trainDCGAN, type TrainOptions } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { resolveOptions, resolveTrainOptions } from "../../src/training/options.ts";
import { gpu, SMALL, test, tinyBlobs, train } from "../support/small.ts";
import { listen, namesIn } from "../support/training.ts";

test("options: the defaults are the tutorial's", async (outDir) => {
  const { generatorWidths, discriminatorWidths } = SMALL;
  const options = { gpu, generatorWidths, discriminatorWidths };
  // 257 images are two batches, the first of 256.
  const stop = new AbortController();
  const seen: number[] = [];
  const onStep = ({ images, totalSteps }: StepEvent) => {
    seen.push(images, totalSteps);
    stop.abort();
  };
  await trainDCGAN({ ...options, dataset: tinyBlobs(257), signal: stop.signal, onStep });
  assert.deepEqual(seen, [256, 100]);

  const { messages, onMessage } = listen();
  const small = { ...options, dataset: tinyBlobs(2), imageCount: 1 };
  const { history } = await trainDCGAN({ ...small, outDir, onMessage });
  assert.equal(history.length, 50);
  const written = messages.map((text) => text.match(/ckpt-(\d+)\./)?.[1]);
  assert.deepEqual(written, ["0001", "0015", "0030", "0045", "0050"]);
  const folder = join(outDir, "training_checkpoints");
  assert.equal(namesIn(folder).length, 3);
  const { configuration } = await readCheckpoint(join(folder, namesIn(folder)[0]));
  const { images: _, ...rest } = configuration;
  assert.deepEqual(rest, {
    dataset: [2, 8, 8, 1],
    batchSize: 256,
    noiseDim: 100,
    learningRate: 1e-4,
    beta1: 0.9,
    beta2: 0.999,
    generatorWidths,
    discriminatorWidths,
    dropout: 0.3,
    seed: 0,
    discriminatorLearningRate: 1e-4,
    decaySteps: 0,
    normalization: "batch",
    objective: "nonsaturating",
    r1: 0,
    r2: 0,
    gradientPenalty: 0,
    labelSmoothing: 0,
    discriminatorSteps: 1,
    augment: [],
    ema: 0,
    conditional: false,
  });
});

Deno.test("options: the networks are the tutorial's by default", () => {
  const { generatorWidths, discriminatorWidths } = resolveOptions({ dataset: SMALL.dataset });
  assert.deepEqual([generatorWidths, discriminatorWidths], [[256, 128, 64], [64, 128]]);
});

Deno.test("options: wrong options are refused before anything is made", async () => {
  const before = gpu.context.memory.count;
  const { dataset } = SMALL;
  const refused: [change: Partial<TrainOptions>, name: string, message: RegExp][] = [
    [{ batchSize: 0 }, "RangeError", /batchSize must be a whole number/],
    [{ dropout: 1 }, "RangeError", /dropout must be .* got 1/],
    [{ generatorWidths: [8, 8, 0] }, "RangeError", /generatorWidths must be .* got \[8,8,0\]/],
    [{ beta1: 1 }, "RangeError", /beta1 must be .* got 1/],
    [{ generatorWidths: [8] }, "RangeError", /generatorWidths must be 2 or more .* got \[8\]/],
    [{ objective: "lsgan" as "hinge" }, "RangeError", /objective must be "nonsat.*" or .*"lsgan"/],
    [
      { recipe: "slow" as "fast" },
      "RangeError",
      /must be "tutorial" or "fast" or "r3gan", got "slow"/,
    ],
    [{ r1: -1 }, "RangeError", /r1 must be a number of at least 0, got -1/],
    [
      { gradientPenalty: 10, objective: "hinge" },
      "RangeError",
      /^The objective "hinge" has no gradientPenalty, got 10: set it to 0 \(gradientPenalty: 0, --gradient-penalty 0\), or use .* "wgan-gp"$/,
    ],
    [{ r2: 1, objective: "wgan-gp" }, "RangeError", /"wgan-gp" has no r2, got 1: set it to 0 /],
    // Of the recipe, which nobody can leave out.
    [{ recipe: "r3gan", objective: "wgan-gp" }, "RangeError", /no r1, got 1: .*\(r1: 0, --r1 0\)/],
    [
      { labelSmoothing: 0.1, recipe: "r3gan" },
      "RangeError",
      /"relativistic" has no labelSmoothing, got 0.1: .* use the objective "nonsaturating"/,
    ],
    [{ ema: 1 }, "RangeError", /ema must be .* below 1, got 1/],
    [{ discriminatorSteps: 0 }, "RangeError", /discriminatorSteps must be a whole number/],
    [{ decaySteps: 0.5 }, "RangeError", /decaySteps must be a whole number of at least 0, got 0.5/],
    [
      { augment: ["cutout", "cutout"] },
      "RangeError",
      /augment must be a list of "color" or "translation" or "cutout", each once, got/,
    ],
    [{ normalization: "layer" as "none" }, "RangeError", /normalization must be "batch" or "none"/],
    [{ conditional: 1 as unknown as true }, "RangeError", /conditional must be true or false/],
    [
      { conditional: true, dataset: { ...dataset, labels: undefined } },
      "DataError",
      /need the label of each image, and this data set of 70 images has none/,
    ],
    [
      { conditional: true, dataset: { ...dataset, labels: new Uint8Array(69) } },
      "DataError",
      /70 images needs 70 labels or none, got 69/,
    ],
    [{ seed: -1 }, "RangeError", /seed must be .* got -1/],
    [{ epochs: 1.5 }, "RangeError", /epochs must be a whole number .* got 1.5/],
    [{ resume: true }, "TypeError", /needs an outDir/],
    [{ deviceLosses: -1 }, "RangeError", /deviceLosses must be a whole number, got -1/],
    [{ checkpoint: { everyMinutes: 0 } }, "RangeError", /everyMinutes must be .* above 0, got 0/],
    [{ evaluateEvery: 0 }, "RangeError", /evaluateEvery must be a whole number/],
    [
      { evaluateCount: 64, evaluateEvery: 1 },
      "RangeError",
      /^At least 65 generated images are needed .*: the covariance of fewer is singular, got count 64/,
    ],
    [
      { dataset: tinyBlobs(64), evaluateEvery: 1 },
      "RangeError",
      /^At least 65 real images are needed to compare 64 features: .*, the data set has 64/,
    ],
    [{ dataset: { ...dataset, count: 71 } }, "DataError", /71/],
    // What a program in JavaScript forgets.
    [{ dataset: undefined }, "DataError", /must be an object .* got undefined/],
  ];
  for (const [change, name, message] of refused) {
    await assert.rejects(train(change), { name, message });
  }
  assert.equal(gpu.context.memory.count, before);
});

Deno.test("options: a recipe's values stand where none is given", () => {
  const { dataset } = SMALL;
  const { objective, ema, beta1, augment } = resolveOptions({
    ...{ dataset, recipe: "r3gan", beta1: 0.5, augment: ["cutout", "color"] },
  });
  assert.deepEqual([objective, ema, beta1], ["relativistic", 0.997, 0.5]);
  assert.deepEqual(augment, ["color", "cutout"], "in one order");
  const penalty = ({ gradientPenalty }: Hyperparameters) => gradientPenalty;
  assert.equal(penalty(resolveOptions({ dataset, objective: "wgan-gp" })), 10);
  assert.equal(penalty(resolveOptions({ dataset, objective: "wgan-gp", gradientPenalty: 0 })), 0);
  assert.equal(resolveOptions({ dataset, learningRate: 1 }).discriminatorLearningRate, 1);
  const { height, width } = { height: 64, width: 64 };
  const large = { images: new Uint8Array(64 * 64), count: 1, height, width, channels: 1 };
  assert.deepEqual(resolveOptions({ dataset: large }).discriminatorWidths, [64, 128, 256]);
});

Deno.test("options: what is resolved has every option, and resolving it again changes nothing", () => {
  const resolved = resolveOptions(SMALL);
  for (const [name, value] of Object.entries(resolved)) assert.notEqual(value, undefined, name);
  assert.deepEqual(resolveOptions(resolved), resolved);
  assert.deepEqual(resolveOptions({ ...SMALL, seed: undefined }).seed, 0);
  const { everyEpochs, everyMinutes } =
    resolveTrainOptions({ ...SMALL, checkpoint: false }).checkpoint;
  assert.deepEqual([everyEpochs, everyMinutes], [Infinity, Infinity]);
});

Deno.test("options: evaluations are rare enough to cost little, and need enough images", () => {
  const every = (count: number, options: Partial<TrainOptions> = {}) =>
    resolveOptions({ ...SMALL, evaluateEvery: undefined, dataset: tinyBlobs(count), ...options })
      .evaluateEvery;
  assert.deepEqual([64, 65, 4096, 40_960, 60_000].map((count) => every(count)), [
    ...[Infinity, 631, 10, 1, 1],
  ]);
  assert.equal(every(4096, { evaluateCount: 409 }), 2);
  // The name of version 0.1.0.
  assert.equal(every(4096, { distance: false }), Infinity);
  assert.equal(every(4096, { distance: true }), 10);
  assert.equal(every(4096, { distance: false, evaluateEvery: 3 }), 3);
});

Deno.test("options: the names of version 0.1.0 work, and those of this version win", async () => {
  const events: { images: Float32Array; pictures: Float32Array }[] = [];
  const { steps } = await train({
    maxSteps: 5,
    pictureEverySteps: 4,
    pictureCount: 4,
    onImage: undefined,
    onPicture: (event) => void events.push(event),
  });
  assert.equal(steps, 5);
  assert.equal(events.length, 2);
  for (const { images, pictures } of events) {
    assert.equal(images, pictures);
    assert.equal(images.length, 4 * 64);
  }
  const { imageEvents } = await train({
    maxSteps: 5,
    imageCount: 1,
    pictureCount: 4,
    onPicture: () => assert.fail("both were called"),
  });
  assert.deepEqual(imageEvents.map(({ images }) => images.length), [64]);
});

Deno.test("options: the grid of a conditional run has a row of 8 images for each class", () => {
  const grid = (classes: number, options: Partial<TrainOptions> = {}) => {
    const labels = Uint8Array.from({ length: 70 }, (_, i) => i % classes);
    const dataset = { ...SMALL.dataset, labels };
    const resolved = resolveTrainOptions({ ...SMALL, dataset, conditional: true, ...options });
    return [resolved.imageCount, resolved.imageColumns];
  };
  assert.deepEqual([1, 3, 10, 32].map((classes) => grid(classes)), [
    ...[[8, 8], [24, 8], [80, 8], [256, 8]],
  ]);
  assert.deepEqual(grid(50), [256, 8], "the first 32 classes");
  assert.deepEqual(grid(10, { imageCount: 20 }), [20, 5]);
  assert.deepEqual(grid(10, { conditional: false }), [16, 4]);
  // Images of which no grid may have more than 16.
  const large = { count: 1, height: 2048, width: 2048, channels: 1, labels: Uint8Array.of(9) };
  const dataset = { ...large, images: new Uint8Array(2048 ** 2) };
  const widths = { generatorWidths: undefined, discriminatorWidths: undefined };
  assert.deepEqual(grid(10, { dataset, ...widths }), [16, 8]);
});
