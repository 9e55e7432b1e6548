/** Whole runs: what is trained, reported and freed. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { readMetrics } from "../../src/training/metrics_log.ts";
import { assertClose } from "../support/close.ts";
import { blobs, OVERPOWERED } from "../support/dataset.ts";
import { gpu, SMALL, test, tinyBlobs, train } from "../support/small.ts";
import { live, stepsTo, weightsOf } from "../support/training.ts";

const straight = await train();
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

Deno.test("train: every batch is trained, the last, smaller one too", () => {
  const { stepEvents: steps, epochEvents: epochs } = straight;
  assert.deepEqual(steps.map((s) => s.step), stepsTo(15));
  assert.deepEqual(steps.map((s) => s.epoch), [1, 2, 3].flatMap((e) => new Array(5).fill(e)));
  assert.deepEqual(steps.slice(0, 6).map((s) => s.images), [16, 32, 48, 64, 70, 86]);
  assert.ok(steps.every((s) => s.totalSteps === 15 && Number.isFinite(s.generatorLoss)));
  assert.deepEqual(straight.history, epochs);
  const mean = steps.slice(0, 5).reduce((sum, s) => sum + s.generatorLoss, 0) / 5;
  assert.ok(Math.abs(epochs[0].generatorLoss - mean) < 1e-12);
  assert.deepEqual([straight.steps, straight.aborted], [15, false]);
  assert.ok(straight.stats!.plannedBytes < straight.stats!.tensorBytes);
});

Deno.test("train: the same seed gives the same bits; a data set needs no labels", async () => {
  const { labels: _, ...dataset } = SMALL.dataset;
  assert.deepEqual(await weightsOf(await train({ dataset })), expected);
});

Deno.test("train: a data set smaller than a batch is one batch", async () => {
  const { steps, stepEvents } = await train({ batchSize: 256, epochs: 2 });
  assert.equal(steps, 2);
  assert.deepEqual(stepEvents.map(({ images }) => images), [70, 140]);
});

Deno.test("train: a single image is a data set, though without an evaluation", async () => {
  const { history } = await train({ dataset: tinyBlobs(1), epochs: 2 });
  assert.deepEqual(history.map((e) => [e.steps, e.frechetDistance]), [
    ...[[1, undefined], [1, undefined]],
  ]);
});

Deno.test("train: without an outDir nothing is written, and images are on [-1, 1]", async () => {
  const run = await train({ maxSteps: 10, imageEverySteps: 5, imageCount: 4 });
  const [first, second, third] = run.imageEvents.map(({ images }) => images);
  assert.deepEqual(run.imageEvents.map(({ step, path, images }) => [step, path, images.length]), [
    [5, undefined, 4 * 64],
    [5, undefined, 4 * 64],
    [10, undefined, 4 * 64],
    [10, undefined, 4 * 64],
  ]);
  assert.ok(first.every((v) => v >= -1 && v <= 1));
  assert.deepEqual(first, second, "the same noise, the same weights");
  assert.notDeepEqual(second, third);
  assert.deepEqual([run.gif, run.checkpoint, run.steps], [undefined, undefined, 10]);
  assert.deepEqual(run.history.map((e) => e.steps), [5, 5]);
});

Deno.test("train: options reach the optimizers, the order and dropout (pinned losses)", async () => {
  const rates = { learningRate: 2e-3, beta1: 0.6, beta2: 0.95, dropout: 0.4 };
  const { stepEvents } = await train({ dataset: blobs(70), epochs: 2, ...rates });
  const losses = stepEvents.flatMap((e) => [e.generatorLoss, e.discriminatorLoss]);
  // Other adapters sum in another order, hence 1e-3; a wrong option moves them by more.
  assertClose(losses, PINNED.flat(), { rtol: 1e-3, what: "losses" });
});

Deno.test("train: a signal that comes with the last step has not stopped the run", async () => {
  const stop = new AbortController();
  const run = await train({
    maxSteps: 7,
    signal: stop.signal,
    onStep: ({ step }) => step === 7 && stop.abort(),
  });
  assert.deepEqual([run.steps, run.aborted], [7, false]);
  assert.deepEqual(run.history.map((e) => [e.epoch, e.steps]), [[1, 5]], "complete epochs only");
});

Deno.test("train: what it allocated is freed, whether it succeeds or fails", async () => {
  const before = live(gpu);
  const result = await train({ maxSteps: 1 });
  assert.ok(live(gpu).count > before.count, "the networks are there");
  result[Symbol.dispose]();
  assert.deepEqual(live(gpu), before);
  const onEpoch = () => {
    throw new Error("planted");
  };
  await assert.rejects(train({ maxSteps: 5, onEpoch }), /planted/);
  assert.deepEqual(live(gpu), before);
});

Deno.test("train: its own device is freed with the result", async () => {
  const result = await train({ gpu: undefined, maxSteps: 1 });
  result[Symbol.dispose]();
  assert.notEqual(result.gpu, gpu);
  assert.equal(result.gpu.context.memory.count, 0);
});

Deno.test("train: a network that overpowers the other is reported, with the numbers", async () => {
  const stop = new AbortController();
  const messages: string[] = [];
  await train({
    ...OVERPOWERED,
    signal: stop.signal,
    onMessage: (text) => {
      messages.push(text);
      stop.abort();
    },
  });
  assert.match(messages.join("\n"), /discriminator overpowers/);
});

test("train: an epoch that maxSteps cuts is not over: nothing reports it or logs it", async (outDir) => {
  const run = await train({ outDir, maxSteps: 7 });
  assert.deepEqual(run.epochEvents.map((e) => e.epoch), [1]);
  assert.deepEqual(run.history.map((e) => e.epoch), [1]);
  assert.deepEqual(run.imageEvents.map(({ step, path }) => [step, basename(path!)]), [
    [5, "image_at_epoch_0001.png"],
    [7, "image_at_step_000007.png"],
  ]);
  const rows = await Array.fromAsync(readMetrics(join(outDir, "metrics.jsonl")));
  assert.deepEqual(rows.flatMap((row) => row.type === "epoch" ? row.epoch : []), [1]);
  assert.ok(run.gif);
  assert.match(await Deno.readTextFile(join(outDir, "losses.svg")), /over 7 training steps/);
  const resumed = await train({ outDir, resume: true });
  assert.deepEqual(resumed.epochEvents.map((e) => e.epoch), [2, 3]);
  assert.deepEqual(await weightsOf(resumed), expected);
});
