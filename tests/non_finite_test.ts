/** Numbers that stop being finite: found, said where they began, and nothing lost. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Gpu, NonFiniteError, ops, trainDCGAN, Trainer, type TrainerOptions } from "../mod.ts";
import { readCheckpoint } from "../src/io/checkpoints.ts";
import { blobs } from "./support/dataset.ts";
import { inFolder } from "./support/folder.ts";

const gpu = await Gpu.request();

/** Five steps an epoch. */
const SMALL = {
  gpu,
  dataset: blobs(70),
  batchSize: 16,
  epochs: 4,
  noiseDim: 10,
  generatorWidths: [16, 8, 8],
  discriminatorWidths: [8, 8],
  seed: 3,
} satisfies TrainerOptions;

async function failure(promise: Promise<unknown>): Promise<NonFiniteError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof NonFiniteError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "it went on" });
}

async function drain(trainer: Trainer): Promise<number[]> {
  const steps: number[] = [];
  for await (const event of trainer) if (event.type === "step") steps.push(event.step);
  return steps;
}

Deno.test("non-finite: the first op and step are named, and the run stands before them", async () => {
  using trainer = await Trainer.create({ ...SMALL, learningRate: 1e30 });
  const error = await failure(drain(trainer));
  // Adam's first step makes weights of 1e30; the squares of what they give are beyond the floats.
  assert.equal(error.step, 2);
  assert.match(error.where, /^batchNormStatistics \[/);
  assert.match(error.message, /not finite in step 2 .* stands at step 1 again\. Try a lower/);
  assert.equal(trainer.steps, 1);
  const { tensors } = await trainer.snapshot();
  for (const [name, { data }] of tensors) assert.ok(data.every(Number.isFinite), name);
});

for (
  const [where, plant] of [
    ["dense/kernel", (trainer: Trainer) => trainer.generator.variables[0]],
    ["dense/bias", (trainer: Trainer) => trainer.discriminator.variables.at(-1)!],
  ] as const
) {
  for (const value of [NaN, Infinity, -Infinity]) {
    Deno.test(`non-finite: a weight that is ${value} (${where}) is noticed at the next look`, async () => {
      using trainer = await Trainer.create(SMALL);
      await trainer.epoch();
      const variable = plant(trainer);
      const data = await variable.read();
      data[data.length - 1] = value;
      variable.write(data);
      const error = await failure(trainer.step());
      assert.equal(error.step, 6);
      // It was there before the step: the copy was made after the epoch, of a finite state.
      assert.equal(trainer.steps, 5);
      assert.ok((await variable.read()).every(Number.isFinite), "the weight is as it was");
      assert.equal((await trainer.step()).step, 6, "training goes on from there");
    });
  }
}

Deno.test("non-finite: after it was stopped, training goes on to the same bits", async () => {
  using straight = await Trainer.create(SMALL);
  await drain(straight);
  using trainer = await Trainer.create(SMALL);
  await trainer.epoch();
  const [kernel] = trainer.generator.variables;
  kernel.write(new Float32Array(kernel.size).fill(NaN));
  await failure(drain(trainer));
  await drain(trainer);
  assert.deepEqual((await trainer.snapshot()).tensors, (await straight.snapshot()).tensors);
});

Deno.test("non-finite: trainDCGAN keeps the last finite state as a checkpoint", () =>
  inFolder(async (dir) => {
    const messages: string[] = [];
    const error = await failure(trainDCGAN({
      ...SMALL,
      learningRate: 1e30,
      outDir: dir,
      onMessage: (text) => messages.push(text),
    }));
    assert.equal(error.step, 2);
    const path = join(dir, "training_checkpoints", "ckpt-0001-step-1.safetensors");
    assert.ok(messages.some((text) => text.startsWith(`wrote ${path}`)), messages.join("\n"));
    const { tensors, position } = await readCheckpoint<{ steps: number }>(path);
    assert.equal(position.steps, 1);
    for (const [name, { data }] of tensors) assert.ok(data.every(Number.isFinite), name);
    // What it was resumed from is finite, and so is what follows with another learning rate's run.
    const again = await failure(trainDCGAN({
      ...SMALL,
      learningRate: 1e30,
      outDir: dir,
      resume: true,
    }));
    assert.equal(again.step, 2);
  }));

Deno.test("non-finite: 'warn' says it once and goes on", async () => {
  const messages: string[] = [];
  using run = await trainDCGAN({
    ...SMALL,
    learningRate: 1e30,
    onNonFinite: "warn",
    onMessage: (text) => messages.push(text),
  });
  assert.equal(run.steps, 20);
  assert.equal(messages.filter((text) => text.includes("no longer finite")).length, 1);
});

Deno.test("non-finite: a healthy run is the same to the bit, whether it is looked at or not", async () => {
  using looked = await Trainer.create(SMALL);
  using warned = await Trainer.create({ ...SMALL, onNonFinite: "warn" });
  assert.deepEqual(await drain(looked), await drain(warned));
  assert.deepEqual((await looked.snapshot()).tensors, (await warned.snapshot()).tensors);
});

Deno.test("non-finite: what is extreme but finite does not stop a run", async () => {
  // Pictures that are all the same: no variance, where batch normalization divides by it.
  const same = { ...SMALL.dataset, images: new Uint8Array(70 * 784).fill(255) };
  using run = await trainDCGAN({ ...SMALL, dataset: same });
  assert.equal(run.steps, 20);
  // A learning rate of 10 does no good, but either goes on or is stopped by name.
  try {
    using wild = await trainDCGAN({ ...SMALL, learningRate: 10 });
    assert.equal(wild.steps, 20);
  } catch (error) {
    assert.ok(error instanceof NonFiniteError, String(error));
  }
  // Nothing to learn from: gradients that are all zero.
  using still = await trainDCGAN({ ...SMALL, learningRate: 0, epochs: 1 });
  assert.equal(still.steps, 5);
});

Deno.test("non-finite: cross-entropies of logits of 10,000 are exact, and so are their gradients", async () => {
  const x = [1e4, -1e4, 1e4, -1e4];
  const labels = [1, 0, 0, 1];
  using program = gpu.compile({ x: [4], t: [4] }, ({ x, t }) => ({
    y: ops.sigmoidCrossEntropyWithLogits(x, t),
  }), { watch: true });
  program.run({ x, t: labels });
  assert.deepEqual([...(await program.read("y")).y], [0, 0, 1e4, 1e4]);
  assert.equal(await program.firstNonFinite(), undefined);
});
