/** Devices that are lost in the middle of whatever is under way, and runs that go on. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import {
  AdapterError,
  DeviceLostError,
  type EpochEvent,
  Gpu,
  trainDCGAN,
  Trainer,
  type TrainOptions,
} from "../../mod.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";
import { checkpoints, images, logged, loggedSteps, stateOf } from "../support/run_state.ts";
import { gpu, SMALL, test, tinyBlobs } from "../support/small.ts";
import { scalarsIn } from "../support/tensorboard.ts";
import { ACTS, counted, namesIn, stepsTo, timeless, weightsOf } from "../support/training.ts";

/** Five steps an epoch, all of the same batch size: each new device compiles a single step. */
const OPTIONS = {
  ...SMALL,
  dataset: tinyBlobs(80),
  evaluateEvery: Infinity,
  imageEverySteps: 4,
} satisfies TrainOptions;

/** An epoch without times and paths. */
const factsOf = ({ image: _, picture: __, ...event }: EpochEvent) => timeless(event);

/**
 * A run whose device is lost at the first report or message that matches a pattern, for each pattern;
 * what it reported, and its devices. They are its own unless `gpu` is given.
 */
async function lossy(options: Partial<TrainOptions>, ...patterns: RegExp[]) {
  const { request, given } = counted();
  const reports: string[] = [];
  const messages: string[] = [];
  const add = (texts: string[], text: string) => {
    texts.push(text);
    const at = patterns.findIndex((pattern) => pattern.test(text));
    if (at < 0) return;
    patterns.splice(at, 1);
    given.at(-1)!.device.destroy();
  };
  const run = await trainDCGAN({
    ...OPTIONS,
    gpu: request,
    ...options,
    onStep: ({ step, generatorLoss, discriminatorLoss }) =>
      add(reports, `step ${step} ${generatorLoss} ${discriminatorLoss}`),
    onEpoch: (event) => add(reports, `epoch ${event.epoch} ${JSON.stringify(factsOf(event))}`),
    onImage: ({ step, images }) => add(reports, `image ${step} ${images.length}`),
    onMessage: (text) => add(messages, text),
  });
  assert.deepEqual(patterns, []);
  return { run, reports, messages, given };
}

const straight = await lossy({ gpu });
const expected = await weightsOf(straight.run);

const LOST = /device was lost \(.*\): .*requesting another/;

const CALLS: typeof ACTS = { ...ACTS, "no call": () => Promise.resolve() };
for (const [name, act] of Object.entries(CALLS)) {
  Deno.test(`device lost: under ${name} of a trainer, that rejects and so does all else; another goes on`, async () => {
    const { request, given } = counted();
    const trainer = await Trainer.create({ ...OPTIONS, gpu: request });
    await trainer.step();
    const snapshot = await trainer.snapshot();
    await trainer.step();
    // It may have ended by then.
    const pending = act(trainer).catch((error) => {
      assert.ok(error instanceof DeviceLostError, `${name}: ${error}`);
    });
    await new Promise((done) => setTimeout(done, 5));
    given[0].device.destroy();
    await pending;
    for (const [other, act] of Object.entries(ACTS)) {
      await assert.rejects(act(trainer), DeviceLostError, `${name}, then ${other}`);
    }
    await assert.rejects(trainer.restore(snapshot), DeviceLostError);
    assert.equal(given.length, 1, "it requests no other");
    trainer[Symbol.dispose]();
    using next = await Trainer.create(OPTIONS);
    await next.restore(snapshot);
    for await (const _ of next);
    assert.deepEqual(await weightsOf(next), expected);
  });
}

for (
  const [when, checkpoint, patterns] of [
    ["after steps, and in the images of an epoch", false, [/^step 1 /, /^step 5 /, /^step 8 /]],
    ["after steps, and in the snapshot of an epoch", {}, [/^step 3 /, /^step 6 /, /^epoch 2 /]],
    ["after a checkpoint, and in one", { everyMinutes: 1e-9 }, [/^wrote .*-step-7/, /^image 8 /]],
    ["after the last epoch", { everyEpochs: 1 }, [/^epoch 3 /]],
  ] as const
) {
  test(`device lost: ${when}, the run goes on and reports nothing twice`, async (outDir) => {
    const { run, reports, messages, given } = await lossy({ checkpoint, outDir }, ...patterns);
    assert.deepEqual(reports, straight.reports);
    assert.deepEqual(await weightsOf(run), expected);
    assert.deepEqual(run.history.map(factsOf), straight.run.history.map(factsOf));
    assert.deepEqual([run.steps, given.length], [15, patterns.length + 1], messages.join("\n"));
    const losses = messages.filter((text) => LOST.test(text));
    losses.forEach((text, i) => assert.ok(text.endsWith(` (${i + 1} of 3 times)`), text));
    assert.equal(losses.length, patterns.length);
    run[Symbol.dispose]();
    assert.ok(given.every(({ context }) => context.memory.count === 0), "nothing is left");
  });
}

Deno.test("device lost: while steps are under way", async () => {
  const { request, given } = counted();
  const lose = setInterval(() => {
    if (given.length === 0) return;
    clearInterval(lose);
    setTimeout(() => given[0].device.destroy(), 150);
  }, 1);
  using run = await trainDCGAN({ ...OPTIONS, gpu: request });
  assert.deepEqual(await weightsOf(run), expected);
  assert.equal(given.length, 2);
});

test(
  "device lost: the folder is that of a run without, and every step is in the logs once",
  async (dir) => {
    const [a, b] = [join(dir, "a"), join(dir, "b")];
    const options = { evaluateEvery: 1, evaluateCount: 70, checkpoint: { everyEpochs: 1 } };
    await lossy({ ...options, gpu, outDir: a });
    const patterns = [/^image 4 /, /^step 7 /, /^image 12 /];
    const { given } = await lossy({ ...options, outDir: b }, ...patterns);
    assert.equal(given.length, 4);
    assert.deepEqual(await logged(b), await logged(a));
    assert.deepEqual(await loggedSteps(b), stepsTo(15));
    assert.deepEqual(
      await scalarsIn(join(b, "tensorboard")),
      await scalarsIn(join(a, "tensorboard")),
    );
    assert.deepEqual(namesIn(b), namesIn(a));
    assert.deepEqual(await images(b), await images(a));
    assert.deepEqual(await stateOf(b), await stateOf(a));
    const { sessions } = JSON.parse(await Deno.readTextFile(join(b, "run.json")));
    // The first epoch begins anew, and so does the record; then come the ends of epochs 1 and 2.
    assert.deepEqual(sessions.map((s: { fromStep: number }) => s.fromStep), [0, 5, 10]);
  },
);

test("device lost: on a resume, the run goes on from the checkpoint", async (outDir) => {
  await lossy({ gpu, outDir, maxSteps: 7 });
  const { run, messages } = await lossy({ outDir, resume: true }, /^resumed/, /^step 9 /);
  const losses = messages.filter((text) => LOST.test(text));
  assert.equal(losses.length, 2, messages.join("\n"));
  for (const text of losses) assert.match(text, /going on from step 7 /);
  assert.equal(messages.filter((text) => text.startsWith("resumed")).length, 1);
  assert.deepEqual(await weightsOf(run), expected);
});

Deno.test("device lost: the next device gets the kernels of the one before", async () => {
  const given: Gpu[] = [];
  using run = await trainDCGAN({
    ...OPTIONS,
    maxSteps: 4,
    gpu: async () => {
      given.push(await Gpu.request(given.length ? {} : { tuning: { gemm: "direct" } }));
      return given.at(-1)!;
    },
    onStep: ({ step }) => {
      if (step === 3) given[0].device.destroy();
    },
  });
  assert.equal(given.length, 2);
  assert.deepEqual(run.gpu.tuning, given[0].tuning);
  assert.equal(run.gpu.tuning.gemm, "direct");
});

Deno.test("device lost: once too often, or the caller's, and what is in memory becomes a checkpoint", async () => {
  for (const owned of [true, false]) {
    await inFolder(async (outDir) => {
      const { request, given } = counted();
      const run = trainDCGAN({
        ...OPTIONS,
        gpu: owned ? request : await request(),
        deviceLosses: 1,
        outDir,
        checkpoint: { everyEpochs: 100 },
        onStep: ({ step }) => {
          if (step === 7 || step === 12) given.at(-1)!.device.destroy();
        },
      });
      await assert.rejects(run, DeviceLostError);
      assert.equal(given.length, owned ? 2 : 1);
      const path = (await checkpoints(outDir)).at(-1)!;
      // Lost in the second or third epoch, for the last time: the end of the one before is there, or
      // of that one, if its steps were checked together.
      const epoch = Number(/^ckpt-(\d+)\.safetensors$/.exec(basename(path))![1]);
      assert.ok(epoch === (owned ? 2 : 1) || epoch === (owned ? 3 : 2), path);
      const whole = await trainDCGAN({ ...OPTIONS, outDir, resume: true });
      assert.deepEqual(await weightsOf(whole), expected);
      given.forEach((gpu) => gpu[Symbol.dispose]());
    });
  }
});

Deno.test("device lost: in the preparation of a run", async () => {
  const options = {
    maxSteps: 2,
    dataset: blobs(80),
    generatorWidths: [128, 64, 32], // large enough to be worth measuring
    discriminatorWidths: [32, 64],
    calibrate: { seconds: 0.2 },
  } as const;
  const { run, given } = await lossy(options, /^measuring/);
  assert.equal(run.steps, 2);
  assert.equal(given.length, 2);
});

Deno.test("device lost: a driver that is not back at once is asked again; one that never is ends the run", async () => {
  const { request, given } = counted();
  let asked = 0;
  const reluctant = async () => {
    if (++asked === 2) throw new AdapterError("No WebGPU adapter was found");
    if (asked > 3) throw new Error("not any more");
    return await request();
  };
  const steps: number[] = [];
  const run = trainDCGAN({
    ...OPTIONS,
    gpu: reluctant,
    deviceLosses: 3,
    onStep: ({ step }) => {
      steps.push(step);
      if (step === 2 || step === 8) given.at(-1)!.device.destroy();
    },
  });
  const message = /device was lost .* not any more/;
  await assert.rejects(run, { name: "DeviceLostError", message });
  assert.equal(asked, 4);
  assert.deepEqual(steps, stepsTo(steps.length));
  assert.ok(steps.length >= 8);
});
