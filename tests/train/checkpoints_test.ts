/** When a run writes checkpoints, and which of them stay. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TrainOptions } from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import { test, tinyBlobs, train } from "../support/small.ts";
import { namesIn, stepsTo } from "../support/training.ts";

/** The epochs of the checkpoints that messages report. */
const written = (messages: readonly string[]) =>
  messages.flatMap((text) => text.match(/^wrote .*ckpt-(\d+)/)?.[1] ?? []);

/** The checkpoints in the folder of a run. */
const kept = (outDir: string) => namesIn(join(outDir, "training_checkpoints"));

test("train: what was saved is not saved again", async (outDir) => {
  const options = { outDir, checkpoint: { everyEpochs: 1 } };
  const { messages } = await train({ ...options, epochs: 2 });
  assert.deepEqual(written(messages), ["0001", "0002"]);
  // A run that has nothing left to train writes none.
  const resumed = await train({ ...options, epochs: 1, resume: true });
  assert.deepEqual([resumed.checkpoint, resumed.stats], [undefined, undefined]);
  assert.deepEqual(written(resumed.messages), []);
});

test("train: the newest checkpoints stay, and the best", async (outDir) => {
  const options = { epochs: 6, outDir, checkpoint: { everyEpochs: 1, keep: 2 } };
  const { history, messages } = await train({ ...options, evaluateEvery: 1, evaluateCount: 70 });
  const distances = history.map((e) => e.frechetDistance!);
  const best = distances.indexOf(Math.min(...distances)) + 1;
  const names = [...new Set([best, 5, 6])].map((n) => `ckpt-000${n}.safetensors`).sort();
  assert.deepEqual(kept(outDir), names);
  assert.deepEqual(
    written(messages.filter((text) => /best so far/.test(text))).at(-1),
    `000${best}`,
  );
});

test("train: checkpoints are written when the options say so, and not else", async (dir) => {
  // One step an epoch.
  const small = { dataset: tinyBlobs(2), imageCount: 1, epochs: 16 };
  const cases: [checkpoint: TrainOptions["checkpoint"], names: string[], signal?: AbortSignal][] = [
    [{}, ["0001", "0015", "0016"]],
    [{ keep: 2 }, ["0001", "0015", "0016"]],
    [{ everyEpochs: 15 }, ["0015", "0016"]],
    [{ everyMinutes: 1e6 }, ["0016"]],
    [{ everyEpochs: 7, everyMinutes: 1e6 }, ["0007", "0014", "0016"]],
    [false, []],
    [{}, [], AbortSignal.abort()], // nothing was trained
  ];
  for (const [i, [checkpoint, names, signal]] of cases.entries()) {
    const run = await train({ ...small, outDir: join(dir, `${i}`), checkpoint, signal });
    assert.deepEqual(written(run.messages), names);
    assert.equal(run.checkpoint === undefined, names.length === 0);
  }
});

test("train: an epoch that is the best so far is saved, though no checkpoint is due", async (outDir) => {
  const checkpoint = { everyEpochs: 100, keep: 100 };
  const options = { epochs: 4, evaluateEvery: 1, evaluateCount: 70, learningRate: 2e-3 };
  const { history, messages } = await train({ ...options, outDir, checkpoint });
  const distances = history.map((e) => e.frechetDistance!);
  const best = distances.flatMap((value, i) =>
    i === 0 || value < Math.min(...distances.slice(0, i)) ? [i + 1] : []
  );
  assert.ok(best.length > 1, `${distances}`);
  assert.deepEqual(written(messages).map(Number), [...new Set([...best, 4])]);
  assert.match(messages.join("\n"), /Fréchet distance [\d.e-]+, the best so far/);
});

test("train: checkpoints by the clock, in the middle of epochs", async (outDir) => {
  await train({ outDir, checkpoint: { everyMinutes: 1e-9, keep: 100 } });
  // Every step of three epochs of five; the last of each is the epoch's.
  const expected = stepsTo(15).map((step) =>
    `ckpt-000${Math.ceil(step / 5)}${step % 5 ? `-step-${step}` : ""}.safetensors`
  ).sort();
  assert.deepEqual(kept(outDir), expected);
});

test("train: checkpoints by the clock come after the events of an epoch, and restart the clock", async (outDir) => {
  const { step } = DCGAN.prototype;
  const { now } = performance;
  let minutes = 0;
  DCGAN.prototype.step = function (indices) {
    minutes++;
    step.call(this, indices);
  };
  performance.now = () => minutes * 60_000;
  try {
    await train({
      outDir,
      checkpoint: { everyMinutes: 3, keep: 9 },
      onEpoch: ({ epoch }) => assert.ok(!kept(outDir).includes(`ckpt-000${epoch}.safetensors`)),
    });
  } finally {
    DCGAN.prototype.step = step;
    performance.now = now;
  }
  const names = ["0001-step-3", "0002-step-6", "0002-step-9", "0003-step-12", "0003"];
  assert.deepEqual(kept(outDir), names.map((name) => `ckpt-${name}.safetensors`));
});

test("train: a resume that evaluates other numbers of images has a best checkpoint of its own", async (outDir) => {
  // Nothing moves, and fewer images are farther from the same data.
  const still = { learningRate: 0, normalization: "none", outDir, evaluateEvery: 1 } as const;
  await train({ ...still, epochs: 1, evaluateCount: 700 });
  const resumed = {
    ...still,
    epochs: 3,
    evaluateCount: 65,
    resume: true,
    checkpoint: { everyEpochs: 9 },
  };
  const { history, messages } = await train(resumed);
  const [before, after] = history.map(({ frechetDistance }) => frechetDistance!);
  assert.ok(before < after, `${before} and ${after}`);
  assert.deepEqual(written(messages.filter((text) => /best so far/.test(text)))[0], "0002");
});
