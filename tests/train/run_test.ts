/** Whole runs: what is trained, reported and freed. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import {
  type EpochEvent,
  type ImageEvent,
  readMetrics,
  type StepEvent,
  trainDCGAN,
} from "../../mod.ts";
import { assertClose } from "../support/close.ts";
import { inFolder } from "../support/folder.ts";
import { blobs, OVERPOWERED } from "../support/dataset.ts";
import { gpu, SMALL } from "../support/small.ts";
import { listen, live, stepsTo, weightsOf } from "../support/training.ts";

const straight = await trainDCGAN(SMALL);
const expected = await weightsOf(straight);

/** Both losses of the ten steps of two epochs, from the software adapter. */
const PINNED = [
  [0.84633839, 1.42526901],
  [0.78926402, 1.16482937],
  [0.73387152, 1.13639188],
  [0.68191445, 1.08291245],
  [0.63724649, 1.20136225],
  [0.58237422, 1.10490191],
  [0.57698882, 1.06019545],
  [0.51601882, 1.08398438],
  [0.52262248, 1.07770514],
  [0.52598637, 1.08244169],
];

Deno.test("train: every batch is trained, the last, smaller one too", async () => {
  const steps: StepEvent[] = [];
  const epochs: EpochEvent[] = [];
  const result = await trainDCGAN({
    ...SMALL,
    onStep: (event) => steps.push(event),
    onEpoch: (event) => void epochs.push(event),
  });
  assert.deepEqual(steps.map((s) => s.step), stepsTo(15));
  assert.deepEqual(steps.map((s) => s.epoch), [1, 2, 3].flatMap((e) => new Array(5).fill(e)));
  assert.deepEqual(steps.slice(0, 6).map((s) => s.images), [16, 32, 48, 64, 70, 86]);
  assert.ok(steps.every((s) => s.totalSteps === 15 && Number.isFinite(s.generatorLoss)));
  assert.deepEqual(result.history, epochs);
  const mean = steps.slice(0, 5).reduce((sum, s) => sum + s.generatorLoss, 0) / 5;
  assert.ok(Math.abs(epochs[0].generatorLoss - mean) < 1e-12);
  assert.equal(result.steps, 15);
  assert.equal(result.aborted, false);
  assert.ok(result.stats!.plannedBytes < result.stats!.tensorBytes);
  assert.deepEqual(await weightsOf(result), expected, "same seed, same bits");
});

Deno.test("train: a data set smaller than a batch is one batch", async () => {
  const images: number[] = [];
  const onStep = (event: StepEvent) => images.push(event.images);
  using result = await trainDCGAN({ ...SMALL, batchSize: 256, epochs: 2, onStep });
  assert.equal(result.steps, 2);
  assert.deepEqual(images, [70, 140]);
});

Deno.test("train: a data set needs no labels", async () => {
  const { labels: _, ...dataset } = SMALL.dataset;
  assert.deepEqual(await weightsOf(await trainDCGAN({ ...SMALL, dataset })), expected);
});

Deno.test("train: without an outDir nothing is written, and images are on [-1, 1]", async () => {
  const events: ImageEvent[] = [];
  const result = await trainDCGAN({
    ...SMALL,
    maxSteps: 10,
    imageEverySteps: 5,
    imageCount: 4,
    onImage: (event) => void events.push(event),
  });
  assert.deepEqual(events.map((e) => e.step), [5, 5, 10, 10]);
  assert.ok(events.every((e) => e.path === undefined));
  assert.ok(events.every((e) => e.images.length === 4 * 784));
  assert.ok(events[0].images.every((v) => v >= -1 && v <= 1));
  assert.deepEqual(events[0].images, events[1].images, "the same noise, the same weights");
  assert.notDeepEqual(events[1].images, events[2].images);
  assert.equal(result.gif, undefined);
  assert.equal(result.checkpoint, undefined);
  assert.equal(result.steps, 10);
  assert.deepEqual(result.history.map((e) => e.steps), [5, 5]);
});

Deno.test("train: options reach the optimizers, the order and dropout (pinned losses)", async () => {
  const losses: number[][] = [];
  const onStep = (e: StepEvent) => losses.push([e.generatorLoss, e.discriminatorLoss]);
  using _result = await trainDCGAN({
    ...SMALL,
    epochs: 2,
    learningRate: 2e-3,
    beta1: 0.6,
    beta2: 0.95,
    dropout: 0.4,
    onStep,
  });
  // Other adapters sum in another order, hence 1e-3; a wrong option moves them by more.
  assertClose(losses.flat(), PINNED.flat(), { rtol: 1e-3, what: "losses" });
});

Deno.test("train: a signal that comes with the last step has not stopped the run", async () => {
  const stop = new AbortController();
  const onStep = ({ step }: StepEvent) => step === 7 && stop.abort();
  using run = await trainDCGAN({ ...SMALL, maxSteps: 7, signal: stop.signal, onStep });
  assert.deepEqual([run.steps, run.aborted], [7, false]);
  assert.deepEqual(run.history.map((e) => [e.epoch, e.steps]), [[1, 5]], "complete epochs only");
});

Deno.test("train: what it allocated is freed, whether it succeeds or fails", async () => {
  const before = live(gpu);
  const result = await trainDCGAN({ ...SMALL, maxSteps: 1 });
  assert.ok(live(gpu).count > before.count, "the networks are there");
  result[Symbol.dispose]();
  assert.deepEqual(live(gpu), before);
  const onEpoch = () => {
    throw new Error("planted");
  };
  await assert.rejects(trainDCGAN({ ...SMALL, maxSteps: 5, onEpoch }), /planted/);
  assert.deepEqual(live(gpu), before);
});

Deno.test("train: its own device is freed with the result", async () => {
  const { gpu: _shared, ...options } = SMALL;
  const result = await trainDCGAN({ ...options, maxSteps: 1 });
  result[Symbol.dispose]();
  assert.equal(result.gpu.context.memory.count, 0);
});

Deno.test("train: a single image is a data set, though without a distance", async () => {
  using run = await trainDCGAN({ ...SMALL, dataset: blobs(1), epochs: 2 });
  assert.deepEqual(run.history.map((e) => [e.steps, e.distance]), [[1, NaN], [1, NaN]]);
});

Deno.test("train: a network that overpowers the other is reported, with the numbers", async () => {
  const { messages, onMessage } = listen();
  using _run = await trainDCGAN({ ...SMALL, ...OVERPOWERED, onMessage });
  assert.ok(messages.some((m) => /discriminator overpowers/.test(m)), messages.join("\n"));
});

Deno.test("train: an epoch that maxSteps cuts is not over: nothing reports it or logs it", () =>
  inFolder(async (dir) => {
    const epochs: number[] = [];
    const images: [number, string?][] = [];
    const options = {
      ...SMALL,
      outDir: dir,
      onEpoch: ({ epoch }: EpochEvent) => void epochs.push(epoch),
      onImage: ({ step, path }: ImageEvent) => void images.push([step, path && basename(path)]),
    };
    using run = await trainDCGAN({ ...options, maxSteps: 7 });
    assert.deepEqual(epochs, [1]);
    assert.deepEqual(run.history.map((e) => e.epoch), [1]);
    assert.deepEqual(images, [[5, "image_at_epoch_0001.png"], [7, "image_at_step_000007.png"]]);
    const rows = await Array.fromAsync(readMetrics(join(dir, "metrics.jsonl")));
    assert.deepEqual(rows.flatMap((row) => row.type === "epoch" ? row.epoch : []), [1]);
    assert.ok(run.gif);
    assert.match(await Deno.readTextFile(join(dir, "losses.svg")), /over 7 training steps/);
    using resumed = await trainDCGAN({ ...options, resume: true });
    assert.deepEqual(epochs, [1, 2, 3]);
    assert.deepEqual(await weightsOf(resumed), expected);
  }));
