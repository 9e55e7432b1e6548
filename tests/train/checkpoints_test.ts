/** When a run writes checkpoints, and which of them stay. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { trainDCGAN, type TrainOptions } from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";
import { SMALL } from "../support/small.ts";
import { listen, namesIn, stepsTo } from "../support/training.ts";

Deno.test("train: what was saved is not saved again", () =>
  inFolder(async (dir) => {
    const { messages, onMessage } = listen();
    const options = { ...SMALL, epochs: 2, outDir: dir, checkpoint: { everyEpochs: 1 }, onMessage };
    using _run = await trainDCGAN(options);
    const wrote = () => messages.flatMap((text) => text.match(/^wrote .*(ckpt-\d+)/)?.[1] ?? []);
    assert.deepEqual(wrote(), ["ckpt-0001", "ckpt-0002"]);
    // A run that has nothing left to train writes none.
    using resumed = await trainDCGAN({ ...options, epochs: 1, resume: true });
    assert.equal(resumed.checkpoint, undefined);
    assert.equal(resumed.stats, undefined);
    assert.equal(wrote().length, 2);
  }));

Deno.test("train: the newest checkpoints stay, and the best", () =>
  inFolder(async (dir) => {
    const { messages, onMessage } = listen();
    const { history } = await trainDCGAN({
      ...SMALL,
      epochs: 6,
      outDir: dir,
      checkpoint: { everyEpochs: 1, keep: 2 },
      onMessage,
    });
    const distances = history.map((e) => e.distance!);
    const best = distances.indexOf(Math.min(...distances)) + 1;
    const kept = [...new Set([best, 5, 6])].map((n) => `ckpt-000${n}.safetensors`).sort();
    assert.deepEqual(namesIn(join(dir, "training_checkpoints")), kept);
    const message = messages.findLast((text) => text.includes("the best so far"));
    assert.match(message!, new RegExp(`ckpt-000${best}\\.safetensors`));
  }));

Deno.test("train: checkpoints are written when the options say so, and not else", () =>
  inFolder(async (dir) => {
    // One step an epoch.
    const small = { ...SMALL, dataset: blobs(2), imageCount: 1, distance: false, epochs: 16 };
    const written = async (checkpoint: TrainOptions["checkpoint"], signal?: AbortSignal) => {
      const { messages, onMessage } = listen();
      const outDir = await Deno.makeTempDir({ dir });
      using run = await trainDCGAN({ ...small, outDir, checkpoint, signal, onMessage });
      const names = messages.flatMap((text) => text.match(/^wrote .*ckpt-(\d+)/)?.[1] ?? []);
      assert.equal(run.checkpoint === undefined, names.length === 0);
      return names;
    };
    assert.deepEqual(await written({}), ["0001", "0015", "0016"]);
    assert.deepEqual(await written({ keep: 2 }), ["0001", "0015", "0016"]);
    assert.deepEqual(await written({ everyEpochs: 15 }), ["0015", "0016"]);
    assert.deepEqual(await written({ everyMinutes: 1e6 }), ["0016"]);
    assert.deepEqual(await written({ everyEpochs: 7, everyMinutes: 1e6 }), [
      "0007",
      "0014",
      "0016",
    ]);
    assert.deepEqual(await written(false), []);
    assert.deepEqual(await written({}, AbortSignal.abort()), [], "nothing was trained");
  }));

Deno.test("train: checkpoints by the clock, in the middle of epochs", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyMinutes: 1e-9, keep: 100 } });
    // Every step of three epochs of five; the last of each is the epoch's.
    const expected = stepsTo(15).map((step) =>
      `ckpt-000${Math.ceil(step / 5)}${step % 5 ? `-step-${step}` : ""}.safetensors`
    ).sort();
    assert.deepEqual(namesIn(join(dir, "training_checkpoints")), expected);
  }));

Deno.test("train: checkpoints by the clock come after the events of an epoch, and restart the clock", () =>
  inFolder(async (dir) => {
    const folder = join(dir, "training_checkpoints");
    const { step } = DCGAN.prototype;
    const { now } = performance;
    let minutes = 0;
    DCGAN.prototype.step = function (indices) {
      minutes++;
      step.call(this, indices);
    };
    performance.now = () => minutes * 60_000;
    try {
      using _run = await trainDCGAN({
        ...SMALL,
        outDir: dir,
        checkpoint: { everyMinutes: 3, keep: 9 },
        onEpoch: ({ epoch }) =>
          assert.ok(!namesIn(folder).includes(`ckpt-000${epoch}.safetensors`)),
      });
    } finally {
      DCGAN.prototype.step = step;
      performance.now = now;
    }
    assert.deepEqual(namesIn(folder), [
      "ckpt-0001-step-3.safetensors",
      "ckpt-0002-step-6.safetensors",
      "ckpt-0002-step-9.safetensors",
      "ckpt-0003-step-12.safetensors",
      "ckpt-0003.safetensors",
    ]);
  }));
