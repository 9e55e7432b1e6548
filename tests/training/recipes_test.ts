/** Recipes: short runs with each objective and option, and what they must change. */

import assert from "node:assert/strict";
import {
  type Dataset,
  Generator,
  type Hyperparameters,
  NonFiniteError,
  Trainer,
} from "../../mod.ts";
import type { TrainerOptions } from "../../mod.ts";
import { variableDigests } from "../support/digest.ts";
import { gpu, SMALL, tinyBlobs } from "../support/small.ts";
import { listen } from "../support/training.ts";

const FAST = { learningRate: 4e-3, beta1: 0, beta2: 0.99, dropout: 0 } as const;

const create = (options: Partial<TrainerOptions> = {}) =>
  Trainer.create({ ...SMALL, epochs: 1000, evaluateEvery: Infinity, ...options });

async function trainSteps(trainer: Trainer, steps: number): Promise<void> {
  const last = trainer.steps + steps;
  for await (const event of trainer.run({ pauseAfter: (step) => step === last })) {
    if (event.type === "pause") return;
  }
}

/** Mean of each pixel over images on [-1, 1]. */
function meanImage(images: ArrayLike<number>, size: number): Float64Array {
  const mean = new Float64Array(size);
  const count = images.length / size;
  for (let i = 0; i < images.length; i++) mean[i % size] += images[i] / count;
  return mean;
}

/** How far the mean generated image is from the mean real one: mean distance of a pixel. */
async function farness(trainer: Trainer, { images }: Dataset): Promise<number> {
  const made = meanImage(await trainer.sample({ count: 64 }), 64);
  const real = meanImage(Array.from(images, (byte) => byte / 127.5 - 1), 64);
  return made.reduce((sum, value, i) => sum + Math.abs(value - real[i]) / 64, 0);
}

const RECIPES: Hyperparameters[] = [
  { objective: "nonsaturating", labelSmoothing: 0.1, r1: 0.1 },
  { objective: "nonsaturating", augment: ["color", "translation", "cutout"], ema: 0.9 },
  { objective: "hinge", discriminatorLearningRate: 8e-3 },
  { objective: "wgan-gp", discriminatorSteps: 2 },
  { objective: "relativistic", r1: 1, r2: 1, normalization: "none", ema: 0.9 },
];
for (const recipe of RECIPES) {
  Deno.test(`recipes: ${JSON.stringify(recipe)} learns the mean image`, async () => {
    const dataset = tinyBlobs(70);
    const { messages, onMessage } = listen();
    using trainer = await create({ ...FAST, ...recipe, dataset, onMessage });
    const before = await farness(trainer, dataset);
    await trainSteps(trainer, 100 * (recipe.discriminatorSteps ?? 1));
    const after = await farness(trainer, dataset);
    assert.ok(after < before / 3, `${before} became ${after}`);
    assert.deepEqual(messages, []);
  });
}

Deno.test("recipes: with discriminatorSteps the generator moves in every Nth step only", async () => {
  using trainer = await create({ discriminatorSteps: 3 });
  const { generator, discriminator } = trainer;
  const digests = ({ trainableVariables }: Pick<Generator, "trainableVariables">) =>
    variableDigests(trainableVariables);
  let [g, d] = [await digests(generator), await digests(discriminator)];
  const moved: boolean[] = [];
  for (let step = 1; step <= 6; step++) {
    const { generatorLoss } = await trainer.step();
    assert.ok(generatorLoss > 0);
    const [newG, newD] = [await digests(generator), await digests(discriminator)];
    moved.push(newG.join() !== g.join());
    assert.notDeepEqual(newD, d);
    [g, d] = [newG, newD];
  }
  assert.deepEqual(moved, [false, false, true, false, false, true]);
});

Deno.test("recipes: a run of every option goes on to the same bits from a snapshot", async () => {
  const options: Hyperparameters = {
    ...{ discriminatorSteps: 3, ema: 0.9, decaySteps: 12, discriminatorLearningRate: 1e-3 },
    objective: "wgan-gp",
    conditional: true,
    augment: ["color", "translation", "cutout"],
  };
  using whole = await create(options);
  await trainSteps(whole, 10);
  using first = await create(options);
  await trainSteps(first, 4); // between two steps of the generator
  using second = await create(options);
  await second.restore(await first.snapshot());
  await trainSteps(second, 6);
  const digests = async ({ generator, discriminator, average }: Trainer) =>
    await variableDigests([
      ...generator.variables,
      ...discriminator.variables,
      ...average!.variables,
    ]);
  assert.deepEqual(await digests(second), await digests(whole));
});

Deno.test("recipes: where both learning rates have fallen to 0, no weight moves", async () => {
  using trainer = await create({ decaySteps: 4, discriminatorSteps: 2 });
  const digests = () =>
    variableDigests([
      ...trainer.generator.trainableVariables,
      ...trainer.discriminator.trainableVariables,
    ]);
  await trainSteps(trainer, 3);
  const third = await digests();
  await trainSteps(trainer, 1);
  const fourth = await digests();
  assert.notDeepEqual(fourth, third);
  await trainSteps(trainer, 4);
  assert.deepEqual(await digests(), fourth);
});

Deno.test("recipes: numbers that are not finite are found in steps of the discriminator alone", async () => {
  using trainer = await create({ discriminatorSteps: 64, discriminatorLearningRate: 1e30 });
  await assert.rejects(trainer.epoch(), (error: NonFiniteError) => {
    assert.ok(error instanceof NonFiniteError);
    assert.ok(error.step > 1 && error.step < 5, error.message);
    return true;
  });
  assert.ok(trainer.steps < 5);
});

/** Dark images of class 0 and light ones of class 1. */
function shades(count: number): Dataset {
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from({ length: count * 64 }, (_, i) => labels[i >> 6] ? 220 : 40);
  return { images, labels, count, height: 8, width: 8, channels: 1 };
}

Deno.test("recipes: conditional networks make images of the class that they are asked for", async () => {
  for (const recipe of [{ ema: 0.9 }, { objective: "relativistic", r1: 1, r2: 1 }] as const) {
    using trainer = await create({ ...FAST, ...recipe, conditional: true, dataset: shades(64) });
    await trainSteps(trainer, 100);
    const meanOf = async (label: number) => {
      const images = await trainer.sample({ labels: new Array(16).fill(label) });
      assert.equal(images.length, 16 * 64);
      return images.reduce((sum, value) => sum + value / images.length, 0);
    };
    const [dark, light] = [await meanOf(0), await meanOf(1)];
    assert.ok(dark < -0.2 && light > 0.2, `dark ${dark}, light ${light}`);
    await assert.rejects(
      trainer.sample({ labels: [0, 2] }),
      /^RangeError: The generator has the classes 0 to 1, got the label 2/,
    );
    await assert.rejects(trainer.sample({ labels: [0.5] }), /got the label 0\.5/);
    await assert.rejects(
      trainer.sample({ count: 3, labels: [0] }),
      /3 images need 3 labels, got 1/,
    );
    const loaded = await Generator.load(gpu, await trainer.toBytes());
    assert.equal(loaded.classes, 2);
  }
});

Deno.test("recipes: a run of other labels is not gone on with", async () => {
  const dataset = shades(8);
  using trainer = await create({ conditional: true, dataset });
  const snapshot = await trainer.snapshot();
  const labels = dataset.labels!.map((label) => 1 - label);
  using other = await create({ conditional: true, dataset: { ...dataset, labels } });
  await assert.rejects(other.restore(snapshot), /made with labels "sha256 /);
  using plain = await create({ dataset });
  await assert.rejects(
    plain.sample({ labels: [1] }),
    /^RangeError: The generator has no classes, got the label 1/,
  );
});
