/** The images and the GIF of a run. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { GifReader } from "npm:omggif@1.0.10";
import { decodePNG, tutorialFrames } from "../../mod.ts";
import { animated, listImages } from "../../src/files/images.ts";
import { stepsPerEpoch } from "../../src/files/run_record.ts";
import { gridLabels } from "../../src/model/labels.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { gpu, SMALL, test, train } from "../support/small.ts";
import { namesIn, weightsOf } from "../support/training.ts";

const frames = async (gif?: string) => new GifReader(await Deno.readFile(gif!)).numFrames();

test("train: an outDir gets images, the GIF and checkpoints", async (outDir) => {
  await train({ outDir, checkpoint: { everyEpochs: 1, keep: 2 } });
  const images = [1, 2, 3].map((epoch) => `image_at_epoch_000${epoch}.png`);
  const logs = ["losses.svg", "metrics.jsonl", "run.json", "tensorboard"];
  assert.deepEqual(namesIn(outDir), ["dcgan.gif", ...images, ...logs, "training_checkpoints"]);
  const { width, height } = decodePNG(await Deno.readFile(join(outDir, images[0])));
  assert.deepEqual([width, height], [4 * 24 + 5 * 3, 4 * 24 + 5 * 3]);
});

test("train: the grid of a conditional run has a row of each class", async (outDir) => {
  const labels = Uint8Array.from({ length: 70 }, (_, i) => i % 3);
  const dataset = { ...SMALL.dataset, labels };
  const run = await train({ outDir, dataset, conditional: true, epochs: 1 });
  const [{ images, columns, path }] = run.imageEvents;
  assert.equal(columns, 8);
  const noise = seedNoise(24, SMALL.noiseDim, SMALL.seed);
  assert.deepEqual(images, await generate(gpu, run.generator, noise, gridLabels(24, 3, 8)));
  const { width, height } = decodePNG(await Deno.readFile(path!));
  assert.deepEqual([width, height], [8 * 24 + 9 * 3, 3 * 24 + 4 * 3]);
});

test("train: a resumed run's GIF has the images from before", async (outDir) => {
  await train({ outDir, maxSteps: 10 });
  const { gif } = await train({ outDir, resume: true });
  // Of three images the schedule keeps all, and the last is repeated.
  assert.equal(await frames(gif), tutorialFrames(3).length);
});

test("train: a resumed run's GIF leaves out images of another number and of another time", async (outDir) => {
  const options = { outDir, checkpoint: { everyEpochs: 1 } };
  await train({ ...options, epochs: 4 });
  // Of four epochs two are taken back.
  const resume = join(outDir, "training_checkpoints", "ckpt-0002.safetensors");
  const { gif } = await train({ ...options, epochs: 2, resume });
  assert.equal(await frames(gif), tutorialFrames(2).length);
  const { gif: other } = await train({ ...options, resume: true, imageCount: 4 });
  // Epoch 3 alone has four images; the schedule of three shows the last one so often:
  assert.equal(await frames(other), tutorialFrames(3).filter((i) => i === 2).length);
});

test("train: an image that cannot be read costs the GIF, not the run", async (outDir) => {
  await train({ outDir, epochs: 1 });
  await Deno.writeTextFile(join(outDir, "image_at_epoch_0001.png"), "rubbish");
  const run = await train({ outDir, resume: true });
  assert.deepEqual(await weightsOf(run), await weightsOf(await train()));
  assert.equal(run.gif, undefined);
  assert.match(run.messages.at(-1)!, /dcgan.gif is not written: .*image_at_epoch_0001.png/);
});

test("train: the GIF of a run that was cut twice and finished has its images in order", async (outDir) => {
  for (const maxSteps of [3, 7, undefined]) {
    await train({ outDir, maxSteps, resume: maxSteps !== 3 });
  }
  const files = animated(await listImages(outDir), await stepsPerEpoch(outDir));
  const names = ["step_000003", "epoch_0001", "step_000007", "epoch_0002", "epoch_0003"];
  assert.deepEqual(files.map(({ path }) => basename(path)), names.map((n) => `image_at_${n}.png`));
  assert.equal(await frames(join(outDir, "dcgan.gif")), tutorialFrames(5).length);
});
