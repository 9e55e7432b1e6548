/** Devices that are lost in the middle of whatever is under way, and runs that go on. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import {
  AdapterError,
  DeviceLostError,
  Gpu,
  ops,
  trainDCGAN,
  Trainer,
  type TrainOptions,
  type TrainResult,
} from "../../mod.ts";
import { SMALL as ENDLESS } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";
import { checkpoints, images, logged, loggedSteps, stateOf } from "../support/run_state.ts";
import { scalarsIn } from "../support/tensorboard.ts";
import { ACTS, counted, namesIn, stepsTo, timeless, weightsOf } from "../support/training.ts";

/** Five steps an epoch; the device is the run's own. */
const SMALL = { ...ENDLESS, epochs: 3 } satisfies TrainOptions;

/** A run whose device the test may lose; what it reported, and with what it ended. */
async function lossy(
  options: Partial<TrainOptions>,
  watch: (lose: () => void, text: string) => void,
): Promise<{ run: TrainResult; reports: string[]; messages: string[]; given: Gpu[] }> {
  const { request, given } = counted();
  const reports: string[] = [];
  const messages: string[] = [];
  const report = (text: string) => {
    reports.push(text);
    watch(() => given.at(-1)!.device.destroy(), text);
  };
  const run = await trainDCGAN({
    ...SMALL,
    ...options,
    gpu: request,
    onStep: ({ step, generatorLoss, discriminatorLoss }) =>
      report(`step ${step} ${generatorLoss} ${discriminatorLoss}`),
    onEpoch: (event) => report(`epoch ${event.epoch} ${JSON.stringify(timeless(event))}`),
    onImage: ({ step, images }) => report(`image ${step} ${images.length}`),
    onMessage: (text) => {
      messages.push(text);
      watch(() => given.at(-1)!.device.destroy(), text);
    },
  });
  return { run, reports, messages, given };
}

const straight = await lossy({ imageEverySteps: 4 }, () => {});
const expected = await weightsOf(straight.run);
straight.run[Symbol.dispose]();

const LOST = /device was lost \(.*\): .*requesting another/;

Deno.test("device lost: every pending read and all that follows is a DeviceLostError", async () => {
  using gpu = await Gpu.request();
  const v = gpu.variable([4], [1, 2, 3, 4]);
  const program = gpu.compile({ x: [64, 64] }, ({ x }) => ({ y: ops.matmul(x, x) }));
  program.run({ x: new Float32Array(64 * 64) });
  const pending = [program.read(), program.read("y"), v.read(), gpu.idle()];
  gpu.device.destroy();
  for (const result of await Promise.allSettled(pending)) {
    assert.equal(result.status, "rejected");
    assert.ok(result.reason instanceof DeviceLostError, String(result.reason));
    assert.match(result.reason.message, /device was lost .* Request a new one/);
  }
  await assert.rejects(program.read(), DeviceLostError);
  assert.throws(() => program.run(), DeviceLostError);
  assert.throws(() => gpu.variable([1]), DeviceLostError);
  assert.throws(() => v.write([1, 2, 3, 4]), DeviceLostError);
});

for (const [name, act] of Object.entries(ACTS)) {
  Deno.test(`device lost: under a ${name} of a trainer, that rejects and so does all else; another goes on`, async () => {
    for (const delay of [undefined, 5]) {
      const { request, given } = counted();
      const trainer = await Trainer.create({ ...SMALL, gpu: request });
      for (let i = 0; i < 3; i++) await trainer.step();
      const snapshot = await trainer.snapshot();
      await trainer.step();
      const lose = async () => {
        if (delay !== undefined) await new Promise((done) => setTimeout(done, delay));
        given[0].device.destroy();
      };
      // Before the call begins, or while it waits; it may have ended by then.
      const pending = delay === undefined ? lose() : act(trainer).catch((error) => {
        assert.ok(error instanceof DeviceLostError, `${name}: ${error}`);
      });
      await lose();
      await pending;
      for (const [other, act] of Object.entries(ACTS)) {
        await assert.rejects(act(trainer), DeviceLostError, `${name}, then ${other}`);
      }
      await assert.rejects(trainer.restore(snapshot), DeviceLostError);
      assert.equal(given.length, 1, "it requests no other");
      trainer[Symbol.dispose]();
      if (delay === undefined) continue;
      using next = await Trainer.create({ ...SMALL, gpu: request });
      await next.restore(snapshot);
      for await (const _ of next);
      assert.deepEqual(await weightsOf(next), expected);
    }
  });
}

for (const at of [1, 3, 5, 6, 8]) {
  Deno.test(`device lost: after step ${at} is reported, the run goes on and reports nothing twice`, async () => {
    const { run, reports, messages, given } = await lossy({ imageEverySteps: 4 }, (lose, text) => {
      if (text.startsWith(`step ${at} `)) lose();
    });
    assert.deepEqual(reports, straight.reports);
    assert.deepEqual(await weightsOf(run), expected);
    assert.deepEqual(run.history.map(timeless), straight.run.history.map(timeless));
    assert.deepEqual([run.steps, given.length, messages.length], [15, 2, 1]);
    assert.match(messages[0], /device was lost \(.*\): .*requesting another.* \(1 of 3 times\)/);
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
  using run = await trainDCGAN({ ...SMALL, gpu: request });
  assert.deepEqual(await weightsOf(run), expected);
  assert.equal(given.length, 2);
});

Deno.test("device lost: the folder is that of a run without, and every step is in the logs once", () =>
  inFolder(async (dir) => {
    const [a, b] = [join(dir, "a"), join(dir, "b")];
    const options = { imageEverySteps: 4, checkpoint: { everyEpochs: 1 } };
    (await lossy({ ...options, outDir: a }, () => {})).run[Symbol.dispose]();
    const { run, given } = await lossy({ ...options, outDir: b }, (lose, text) => {
      if (/^(image 4|step 7|image 12) /.test(text)) lose();
    });
    run[Symbol.dispose]();
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
  }));

for (
  const [what, pattern, options] of [
    ["in the images of an epoch", /^step 5 /, {}],
    ["in the snapshot of an epoch", /^epoch 2 /, {}],
    ["in the snapshot of a checkpoint", /^image 8 /, { checkpoint: { everyMinutes: 1e-9 } }],
    ["after a checkpoint", /^wrote .*-step-7/, { checkpoint: { everyMinutes: 1e-9 } }],
    ["after the last epoch", /^epoch 3 /, { checkpoint: { everyEpochs: 1 } }],
  ] as const
) {
  Deno.test(`device lost: ${what}`, () =>
    inFolder(async (outDir) => {
      let lost = false;
      const all = { ...options, outDir, imageEverySteps: 4 };
      const { run, reports, messages, given } = await lossy(all, (lose, text) => {
        if (lost || !pattern.test(text)) return;
        lost = true;
        lose();
      });
      const withoutPaths = (text: string) => text.replace(/,"(image|picture)":"[^"]*"/g, "");
      assert.deepEqual(reports.map(withoutPaths), straight.reports);
      assert.deepEqual(await weightsOf(run), expected);
      assert.equal(given.length, 2, messages.join("\n"));
      run[Symbol.dispose]();
    }));
}

Deno.test("device lost: on a resume, the run goes on from the checkpoint", () =>
  inFolder(async (dir) => {
    (await lossy({ outDir: dir, maxSteps: 7 }, () => {})).run[Symbol.dispose]();
    const { run, messages } = await lossy({ outDir: dir, resume: true }, (lose, text) => {
      if (/^resumed|^step 9 /.test(text)) lose();
    });
    const losses = messages.filter((text) => LOST.test(text));
    assert.equal(losses.length, 2, messages.join("\n"));
    for (const text of losses) assert.match(text, /going on from step 7 /);
    assert.equal(messages.filter((text) => text.startsWith("resumed")).length, 1);
    assert.deepEqual(await weightsOf(run), expected);
    run[Symbol.dispose]();
  }));

Deno.test("device lost: the next device gets the kernels of the one before", async () => {
  const given: Gpu[] = [];
  using run = await trainDCGAN({
    ...SMALL,
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

Deno.test("device lost: a device of the caller's is not replaced", async () => {
  using gpu = await Gpu.request();
  const onStep = ({ step }: { step: number }) => {
    if (step === 2) gpu.device.destroy();
  };
  await assert.rejects(trainDCGAN({ ...SMALL, gpu, onStep }), DeviceLostError);
});

Deno.test("device lost: once too often, and what is in memory becomes a checkpoint", async () => {
  for (const owned of [true, false]) {
    await inFolder(async (dir) => {
      const { request, given } = counted();
      const gpu = owned ? request : await request();
      const run = trainDCGAN({
        ...SMALL,
        gpu,
        deviceLosses: 1,
        outDir: dir,
        checkpoint: { everyEpochs: 100 },
        onStep: ({ step }) => {
          if (step === 7 || step === 12) given.at(-1)!.device.destroy();
        },
      });
      await assert.rejects(run, DeviceLostError);
      const path = (await checkpoints(dir)).at(-1)!;
      // Lost in the second or third epoch, for the last time: the end of the one before is there, or
      // of that one, if its steps were checked together.
      const epoch = Number(/^ckpt-(\d+)\.safetensors$/.exec(basename(path))![1]);
      assert.ok(epoch === (owned ? 2 : 1) || epoch === (owned ? 3 : 2), path);
      using whole = await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
      assert.deepEqual(await weightsOf(whole), expected);
      given.forEach((gpu) => gpu[Symbol.dispose]());
    });
  }
});

Deno.test("device lost: in the preparation of a run", async () => {
  const { request, given } = counted();
  using run = await trainDCGAN({
    ...SMALL,
    gpu: request,
    maxSteps: 2,
    generatorWidths: [128, 64, 32],
    discriminatorWidths: [32, 64],
    batchSize: 64,
    calibrate: { seconds: 2 },
    onMessage: (text) => {
      if (text.startsWith("measuring") && given.length === 1) given[0].device.destroy();
    },
  });
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
    ...SMALL,
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
