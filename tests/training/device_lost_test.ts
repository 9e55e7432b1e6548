/** Devices that are lost, in the middle of whatever is under way. */

import assert from "node:assert/strict";
import {
  AdapterError,
  DeviceLostError,
  Gpu,
  ops,
  trainDCGAN,
  Trainer,
  type TrainerOptions,
} from "../../mod.ts";
import { CheckpointFolder } from "../../src/files/checkpoints.ts";
import { blobs } from "../support/dataset.ts";
import { stateDigests, variableDigests } from "../support/digest.ts";
import { inFolder } from "../support/folder.ts";
import { readMetrics } from "../../mod.ts";
import { basename, join } from "node:path";

/** Five steps an epoch; the device is the trainer's own. */
const SMALL = {
  dataset: blobs(70),
  batchSize: 16,
  epochs: 3,
  noiseDim: 10,
  generatorWidths: [16, 8, 8],
  discriminatorWidths: [8, 8],
  seed: 3,
} satisfies TrainerOptions;

const straight = await Trainer.create(SMALL);
const told: unknown[] = [];
for await (const event of straight) told.push(describe(event));
const expected = await stateDigests(straight);
straight[Symbol.dispose]();

function describe(event: object): unknown {
  const { seconds: _, ...rest } = event as { seconds?: number };
  return rest;
}

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

for (const at of [1, 3, 5, 6, 8]) {
  Deno.test(`device lost: after step ${at} is told, the run goes on and tells nothing twice`, async () => {
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    using trainer = await Trainer.create({ ...SMALL, onMessage });
    const events: unknown[] = [];
    for await (const event of trainer) {
      events.push(describe(event));
      if (event.type === "step" && event.step === at) trainer.gpu.device.destroy();
    }
    assert.deepEqual(events, told);
    assert.deepEqual(await stateDigests(trainer), expected);
    assert.equal(messages.length, 1);
    assert.match(messages[0], /device was lost \(.*\): .*requesting another.* \(1 of 3 times\)/);
  });
}

Deno.test("device lost: while steps are under way", async () => {
  using trainer = await Trainer.create(SMALL);
  const events: unknown[] = [];
  setTimeout(() => trainer.gpu.device.destroy(), 150);
  for await (const event of trainer) events.push(describe(event));
  assert.deepEqual(events, told);
  assert.deepEqual(await stateDigests(trainer), expected);
});

Deno.test("device lost: before a step, an epoch, a sample and a snapshot", async () => {
  using trainer = await Trainer.create({ ...SMALL, deviceLosses: 4 });
  trainer.gpu.device.destroy();
  assert.equal((await trainer.step()).step, 1);
  trainer.gpu.device.destroy();
  assert.deepEqual((await trainer.epoch()).steps, 5);
  trainer.gpu.device.destroy();
  const images = await trainer.sample({ count: 4 });
  using other = await Trainer.create(SMALL);
  await other.epoch();
  assert.deepEqual(images, await other.sample({ count: 4 }));
  trainer.gpu.device.destroy();
  for await (const _ of trainer);
  assert.deepEqual(await stateDigests(trainer), expected);
  // Once too often.
  trainer.gpu.device.destroy();
  await assert.rejects(trainer.snapshot(), DeviceLostError);
});

Deno.test("device lost: a restored state is what another device goes on from", async () => {
  using trainer = await Trainer.create(SMALL);
  for (let i = 0; i < 7; i++) await trainer.step();
  const snapshot = await trainer.snapshot();
  using other = await Trainer.create(SMALL);
  await other.restore(snapshot);
  other.gpu.device.destroy();
  for await (const _ of other);
  assert.deepEqual(await stateDigests(other), expected);
});

Deno.test("device lost: a device of the caller's is not replaced", async () => {
  using gpu = await Gpu.request();
  const trainer = await Trainer.create({ ...SMALL, gpu });
  await trainer.step();
  gpu.device.destroy();
  await assert.rejects(trainer.step(), DeviceLostError);
  await assert.rejects(trainer.sample(), DeviceLostError);
  trainer[Symbol.dispose]();
  await assert.rejects(
    Trainer.create({ ...SMALL, deviceLosses: -1 }),
    /deviceLosses must be a whole number, got -1/,
  );
});

Deno.test("device lost: trainDCGAN's log, images and checkpoints are those of a run without", () =>
  inFolder(async (dir) => {
    const [a, b] = [join(dir, "a"), join(dir, "b")];
    const devices: Gpu[] = [];
    const gpu = async () => {
      devices.push(await Gpu.request());
      return devices.at(-1)!;
    };
    const options = { ...SMALL, imageEverySteps: 4, checkpoint: { everyEpochs: 1 } };
    using _plain = await trainDCGAN({ ...options, outDir: a });
    const lose = (step: number) => {
      if (step === 4 || step === 12) devices.at(-1)!.device.destroy();
    };
    using _lossy = await trainDCGAN({
      ...options,
      outDir: b,
      gpu,
      onImage: ({ step }) => lose(step),
    });
    assert.equal(devices.length, 3);
    const log = async (run: string) => {
      const rows: unknown[] = [];
      for await (const { time: _, ...row } of readMetrics(join(run, "metrics.jsonl"))) {
        rows.push(describe(row));
      }
      return rows;
    };
    assert.deepEqual(await log(b), await log(a));
    for (const { name, isFile } of Deno.readDirSync(a)) {
      if (!isFile || !name.endsWith(".png")) continue;
      assert.deepEqual(
        await Deno.readFile(join(b, name)),
        await Deno.readFile(join(a, name)),
        name,
      );
    }
  }));

/** A function that requests devices, and those it gave. */
function counted(): { readonly request: () => Promise<Gpu>; readonly given: Gpu[] } {
  const given: Gpu[] = [];
  const request = async () => {
    given.push(await Gpu.request());
    return given.at(-1)!;
  };
  return { request, given };
}

const isLive = ({ context }: Gpu) => context.memory.count > 0;

Deno.test("device lost: calls that wait for one device are given one other", async () => {
  for (const delay of [0, 5, 30]) {
    const { request, given } = counted();
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    const trainer = await Trainer.create({ ...SMALL, gpu: request, onMessage });
    await trainer.epoch();
    const calls = [
      trainer.epoch(),
      trainer.sample({ count: 4 }),
      trainer.sample(),
      trainer.distance(),
    ];
    await new Promise((done) => setTimeout(done, delay));
    trainer.gpu.device.destroy();
    for (const outcome of await Promise.allSettled(calls)) {
      assert.equal(outcome.status, "fulfilled");
    }
    assert.equal(given.length, 2, messages.join("\n"));
    assert.equal(messages.length, 1, messages.join("\n"));
    for await (const _ of trainer);
    assert.deepEqual(await stateDigests(trainer), expected);
    assert.deepEqual(trainer.history.map(({ steps }) => steps), [5, 5, 5]);
    trainer[Symbol.dispose]();
    assert.ok(!given.some(isLive), "none is left");
  }
});

Deno.test("device lost: under an iteration with samples beside it, nothing is told twice", async () => {
  using trainer = await Trainer.create(SMALL);
  let over = false;
  const sampling = (async () => {
    while (!over) await trainer.sample({ count: 4 });
  })();
  const events: unknown[] = [];
  for await (const event of trainer) {
    events.push(describe(event));
    if (event.type === "step" && event.step === 7) {
      setTimeout(() => trainer.gpu.device.destroy(), 5);
    }
  }
  over = true;
  await sampling;
  assert.deepEqual(events, told);
  assert.deepEqual(
    trainer.history.map(describe),
    told.filter((event) => "steps" in (event as object))
      .map((event) => {
        const { type: _, ...rest } = event as { type: string };
        return rest;
      }),
  );
  assert.deepEqual(await stateDigests(trainer), expected);
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
        onStep: ({ step }) => {
          if (step === 7 || step === 12) given.at(-1)!.device.destroy();
        },
      });
      await assert.rejects(run, DeviceLostError);
      const folder = new CheckpointFolder(join(dir, "training_checkpoints"));
      const { path } = await folder.latest(() => {});
      // Lost in the second or third epoch, for the last time: the end of the one before is there, or
      // of that one, if its steps were looked at together.
      const epoch = Number(/^ckpt-(\d+)\.safetensors$/.exec(basename(path))![1]);
      assert.ok(epoch === (owned ? 2 : 1) || epoch === (owned ? 3 : 2), path);
      using whole = await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
      using other = await trainDCGAN(SMALL);
      const weights = (of: typeof whole) => variableDigests(of.generator.variables);
      assert.deepEqual(await weights(whole), await weights(other));
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

Deno.test("device lost: a driver that is not back at once is asked again; one that never is, is said", async () => {
  const { request } = counted();
  let asked = 0;
  const reluctant = async () => {
    if (++asked === 2) throw new AdapterError("No WebGPU adapter was found");
    if (asked > 3) throw new Error("not any more");
    return await request();
  };
  using trainer = await Trainer.create({ ...SMALL, gpu: reluctant, deviceLosses: 3 });
  await trainer.step();
  trainer.gpu.device.destroy();
  assert.equal((await trainer.step()).step, 2);
  assert.equal(asked, 3);
  trainer.gpu.device.destroy();
  await assert.rejects(
    trainer.step(),
    (error: Error) =>
      error instanceof DeviceLostError && /device was lost .* not any more/.test(error.message),
  );
});
