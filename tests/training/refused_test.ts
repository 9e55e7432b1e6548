/** Training that does not fit, or whose commands the device refuses: errors name what, and the way out. */

import assert from "node:assert/strict";
import {
  Generator,
  Gpu,
  GpuValidationError,
  OutOfMemoryError,
  Trainer,
  type TrainerOptions,
} from "../../mod.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { assertClose } from "../support/close.ts";
import { stateDigests } from "../support/digest.ts";
import { blobs } from "../support/dataset.ts";
import { leastDevice, NARROWER, refusal, SMALLER_BATCH, writeOne } from "../support/refused.ts";
import { drain } from "../support/training.ts";
import { guarded } from "../support/watchdog.ts";

/** A test with a device of the least limits. */
function test(name: string, body: (gpu: Gpu, limits: GPUSupportedLimits) => Promise<void>): void {
  Deno.test(`refused: ${name}`, () =>
    guarded(async () => {
      const device = await leastDevice();
      using gpu = Gpu.from(device);
      await body(gpu, device.limits);
      device.destroy();
    }));
}

const SMALL = {
  dataset: blobs(32),
  batchSize: 16,
  epochs: 2,
  noiseDim: 10,
  generatorWidths: [16, 8, 8],
  discriminatorWidths: [8, 8],
  evaluateEvery: Infinity,
} satisfies TrainerOptions;

test(
  "the tutorial's network at batch 4,096",
  async (gpu, { maxStorageBufferBindingSize: most }) => {
    // Bytes that nothing reads: the step is refused when it is compiled.
    const dataset = {
      ...blobs(1),
      count: 4096,
      images: new Uint8Array(4096 * 784),
      labels: undefined,
    };
    const trainer = await Trainer.create({ dataset, gpu, batchSize: 4096 });
    const error = await refusal(trainer.step());
    assert.ok(error instanceof OutOfMemoryError, error.stack);
    const [, op, bytes] = error.message.match(/^(\w+ \[4096, .*?\]).* needs (\d+) bytes in one/)!;
    assert.ok(op && Number(bytes) > most, error.message);
    assert.ok(error.message.includes(`this device's maxStorageBufferBindingSize is ${most}. `));
    assert.match(error.message, SMALLER_BATCH);
    assert.equal(trainer.steps, 0);
    trainer[Symbol.dispose]();
    assert.equal(gpu.context.memory.count, 0);
  },
);

for (
  const [where, limit, widths] of [
    ["a binding", "maxStorageBufferBindingSize", { generatorWidths: [1200, 1200, 64] }],
    ["a buffer", "maxBufferSize", { generatorWidths: [2000, 2000, 64] }],
    ["the host's memory, too", "maxBufferSize", { generatorWidths: [200000, 200000, 64] }],
    ["a buffer, in the discriminator", "maxBufferSize", { discriminatorWidths: [2000, 2000] }],
  ] as const
) {
  test(`a network beyond ${where}: no smaller batch is proposed`, async (gpu, limits) => {
    const error = await refusal((async () => {
      using trainer = await Trainer.create({ ...SMALL, ...widths, gpu });
      await trainer.step();
    })());
    assert.ok(error instanceof OutOfMemoryError, error.stack);
    assert.match(error.message, NARROWER);
    assert.equal(error.message.match(/max\w+ is \d+/)![0], `${limit} is ${limits[limit]}`);
    assert.match(error.message, /conv2d\w*(\/kernel)? \[\d+, \d+, \d+, \d+\]/);
    assert.equal(gpu.context.memory.count, 0);
  });
}

test("more images than the device holds at once are made in bunches", async (gpu) => {
  using roomy = await Gpu.request();
  // What is before the last layer is 1 MiB an image: 256 of them are more than a binding holds.
  const options = { height: 128, width: 128, widths: [8, 8, 64], noiseDim: 10, seed: 5 } as const;
  const noise = seedNoise(256, 10, 1);
  using sampler = new Sampler(gpu, new Generator(gpu, options), 256);
  using few = new Sampler(roomy, new Generator(roomy, options), 8);
  const images = await sampler.sample(noise);
  assert.equal(images.length, 256 * 128 * 128);
  const last = 248;
  const expected = await few.sample(noise.subarray(last * 10));
  assertClose(images.subarray(last * 128 * 128), expected, { atol: 1e-5 });
});

test("a trainer whose step may have been refused goes on from a restored state only", async (gpu) => {
  using straight = await Trainer.create({ ...SMALL, gpu });
  await drain(straight);
  using trainer = await Trainer.create({ ...SMALL, gpu });
  await trainer.step();
  const snapshot = await trainer.snapshot();
  for (const taken of [false, true]) {
    const step = trainer.step();
    // In the queue it comes right behind the step.
    new CommandList(gpu.context, "a list").dispatch(
      writeOne("planted [1]", gpu.context.memory.buffer(4, "mine")),
    );
    const list = new CommandList(gpu.context, "a list");
    list.dispatch(writeOne("planted [1]", gpu.context.memory.buffer(256, "mine"), 65536));
    list.submit();
    if (taken) {
      // Another call throws the error first.
      await new Promise((resolve) => setTimeout(resolve, 0));
      try {
        gpu.context.errors.check();
      } catch { /* as it should */ }
    }
    assert.match((await refusal(step)).message, /^planted \[1\]/);
    for (const act of [trainer.step(), trainer.epoch(), trainer.snapshot()]) {
      const { message, cause } = await refusal(act);
      assert.match(message, /^Cannot begin .* may not have been trained \(planted \[1\] .*\)\. /);
      assert.match(message, /Restore a snapshot or checkpoint first$/);
      assert.ok(cause instanceof GpuValidationError);
    }
    await trainer.restore(snapshot);
  }
  const losses: number[] = [];
  for await (const event of trainer) {
    if (event.type === "step") losses.push(event.generatorLoss, event.discriminatorLoss);
  }
  assert.ok(losses.length === 6 && losses.every((loss) => loss > 0 && loss < 10), losses.join());
  assert.deepEqual(await stateDigests(trainer), await stateDigests(straight));
  const mean = (trainer: Trainer) => trainer.history.at(-1)!.generatorLoss;
  assert.equal(mean(trainer), mean(straight), "its losses are its own");
});
