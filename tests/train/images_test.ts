/** The images and the GIF of a run. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { GifReader } from "npm:omggif@1.0.10";
import { decodePNG, trainDCGAN, tutorialFrames } from "../../mod.ts";
import { animated, listImages } from "../../src/files/images.ts";
import { stepsPerEpoch } from "../../src/files/run_record.ts";
import { inFolder } from "../support/folder.ts";
import { SMALL } from "../support/small.ts";
import { listen, namesIn, weightsOf } from "../support/training.ts";

const straight = await trainDCGAN(SMALL);
const expected = await weightsOf(straight);

Deno.test("train: an outDir gets images, the GIF and checkpoints", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1, keep: 2 } });
    assert.deepEqual(namesIn(dir), [
      "dcgan.gif",
      "image_at_epoch_0001.png",
      "image_at_epoch_0002.png",
      "image_at_epoch_0003.png",
      "losses.svg",
      "metrics.jsonl",
      "run.json",
      "tensorboard",
      "training_checkpoints",
    ]);
    const { width, height } = decodePNG(await Deno.readFile(join(dir, "image_at_epoch_0001.png")));
    assert.equal(width, 4 * 84 + 5 * 3);
    assert.equal(height, width);
  }));

Deno.test("train: a resumed run's GIF has the images from before", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 10 });
    const { gif } = await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
    const reader = new GifReader(await Deno.readFile(gif!));
    // Of three images the schedule keeps all, and the last is repeated.
    assert.equal(reader.numFrames(), tutorialFrames(3).length);
  }));

Deno.test("train: a resumed run's GIF leaves out images of another number and of another time", () =>
  inFolder(async (dir) => {
    const frames = async (gif?: string) => new GifReader(await Deno.readFile(gif!)).numFrames();
    const options = { ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1 } };
    await trainDCGAN({ ...options, epochs: 4 });
    // Of four epochs two are taken back.
    const resume = join(dir, "training_checkpoints", "ckpt-0002.safetensors");
    const { gif } = await trainDCGAN({ ...options, epochs: 2, resume });
    assert.equal(await frames(gif), tutorialFrames(2).length);
    const { gif: other } = await trainDCGAN({ ...options, resume: true, imageCount: 4 });
    // Epoch 3 alone has four images; the schedule of three shows the last one so often:
    const last = tutorialFrames(3).filter((i) => i === 2).length;
    assert.equal(await frames(other), last);
  }));

Deno.test("train: an image that cannot be read costs the GIF, not the run", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, epochs: 1 });
    await Deno.writeTextFile(join(dir, "image_at_epoch_0001.png"), "rubbish");
    const { messages, onMessage } = listen();
    const run = await trainDCGAN({ ...SMALL, outDir: dir, resume: true, onMessage });
    assert.deepEqual(await weightsOf(run), expected);
    assert.equal(run.gif, undefined);
    assert.match(messages.at(-1)!, /dcgan.gif is not written: .*image_at_epoch_0001.png/);
  }));

Deno.test("train: the GIF of a run that was cut twice and finished has its images in order", () =>
  inFolder(async (dir) => {
    for (const maxSteps of [3, 7, undefined]) {
      using _run = await trainDCGAN({ ...SMALL, outDir: dir, maxSteps, resume: maxSteps !== 3 });
    }
    const files = animated(await listImages(dir), await stepsPerEpoch(dir));
    assert.deepEqual(files.map(({ path }) => basename(path)), [
      "image_at_step_000003.png",
      "image_at_epoch_0001.png",
      "image_at_step_000007.png",
      "image_at_epoch_0002.png",
      "image_at_epoch_0003.png",
    ]);
    const reader = new GifReader(await Deno.readFile(join(dir, "dcgan.gif")));
    assert.equal(reader.numFrames(), tutorialFrames(5).length);
  }));
