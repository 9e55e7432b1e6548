/** Data sets that are read while they are trained: the same bits as those in memory. */

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type Dataset,
  Gpu,
  NonFiniteError,
  type StreamedDataset,
  trainDCGAN,
  Trainer,
} from "../../mod.ts";
import { imagesAt } from "../../src/data/dataset.ts";
import { blobs, SMALL } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";
import { namesIn, stepsTo, weightsOf } from "../support/training.ts";

const labels = Uint8Array.from({ length: 70 }, (_, i) => i % 3);
const whole: Dataset = { ...blobs(70), labels };

/** The same images, read in a moment; `asked` are the places so far. */
function streamed(change = (images: Uint8Array) => images) {
  const { images: _, ...rest } = whole;
  const asked: number[][] = [];
  let reading = 0;
  const dataset: StreamedDataset = {
    ...rest,
    id: "blobs",
    async read(places) {
      assert.equal(++reading, 1, "calls overlap");
      asked.push([...places]);
      await new Promise((resolve) => setTimeout(resolve, 1));
      reading--;
      return change(await imagesAt(whole, places));
    },
  };
  return { dataset, asked };
}

/** State after some steps: two epochs of five steps, and one more. */
async function train(gpu: Gpu, options: object, dataset: Dataset | StreamedDataset) {
  using trainer = await Trainer.create({ ...SMALL, ...options, dataset, gpu, maxSteps: 11 });
  const losses: number[] = [];
  for await (const event of trainer) if (event.type === "step") losses.push(event.generatorLoss);
  const { tensors } = await trainer.snapshot();
  return { losses, tensors, history: trainer.history.map(({ seconds: _, ...rest }) => rest) };
}

Deno.test("feed: a streamed data set trains to the same bits, also with labels", async () => {
  using gpu = await Gpu.request();
  for (const options of [{}, { conditional: true }, { discriminatorSteps: 2 }]) {
    const { dataset, asked } = streamed();
    const [one, other] = [await train(gpu, options, dataset), await train(gpu, options, whole)];
    assert.deepEqual(one, other);
    assert.equal(one.losses.length, 11);
    // Each image once an epoch, the smaller batch at its end; and 70 for each distance.
    const sizes = asked.map((places) => places.length).filter((size) => size < 70);
    assert.deepEqual(sizes.slice(0, 10), [16, 16, 16, 16, 6, 16, 16, 16, 16, 6]);
    const first = asked.filter((places) => places.length < 70).slice(0, 5).flat();
    assert.deepEqual(first.sort((a, b) => a - b), Array.from({ length: 70 }, (_, i) => i));
  }
});

Deno.test("feed: the next batch is read while a step is trained", async () => {
  const { dataset, asked } = streamed();
  using trainer = await Trainer.create({ ...SMALL, dataset });
  await trainer.step();
  assert.deepEqual(asked.map((places) => places.length), [16, 16]);
  await trainer.step();
  assert.equal(asked.length, 3);
});

Deno.test("feed: the next epoch's first batch is read, too, but nothing after the last", async () => {
  const { dataset, asked } = streamed();
  using trainer = await Trainer.create({ ...SMALL, dataset, epochs: 2, evaluateEvery: Infinity });
  const sizes = [16, 16, 16, 16, 6];
  await trainer.epoch();
  assert.deepEqual(asked.map((places) => places.length), [...sizes, 16]);
  await trainer.epoch();
  assert.deepEqual(asked.map((places) => places.length), [...sizes, ...sizes]);
});

/** Of the calls of `read`, counted from 1, those fail for which `fails` is true. */
function failing(fails: (call: number) => boolean): StreamedDataset {
  const { dataset } = streamed();
  let call = 0;
  const read = (places: Uint32Array) =>
    fails(++call) ? Promise.reject(new Error("disk is gone")) : dataset.read(places);
  return { ...dataset, read };
}

Deno.test("feed: images that could not be read ahead are read again", async () => {
  using trainer = await Trainer.create({ ...SMALL, dataset: failing((call) => call === 2) });
  using whole = await Trainer.create({ ...SMALL, dataset: streamed().dataset });
  for (let i = 0; i < 2; i++) await whole.step();
  await trainer.step();
  const refused = /^DataError: Cannot read 16 images of the data set: disk is gone$/;
  await assert.rejects(trainer.step(), refused);
  await trainer.step();
  assert.deepEqual((await trainer.snapshot()).tensors, (await whole.snapshot()).tensors);
});

Deno.test("feed: a run whose images cannot be read leaves a checkpoint to go on from", () =>
  inFolder(async (outDir) => {
    using gpu = await Gpu.request();
    const options = { ...SMALL, gpu, epochs: 2, evaluateEvery: Infinity };
    const steps: number[] = [];
    const onStep = ({ step }: { readonly step: number }) => void steps.push(step);
    // The ninth is read beside the steps before, whose losses are not read yet.
    const dataset = failing((call) => call > 8);
    await assert.rejects(trainDCGAN({ ...options, outDir, dataset, onStep }), /disk is gone/);
    assert.deepEqual(steps, stepsTo(8));
    const names = ["ckpt-0001.safetensors", "ckpt-0002-step-8.safetensors"];
    assert.deepEqual(namesIn(join(outDir, "training_checkpoints")), names);
    const resume = { outDir, resume: true } as const;
    using resumed = await trainDCGAN({ ...options, ...resume, dataset: streamed().dataset });
    using straight = await trainDCGAN({ ...options, dataset: streamed().dataset });
    assert.deepEqual(await weightsOf(resumed), await weightsOf(straight));
  }));

Deno.test("feed: a run goes on with the same images only", async () => {
  const { dataset } = streamed();
  using trainer = await Trainer.create({ ...SMALL, dataset });
  for (let i = 0; i < 3; i++) await trainer.step();
  const snapshot = await trainer.snapshot();
  const { generatorLoss } = await trainer.step();
  using again = await Trainer.create({ ...SMALL, dataset: streamed().dataset });
  await again.restore(snapshot);
  assert.equal((await again.step()).generatorLoss, generatorLoss);
  using other = await Trainer.create({ ...SMALL, dataset: { ...dataset, id: "others" } });
  await assert.rejects(other.restore(snapshot), /images/);
});

Deno.test("feed: a number that is not finite is found in the same step", async () => {
  const errors = await Promise.all([streamed().dataset, whole].map(async (dataset) => {
    const options = { ...SMALL, dataset, learningRate: 1e30 };
    using trainer = await Trainer.create(options);
    const error = await trainer.epoch().then(() => assert.fail("is finite"), (error) => error);
    assert.ok(error instanceof NonFiniteError, error.stack);
    return [error.step, error.where, trainer.steps];
  }));
  assert.deepEqual(errors[0], errors[1]);
});

Deno.test("feed: what cannot be read, or is of another length, ends the run with a sentence", async () => {
  const short = streamed((images) => images.subarray(1)).dataset;
  const refused: [StreamedDataset, RegExp][] = [
    [failing(() => true), /disk is gone/],
    [short, /^DataError: .*read must give a Uint8Array of 12544 bytes for 16 images, got 12543/],
  ];
  for (const [dataset, message] of refused) {
    using trainer = await Trainer.create({ ...SMALL, dataset });
    await assert.rejects(trainer.step(), message);
    assert.equal(trainer.steps, 0);
  }
  const { dataset } = streamed();
  for (const change of [{ id: 7 }, { read: "x" }]) {
    const made = Trainer.create({
      ...SMALL,
      dataset: { ...dataset, ...change } as unknown as StreamedDataset,
    });
    await assert.rejects(made, /^DataError: .* `read` and a text `id`/);
  }
});
