import assert from "node:assert/strict";
import { join } from "node:path";
import {
  CheckpointError,
  DataError,
  encodeSafetensors,
  type EpochEvent,
  Generator,
  Gpu,
  type ImageEvent,
  type StepEvent,
  trainDCGAN,
  type TrainOptions,
  type TrainResult,
} from "../mod.ts";
import { decodePNG, MetricsLog, readMetrics, TensorBoardLog, tutorialFrames } from "../mod.ts";
import { DCGAN } from "../src/training/dcgan.ts";
import { CheckpointFolder, readCheckpoint } from "../src/files/checkpoints.ts";
import { encodeCheckpoint } from "../src/training/checkpoint.ts";
import { GifReader } from "npm:omggif@1.0.10";
import { blobs, OVERPOWERED } from "./support/dataset.ts";
import { variableDigests } from "./support/digest.ts";
import { inFolder } from "./support/folder.ts";

const gpu = await Gpu.request();

/** 70 images at batch 16: four full batches and one of six. */
const SMALL = {
  gpu,
  dataset: blobs(70),
  batchSize: 16,
  epochs: 3,
  noiseDim: 10,
  generatorWidths: [16, 8, 8],
  discriminatorWidths: [8, 8],
  seed: 3,
} satisfies TrainOptions;

function weights({ generator, discriminator }: TrainResult): Promise<string[]> {
  return variableDigests([...generator.variables, ...discriminator.variables]);
}

/** Both losses of the ten steps of two epochs, from the software adapter. */
const PINNED = [
  0.84633839,
  1.42526901,
  0.78926402,
  1.16482937,
  0.73387152,
  1.13639188,
  0.68191445,
  1.08291245,
  0.63724649,
  1.20136225,
  0.58237422,
  1.10490191,
  0.57698882,
  1.06019545,
  0.51601882,
  1.08398438,
  0.52262248,
  1.07770514,
  0.52598637,
  1.08244169,
];

const straight = await trainDCGAN(SMALL);
const expected = await weights(straight);

function names(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
}

Deno.test("train: every batch is trained, the last, smaller one too", async () => {
  const steps: StepEvent[] = [];
  const epochs: EpochEvent[] = [];
  const result = await trainDCGAN({
    ...SMALL,
    onStep: (event) => steps.push(event),
    onEpoch: (event) => void epochs.push(event),
  });
  assert.deepEqual(steps.map((s) => s.step), Array.from({ length: 15 }, (_, i) => i + 1));
  assert.deepEqual(steps.map((s) => s.epoch), [1, 2, 3].flatMap((e) => new Array(5).fill(e)));
  assert.deepEqual(steps.slice(0, 6).map((s) => s.images), [16, 32, 48, 64, 70, 86]);
  assert.ok(steps.every((s) => s.totalSteps === 15 && Number.isFinite(s.generatorLoss)));
  assert.deepEqual(result.history, epochs);
  const mean = steps.slice(0, 5).reduce((sum, s) => sum + s.generatorLoss, 0) / 5;
  assert.ok(Math.abs(epochs[0].generatorLoss - mean) < 1e-12);
  assert.equal(result.steps, 15);
  assert.equal(result.aborted, false);
  assert.ok(result.stats!.plannedBytes < result.stats!.tensorBytes);
  assert.deepEqual(await weights(result), expected, "same seed, same bits");
});

Deno.test("train: a data set smaller than a batch is one batch", async () => {
  const images: number[] = [];
  const onStep = (event: StepEvent) => images.push(event.images);
  using result = await trainDCGAN({ ...SMALL, batchSize: 256, epochs: 2, onStep });
  assert.equal(result.steps, 2);
  assert.deepEqual(images, [70, 140]);
});

Deno.test("train: without an outDir nothing is written, and images are on [-1, 1]", async () => {
  const events: ImageEvent[] = [];
  const result = await trainDCGAN({
    ...SMALL,
    maxSteps: 4,
    imageEverySteps: 2,
    imageCount: 4,
    onImage: (event) => void events.push(event),
  });
  assert.deepEqual(events.map((e) => [e.step, e.path]), [[2, undefined], [4, undefined], [
    4,
    undefined,
  ]]);
  assert.ok(events.every((e) => e.images.length === 4 * 784));
  assert.ok(events[0].images.every((v) => v >= -1 && v <= 1));
  assert.notDeepEqual(events[0].images, events[1].images);
  assert.deepEqual(events[1].images, events[2].images, "the same noise, the same weights");
  assert.equal(result.gif, undefined);
  assert.equal(result.checkpoint, undefined);
  assert.equal(result.steps, 4);
  assert.deepEqual(result.history.map((e) => e.steps), [4]);
});

Deno.test("train: an outDir gets images, the GIF and checkpoints", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1, keep: 2 } });
    assert.deepEqual(names(dir), [
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

for (const cut of [1, 5, 7, 14]) {
  Deno.test(`train: ${cut} steps and a resume give the bits of an uninterrupted run`, () =>
    inFolder(async (dir) => {
      await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: cut });
      const resumed = await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
      assert.deepEqual(await weights(resumed), expected);
      const losses = ({ history }: TrainResult) =>
        history.map((e) => [e.epoch, e.steps, e.generatorLoss, e.discriminatorLoss]);
      assert.deepEqual(losses(resumed), losses(straight));
    }));
}

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
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    const run = await trainDCGAN({ ...SMALL, outDir: dir, resume: true, onMessage });
    assert.deepEqual(await weights(run), expected);
    assert.equal(run.gif, undefined);
    assert.match(messages.at(-1)!, /dcgan.gif is not written: .*image_at_epoch_0001.png/);
  }));

Deno.test("train: another data set of the same shape is refused", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 1 });
    const dataset = { ...SMALL.dataset, images: new Uint8Array(70 * 784) };
    await assert.rejects(
      trainDCGAN({ ...SMALL, dataset, outDir: dir, resume: true }),
      /made with images "sha256/,
    );
  }));

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
  losses.flat().forEach((loss, i) => {
    assert.ok(Math.abs(loss - PINNED[i]) < 1e-3 * PINNED[i], `${i}: ${loss}, not ${PINNED[i]}`);
  });
  assert.equal(losses.flat().length, PINNED.length);
});

Deno.test("train: losses that are no longer finite are said once", async () => {
  const messages: string[] = [];
  const onMessage = (text: string) => messages.push(text);
  using _result = await trainDCGAN({
    ...SMALL,
    learningRate: 1e30,
    onNonFinite: "warn",
    onMessage,
  });
  assert.equal(messages.length, 1);
  assert.match(messages[0], /no longer finite at step \d+/);
});

Deno.test("train: a run that is not finite any more is resumed as it was", () =>
  inFolder(async (dir) => {
    const options = { ...SMALL, learningRate: 1e30, onNonFinite: "warn", outDir: dir } as const;
    const losses = ({ history }: TrainResult) =>
      history.map((e) => [e.epoch, e.generatorLoss, e.discriminatorLoss]);
    const whole = losses(await trainDCGAN({ ...options, outDir: undefined }));
    assert.ok(whole.flat().some(Number.isNaN));
    // In the middle of the second epoch: the first is history, the second a sum.
    await trainDCGAN({ ...options, maxSteps: 7 });
    assert.deepEqual(losses(await trainDCGAN({ ...options, resume: true })), whole);

    const path = join(dir, "position.safetensors");
    const position = { sums: [NaN, Infinity, -Infinity, 1.5], text: "Infinite" };
    const rest = { tensors: new Map(), configuration: {}, kernels: "", version: "" };
    await Deno.writeFile(path, encodeCheckpoint({ ...rest, position }));
    assert.deepEqual((await readCheckpoint(path)).position, position);
    // Version 0.1.0 wrote all three as null.
    const old = { sums: [null, 1.5] } as unknown;
    await Deno.writeFile(path, encodeCheckpoint({ ...rest, position: old }));
    assert.deepEqual((await readCheckpoint(path)).position, { sums: [NaN, 1.5] });
  }));

Deno.test("train: the defaults are the tutorial's", () =>
  inFolder(async (dir) => {
    const { generatorWidths, discriminatorWidths } = SMALL;
    const options = { gpu, generatorWidths, discriminatorWidths };
    // 257 images are two batches, the first of 256.
    const stop = new AbortController();
    const seen: number[] = [];
    const onStep = ({ images, totalSteps }: StepEvent) => {
      seen.push(images, totalSteps);
      stop.abort();
    };
    await trainDCGAN({ ...options, dataset: blobs(257), signal: stop.signal, onStep });
    assert.deepEqual(seen, [256, 100]);

    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    const small = { ...options, dataset: blobs(2), imageCount: 1 };
    const { history } = await trainDCGAN({ ...small, outDir: dir, onMessage });
    assert.equal(history.length, 50);
    const written = messages.map((text) => text.match(/ckpt-(\d+)\./)?.[1]);
    assert.deepEqual(written, ["0015", "0030", "0045", "0050"]);
    const folder = join(dir, "training_checkpoints");
    assert.equal(names(folder).length, 3);
    const { configuration } = await readCheckpoint(join(folder, names(folder)[0]));
    const { images: _, ...rest } = configuration;
    assert.deepEqual(rest, {
      dataset: [2, 28, 28, 1],
      batchSize: 256,
      noiseDim: 100,
      learningRate: 1e-4,
      beta1: 0.9,
      beta2: 0.999,
      generatorWidths,
      discriminatorWidths,
      dropout: 0.3,
      seed: 0,
    });
  }));

Deno.test("train: every epoch takes every image once, in an order of its own", async () => {
  const { step } = DCGAN.prototype;
  const taken: number[] = [];
  DCGAN.prototype.step = function (indices) {
    taken.push(...indices);
    step.call(this, indices);
  };
  try {
    using _result = await trainDCGAN(SMALL);
  } finally {
    DCGAN.prototype.step = step;
  }
  const epochs = [0, 1, 2].map((epoch) => taken.slice(epoch * 70, epoch * 70 + 70));
  const all = Array.from({ length: 70 }, (_, i) => i);
  for (const order of epochs) assert.deepEqual(order.toSorted((a, b) => a - b), all);
  assert.equal(new Set([all, ...epochs].map(String)).size, 4);
});

Deno.test("train: a signal stops it, and the run can be resumed", () =>
  inFolder(async (dir) => {
    const stop = new AbortController();
    const onStep = ({ step }: StepEvent) => step === 6 && stop.abort();
    const stopped = await trainDCGAN({ ...SMALL, outDir: dir, signal: stop.signal, onStep });
    assert.equal(stopped.aborted, true);
    assert.ok(stopped.steps >= 6 && stopped.steps < 15, `stopped after ${stopped.steps}`);
    const resumed = await trainDCGAN({ ...SMALL, resume: stopped.checkpoint! });
    assert.deepEqual(await weights(resumed), expected);
  }));

Deno.test("train: a signal that comes with the last step has not stopped the run", async () => {
  const stop = new AbortController();
  const onStep = ({ step }: StepEvent) => step === 7 && stop.abort();
  using run = await trainDCGAN({ ...SMALL, maxSteps: 7, signal: stop.signal, onStep });
  assert.deepEqual([run.steps, run.aborted], [7, false]);
  assert.deepEqual(run.history.map((e) => [e.epoch, e.steps]), [[1, 5], [2, 2]]);
});

Deno.test("train: what was saved is not saved again", () =>
  inFolder(async (dir) => {
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
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

Deno.test("train: a damaged newest checkpoint is skipped, and that is said", () =>
  inFolder(async (dir) => {
    const folder = join(dir, "training_checkpoints");
    await trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1 } });
    const newest = join(folder, "ckpt-0003.safetensors");
    await Deno.truncate(newest, 1000);
    const messages: string[] = [];
    const resumed = await trainDCGAN({
      ...SMALL,
      outDir: dir,
      resume: true,
      onMessage: (text) => messages.push(text),
    });
    assert.match(messages[0], /^skipped: Cannot read .*ckpt-0003/);
    assert.match(messages[1], /^resumed .*ckpt-0002/);
    assert.deepEqual(await weights(resumed), expected);
  }));

Deno.test("train: a contradiction to the checkpoint is refused with both values", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 2 });
    const refused = (change: Partial<TrainOptions>, message: RegExp) =>
      assert.rejects(trainDCGAN({ ...SMALL, ...change, outDir: dir }), (error: Error) => {
        assert.ok(error instanceof CheckpointError);
        assert.match(error.message, message);
        return true;
      });
    await refused({ resume: true, seed: 4 }, /made with seed 3, this run asks for 4/);
    await refused({ resume: true, learningRate: 1 }, /learningRate 0.0001, this run asks for 1/);
    // Of another process that writes there.
    const temporary = join(dir, ".run.json.0123abcd.tmp");
    await Deno.writeTextFile(temporary, "half");
    await refused({}, /holds a run already/);
    assert.equal(await Deno.readTextFile(temporary), "half");
    const checkpoint = join(dir, "training_checkpoints", "ckpt-0001-step-2.safetensors");
    const elsewhere = { ...SMALL, seed: 4, outDir: join(dir, "new"), resume: checkpoint };
    await assert.rejects(trainDCGAN(elsewhere), /made with seed 3/);
    await assert.rejects(Deno.stat(elsewhere.outDir), Deno.errors.NotFound);
    await refused({ resume: join(dir, "none.safetensors") }, /Cannot open the checkpoint/);
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 1, overwrite: true });
    assert.deepEqual(names(join(dir, "training_checkpoints")), ["ckpt-0001-step-1.safetensors"]);
  }));

Deno.test("train: wrong options are refused before anything is made", async () => {
  const before = gpu.context.memory.count;
  const refused = (change: Partial<TrainOptions>, Class: new () => Error, message: RegExp) =>
    assert.rejects(trainDCGAN({ ...SMALL, ...change }), (error: Error) => {
      assert.ok(error instanceof Class, error.stack);
      assert.match(error.message, message);
      return true;
    });
  await refused({ batchSize: 0 }, RangeError, /batchSize must be a whole number/);
  await refused({ dropout: 1 }, RangeError, /dropout must be .* got 1/);
  await refused({ generatorWidths: [8, 8, 0] }, RangeError, /a width must be .* got 0/);
  await refused({ beta1: 1 }, RangeError, /beta1 1/);
  await refused({ seed: -1 }, RangeError, /seed/);
  await refused({ epochs: 1.5 }, RangeError, /epochs must be a whole number .* got 1.5/);
  await refused({ resume: true }, TypeError, /needs an outDir/);
  const { dataset } = SMALL;
  await refused({ dataset: { ...dataset, count: 71 } }, DataError, /71/);
  // What a program in JavaScript forgets.
  await refused({ dataset: undefined }, DataError, /must be an object .* got undefined/);
  assert.equal(gpu.context.memory.count, before);
});

Deno.test("train: what it allocated is freed, whether it succeeds or fails", async () => {
  const before = [gpu.context.memory.count, gpu.context.memory.bytes];
  const result = await trainDCGAN({ ...SMALL, maxSteps: 1 });
  assert.ok(gpu.context.memory.count > before[0], "the networks are there");
  result[Symbol.dispose]();
  assert.deepEqual([gpu.context.memory.count, gpu.context.memory.bytes], before);
  const onEpoch = () => {
    throw new Error("planted");
  };
  await assert.rejects(trainDCGAN({ ...SMALL, maxSteps: 1, onEpoch }), /planted/);
  assert.deepEqual([gpu.context.memory.count, gpu.context.memory.bytes], before);
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

Deno.test("train: the newest checkpoints stay, and the best", () =>
  inFolder(async (dir) => {
    const messages: string[] = [];
    const { history } = await trainDCGAN({
      ...SMALL,
      epochs: 6,
      outDir: dir,
      checkpoint: { everyEpochs: 1, keep: 2 },
      onMessage: (text) => messages.push(text),
    });
    const distances = history.map((e) => e.distance!);
    const best = distances.indexOf(Math.min(...distances)) + 1;
    const kept = [...new Set([best, 5, 6])].map((n) => `ckpt-000${n}.safetensors`).sort();
    assert.deepEqual(names(join(dir, "training_checkpoints")), kept);
    const said = messages.findLast((text) => text.includes("the best so far"));
    assert.match(said!, new RegExp(`ckpt-000${best}\\.safetensors`));
  }));

Deno.test("train: a file of one run is not resumed in the folder of another", () =>
  inFolder(async (dir) => {
    const [a, b, c] = ["a", "b", "c"].map((name) => join(dir, name));
    const { checkpoint } = await trainDCGAN({ ...SMALL, outDir: a, maxSteps: 7 });
    await trainDCGAN({ ...SMALL, seed: 4, outDir: b, maxSteps: 9 });
    const before = await Deno.readTextFile(join(b, "metrics.jsonl"));
    await assert.rejects(
      trainDCGAN({ ...SMALL, outDir: b, resume: checkpoint! }),
      /b.run\.json is the record of another run, with seed 4, and this one has 3: resume into/,
    );
    assert.equal(await Deno.readTextFile(join(b, "metrics.jsonl")), before);
    await trainDCGAN({
      ...SMALL,
      outDir: b,
      resume: checkpoint!,
      overwrite: true,
      maxSteps: 8,
    });
    const kept = names(join(b, "training_checkpoints"));
    assert.deepEqual(kept, ["ckpt-0002-step-8.safetensors"], "nothing of the other run");
    // In an empty folder it goes on, and in its own.
    assert.deepEqual(
      await weights(await trainDCGAN({ ...SMALL, outDir: c, resume: checkpoint! })),
      expected,
    );
    assert.deepEqual(
      await weights(await trainDCGAN({ ...SMALL, outDir: a, resume: checkpoint! })),
      expected,
    );
  }));

Deno.test("train: epochs and what is written may change when a run is resumed", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, epochs: 1, outDir: dir });
    using run = await trainDCGAN({
      ...SMALL,
      outDir: dir,
      resume: true,
      imageCount: 4,
      imageEverySteps: 4,
      checkpoint: { everyEpochs: 1, keep: 9 },
    });
    assert.deepEqual(await weights(run), expected);
    assert.ok(names(dir).includes("image_at_step_000012.png"));
  }));

Deno.test("checkpoints: a file with a changed bit is refused, and named by what was changed", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1 } });
    const path = join(dir, "training_checkpoints", "ckpt-0003.safetensors");
    const whole = await Deno.readFile(path);
    const start = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
    const header = new TextDecoder().decode(whole.subarray(8, start));
    const changed = async (at: number) => {
      const bytes = whole.slice();
      bytes[at] ^= 1;
      await Deno.writeFile(path, bytes);
    };
    const refused = async (at: number, message: RegExp) => {
      await changed(at);
      await assert.rejects(readCheckpoint(path), (error: Error) => {
        assert.ok(error instanceof CheckpointError, error.stack);
        assert.match(error.message, message);
        return true;
      });
    };
    // Every tensor, at its first byte: what no reader of the format can notice.
    for (const name of (await readCheckpoint(path)).tensors.keys()) {
      const [, offset] = header.split(`"${name}":`)[1].match(/"data_offsets":\[(\d+)/)!;
      await refused(start + Number(offset), new RegExp(`the tensor ${name} has the CRC-32`));
      await assert.rejects(Generator.load(gpu, path), /has the CRC-32/);
    }
    // A digit of the position, a letter of a tensor's name.
    await refused(8 + header.indexOf('\\"steps\\":15') + 11, /its metadata has the CRC-32/);
    await refused(8 + header.indexOf('"random":') + 1, /the tensor sandom has no checksum/);
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    using resumed = await trainDCGAN({ ...SMALL, outDir: dir, resume: true, onMessage });
    assert.match(messages[0], /^skipped: .*ckpt-0003.*no checksum/);
    assert.deepEqual(await weights(resumed), expected);
  }));

Deno.test("checkpoints: newer and foreign files are refused; steps are in order of their numbers", () =>
  inFolder(async (dir) => {
    const path = join(dir, "ckpt-0001.safetensors");
    const refused = async (metadata: Record<string, string>, message: RegExp) => {
      await Deno.writeFile(path, encodeSafetensors({ tensors: new Map(), metadata }));
      await assert.rejects(readCheckpoint(path), (error: Error) => {
        assert.ok(error instanceof CheckpointError, error.stack);
        assert.match(error.message, message);
        return true;
      });
    };
    const rest = { configuration: "{}", position: "{}" };
    await refused({ format: "2", ...rest }, /format "2", this version reads up to 1: use a newer/);
    await refused({ format: "x", ...rest }, /format "x"/);
    await refused({ format: "1", configuration: "{}" }, /but not a checkpoint of a run/);
    const folder = new CheckpointFolder(dir, 9);
    await assert.rejects(folder.latest(() => {}), /can be read \(tried ckpt-0001.safetensors\)/);
    for (const step of [9, 10, 100]) await folder.save(2, step, judged());
    const { path: newest } = await folder.latest(() => {});
    assert.match(newest, /ckpt-0002-step-100/);
  }));

Deno.test("checkpoints: metadata that is JSON, but no configuration, is refused", () =>
  inFolder(async (dir) => {
    const path = join(dir, "a.safetensors");
    for (const configuration of ["null", "3", "[]"]) {
      const metadata = { format: "1", configuration, position: "{}" };
      await Deno.writeFile(path, encodeSafetensors({ tensors: new Map(), metadata }));
      await assert.rejects(
        trainDCGAN({ ...SMALL, resume: path }),
        (error: Error) =>
          error instanceof CheckpointError && error.message.includes("The configuration in"),
      );
    }
  }));

/** A checkpoint that only says how good it is. */
const judged = (distance?: number) => ({
  tensors: new Map(),
  configuration: {},
  kernels: "",
  version: "",
  distance,
  position: {},
});

Deno.test("checkpoints: what is kept, of files of earlier runs too", () =>
  inFolder(async (dir) => {
    const first = new CheckpointFolder(dir, 2);
    for (const [epoch, distance] of [[1, 3], [2, 1], [3, 2], [4, 2.5]] as const) {
      const { best } = await first.save(epoch, undefined, judged(distance));
      assert.equal(best, epoch <= 2);
    }
    assert.deepEqual(names(dir).map((name) => name.slice(5, 9)), ["0002", "0003", "0004"]);
    // Another process finds the best of those that are there; what it cannot read it leaves alone.
    await Deno.truncate(join(dir, "ckpt-0003.safetensors"), 20);
    const second = new CheckpointFolder(dir, 1);
    await second.save(5, 7, judged());
    assert.deepEqual(names(dir), [
      "ckpt-0002.safetensors",
      "ckpt-0003.safetensors",
      "ckpt-0005-step-7.safetensors",
    ]);
    // Gone back to an earlier one, what is written stays although newer ones are there.
    await second.save(4, 1, judged(NaN));
    assert.ok(names(dir).includes("ckpt-0004-step-1.safetensors"));
    assert.equal((await second.save(6, undefined, judged(0.5))).best, true);
    assert.ok(!names(dir).includes("ckpt-0002.safetensors"));
  }));

Deno.test("train: a folder that holds a run is not overwritten, whatever of it is there", () =>
  inFolder(async (dir) => {
    for (const name of ["run.json", "metrics.jsonl", "image_at_epoch_0001.png", "dcgan.gif"]) {
      const path = join(dir, name);
      await Deno.writeTextFile(path, "of another run");
      await assert.rejects(
        trainDCGAN({ ...SMALL, maxSteps: 1, outDir: dir }),
        (error: Error) => error instanceof CheckpointError && error.message.includes(name),
      );
      assert.equal(await Deno.readTextFile(path), "of another run");
      await Deno.remove(path);
    }
    const checkpoints = join(dir, "training_checkpoints");
    await Deno.mkdir(checkpoints);
    await Deno.writeTextFile(join(checkpoints, "ckpt-0001.safetensors"), "of another run");
    await assert.rejects(
      trainDCGAN({ ...SMALL, maxSteps: 1, outDir: dir }),
      /holds a run already \(ckpt-0001.safetensors\)/,
    );
    await Deno.remove(checkpoints, { recursive: true });
    await Deno.writeTextFile(join(dir, "notes.txt"), "mine");
    using _run = await trainDCGAN({ ...SMALL, maxSteps: 1, outDir: dir });
    using _anew = await trainDCGAN({ ...SMALL, maxSteps: 1, outDir: dir, overwrite: true });
    assert.equal(await Deno.readTextFile(join(dir, "notes.txt")), "mine");
  }));

Deno.test("train: checkpoints are written when the options say so, and not else", () =>
  inFolder(async (dir) => {
    // One step an epoch.
    const small = { ...SMALL, dataset: blobs(2), imageCount: 1, distance: false, epochs: 16 };
    const written = async (checkpoint: TrainOptions["checkpoint"], signal?: AbortSignal) => {
      const messages: string[] = [];
      const onMessage = (text: string) => messages.push(text);
      const outDir = await Deno.makeTempDir({ dir });
      using run = await trainDCGAN({ ...small, outDir, checkpoint, signal, onMessage });
      const names = messages.flatMap((text) => text.match(/^wrote .*ckpt-(\d+)/)?.[1] ?? []);
      assert.equal(run.checkpoint === undefined, names.length === 0);
      return names;
    };
    assert.deepEqual(await written({}), ["0015", "0016"]);
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
    const expected = [1, 2, 3].flatMap((epoch) =>
      [1, 2, 3, 4, 5].map((i) => {
        const step = (epoch - 1) * 5 + i;
        return `ckpt-000${epoch}${i < 5 ? `-step-${step}` : ""}.safetensors`;
      })
    ).sort();
    assert.deepEqual(names(join(dir, "training_checkpoints")), expected);
    await assert.rejects(
      trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyMinutes: 0 } }),
      /checkpoint.everyMinutes must be a number above 0, got 0/,
    );
  }));

Deno.test("train: checkpoints by the clock come after what is told of an epoch, and start it anew", () =>
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
        onEpoch: ({ epoch }) => assert.ok(!names(folder).includes(`ckpt-000${epoch}.safetensors`)),
      });
    } finally {
      DCGAN.prototype.step = step;
      performance.now = now;
    }
    assert.deepEqual(names(folder), [
      "ckpt-0001-step-3.safetensors",
      "ckpt-0002-step-6.safetensors",
      "ckpt-0002-step-9.safetensors",
      "ckpt-0003-step-12.safetensors",
      "ckpt-0003.safetensors",
    ]);
  }));

Deno.test("train: gone back to an older checkpoint, the run goes on from there for good", () =>
  inFolder(async (dir) => {
    const folder = join(dir, "training_checkpoints");
    const options = { ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1 } };
    await trainDCGAN(options);
    const messages: string[] = [];
    await trainDCGAN({
      ...options,
      resume: join(folder, "ckpt-0001.safetensors"),
      maxSteps: 7,
      onMessage: (text) => messages.push(text),
    });
    assert.ok(messages.some((m) => /superseded: ckpt-0002.safetensors, ckpt-0003/.test(m)));
    assert.deepEqual(names(folder), [
      "ckpt-0001.safetensors",
      "ckpt-0002-step-7.safetensors",
      "superseded",
    ]);
    // What is put aside can be resumed by its path.
    assert.deepEqual(names(join(folder, "superseded")), [
      "ckpt-0002.safetensors",
      "ckpt-0003.safetensors",
    ]);
    const resumed = await trainDCGAN({
      ...options,
      resume: true,
      onMessage: (m) => messages.push(m),
    });
    assert.ok(messages.some((m) => /^resumed .*ckpt-0002-step-7/.test(m)), messages.join("\n"));
    assert.deepEqual(await weights(resumed), expected);
    const steps: number[] = [];
    for await (const row of readMetrics(join(dir, "metrics.jsonl"))) {
      if (row.type === "step") steps.push(row.step);
    }
    assert.deepEqual(steps, Array.from({ length: 15 }, (_, i) => i + 1), "no step is missing");
    await trainDCGAN({ ...options, maxSteps: 1, overwrite: true });
    assert.deepEqual(names(join(folder, "superseded")), []);
  }));

Deno.test("train: the log, curves and record of a resumed run are whole", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 7, command: ["train", "--seed=3"] });
    await Deno.writeTextFile(join(dir, "metrics.jsonl"), '{"type":"st', { append: true });
    const { history } = await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
    const steps: number[] = [];
    const epochs: unknown[] = [];
    for await (const row of readMetrics(join(dir, "metrics.jsonl"))) {
      if (row.type === "step") steps.push(row.step);
      else epochs.push([row.epoch, row.steps, row.generatorLoss, row.distance]);
    }
    assert.deepEqual(steps, Array.from({ length: 15 }, (_, i) => i + 1));
    const whole = history.map((e) => [e.epoch, e.steps, e.generatorLoss, e.distance]);
    // The line of the epoch that was cut stands before that of the whole one.
    assert.deepEqual(epochs.filter((_, i) => i !== 1), whole);
    assert.equal(history[1].image, join(dir, "image_at_epoch_0002.png"));
    const record = JSON.parse(await Deno.readTextFile(join(dir, "run.json")));
    assert.equal(record.seed, 3);
    assert.equal(record.configuration.batchSize, 16);
    const sessions = record.sessions as { fromStep: number; command?: string[] }[];
    assert.deepEqual(sessions.map((s) => [s.fromStep, s.command]), [
      [0, ["train", "--seed=3"]],
      [7, undefined],
    ]);
    // The curves begin with the first step, and the epochs are where they were.
    const other = join(dir, "straight");
    await trainDCGAN({ ...SMALL, outDir: other });
    const svg = (of: string) => Deno.readTextFile(join(of, "losses.svg"));
    assert.match(await svg(dir), /^<svg|^<\?xml/);
    assert.equal(await svg(dir), await svg(other));
    assert.equal(names(join(dir, "tensorboard")).length, 2);
  }));

Deno.test("train: a resume removes what a killed process was writing", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 2 });
    const checkpoints = join(dir, "training_checkpoints");
    const left = [
      join(dir, ".losses.svg.0123abcd.tmp"),
      join(checkpoints, ".ckpt-0001.safetensors.0123abcd.tmp"),
    ];
    for (const path of left) await Deno.writeTextFile(path, "half");
    await trainDCGAN({ ...SMALL, outDir: dir, resume: true, maxSteps: 3 });
    for (const folder of [dir, checkpoints]) {
      assert.deepEqual(names(folder).filter((name) => name.endsWith(".tmp")), []);
    }
  }));

Deno.test("train: TensorBoard's log has losses, distance and images, where a folder has no record too", () =>
  inFolder(async (dir) => {
    const scalars = new Map<string, number[]>();
    const images: number[] = [];
    const log = TensorBoardLog.prototype;
    const { scalars: addScalars, image } = log;
    log.scalars = function (step, values) {
      for (const name of Object.keys(values)) {
        scalars.set(name, [...scalars.get(name) ?? [], step]);
      }
      return addScalars.call(this, step, values);
    };
    log.image = function (step, ...rest) {
      images.push(step);
      return image.call(this, step, ...rest);
    };
    try {
      await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 7 });
      await Deno.remove(join(dir, "run.json"));
      await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
    } finally {
      Object.assign(log, { scalars: addScalars, image });
    }
    const steps = Array.from({ length: 15 }, (_, i) => i + 1);
    assert.deepEqual(scalars.get("loss/generator"), steps);
    assert.deepEqual(scalars.get("loss/discriminator"), steps);
    assert.deepEqual(scalars.get("distance"), [5, 7, 10, 15]);
    assert.deepEqual(images, [5, 7, 10, 15]);
  }));

Deno.test("train: what happened is in the log before it is told or saved", () =>
  inFolder(async (dir) => {
    const path = join(dir, "metrics.jsonl");
    const last = () => JSON.parse(Deno.readTextFileSync(path).trimEnd().split("\n").at(-1)!);
    const seen: unknown[] = [];
    using _run = await trainDCGAN({
      ...SMALL,
      maxSteps: 7,
      outDir: dir,
      checkpoint: { everyMinutes: 1e-9 },
      onEpoch: ({ epoch }) => {
        assert.deepEqual([last().type, last().epoch], ["epoch", epoch]);
        seen.push(`epoch ${epoch}`);
      },
      onMessage: (text) => {
        const step = text.match(/^wrote .*-step-(\d+)/)?.[1];
        if (step === undefined) return;
        assert.equal(last().step, Number(step));
        seen.push(Number(step));
      },
    });
    assert.deepEqual(seen, [1, 2, 3, 4, "epoch 1", 6, 7, "epoch 2"]);
  }));

Deno.test("train: a log that cannot be read is put aside, and training goes on", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 7 });
    const path = join(dir, "metrics.jsonl");
    const lines = (await Deno.readTextFile(path)).split("\n");
    lines[2] = "rubbish";
    await Deno.writeTextFile(path, lines.join("\n"));
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    const run = await trainDCGAN({ ...SMALL, outDir: dir, resume: true, onMessage });
    assert.deepEqual(await weights(run), expected);
    assert.ok(messages.some((m) => /Line 3.*it is now .*\.damaged/.test(m)), messages.join("\n"));
    assert.equal(await Deno.readTextFile(`${path}.damaged`), lines.join("\n"));
  }));

Deno.test("train: a record that says nothing does not stop a resume", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 2 });
    const path = join(dir, "run.json");
    await Deno.writeTextFile(path, '{"format":1,"sessions":[]}');
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    using _run = await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 3, resume: true, onMessage });
    assert.ok(messages.some((text) => /run.json .*it has no configuration/.test(text)));
    assert.equal(JSON.parse(await Deno.readTextFile(path)).configuration.seed, 3);
  }));

Deno.test("train: a log that cannot be closed does not keep the other open", () =>
  inFolder(async (dir) => {
    const { close: ofMetrics } = MetricsLog.prototype;
    const { close: ofTensorBoard } = TensorBoardLog.prototype;
    let closed = 0;
    MetricsLog.prototype.close = async function () {
      await ofMetrics.call(this);
      throw new Error("planted");
    };
    TensorBoardLog.prototype.close = async function () {
      await ofTensorBoard.call(this);
      closed++;
    };
    try {
      await assert.rejects(trainDCGAN({ ...SMALL, maxSteps: 1, outDir: dir }), /planted/);
    } finally {
      MetricsLog.prototype.close = ofMetrics;
      TensorBoardLog.prototype.close = ofTensorBoard;
    }
    assert.equal(closed, 1);
  }));

Deno.test("train: a network that overpowers the other is said, with the numbers", async () => {
  const messages: string[] = [];
  const onMessage = (text: string) => messages.push(text);
  using _run = await trainDCGAN({
    ...SMALL,
    ...OVERPOWERED,
    onMessage,
  });
  assert.ok(messages.some((m) => /discriminator overpowers/.test(m)), messages.join("\n"));
});
