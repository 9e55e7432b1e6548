/** Long runs hold on to nothing; the short form. `deno task long` is the long one, with times. */

import assert from "node:assert/strict";
import { Gpu, ops, Trainer } from "../../mod.ts";
import { stateDigests } from "../support/digest.ts";
import { inFolder } from "../support/folder.ts";
import {
  assertConstant,
  countedDevice,
  countListeners,
  inQuarter,
  longRun,
  TINY,
} from "../support/long_run.ts";
import { guarded } from "../support/watchdog.ts";

/**
 * What is left after garbage collection may grow by so many bytes a step: an epoch of 50 is an entry of
 * the history and some 1,100 bytes, and V8 still learns. A promise, an event or a line that stays behind
 * at each step is more.
 */
const BYTES_A_STEP = 64;

const test = (name: string, body: (dir: string) => Promise<void>) =>
  Deno.test(`long run: ${name}`, () => guarded(() => inFolder(body), 120));

for (const files of [false, true]) {
  const which = files
    ? "with log, TensorBoard, curves, images and checkpoints"
    : "without a folder";
  test(`1,500 steps ${which} hold on to nothing`, async (dir) => {
    const held = await longRun(1500, files ? { outDir: `${dir}/run` } : {});
    assertConstant(held);
    const steps = inQuarter(held, 3, "steps") - inQuarter(held, 1, "steps");
    for (const key of ["objects", "external"] as const) {
      const growth = inQuarter(held, 3, key) - inQuarter(held, 1, key);
      assert.ok(growth <= BYTES_A_STEP * steps, `${key} grew by ${growth} bytes in ${steps} steps`);
    }
  });
}

test("two trainers on one device, and one on another, disturb each other in nothing", async () => {
  using gpu = await Gpu.request();
  using other = await Gpu.request();
  const make = (gpu: Gpu, seed: number) =>
    Trainer.create({ ...TINY, epochs: 1000, maxSteps: 120, gpu, seed });
  using a = await make(gpu, 1);
  using b = await make(gpu, 1);
  using c = await make(other, 1);
  using d = await make(gpu, 2);
  const losses = await Promise.all([a, b, c, d].map(async (trainer) => {
    const own: number[] = [];
    for await (const event of trainer) {
      if (event.type !== "step") continue;
      own.push(event.generatorLoss, event.discriminatorLoss);
      // What another one of the same device does meanwhile is at a place of its own in the queue.
      if (event.step % 40 === 0) await trainer.sample({ count: 2 + event.step % 3 });
    }
    return own;
  }));
  assert.equal(losses[0].length, 240);
  assert.deepEqual(losses[1], losses[0]);
  assert.deepEqual(losses[2], losses[0]);
  assert.notDeepEqual(losses[3], losses[0]);
  const [ofA, ofB, ofC] = await Promise.all([a, b, c].map((trainer) => stateDigests(trainer)));
  assert.deepEqual(ofB, ofA);
  assert.deepEqual(ofC, ofA);
});

test("many Gpus of one device leave nothing behind on it", async () => {
  using listeners = countListeners();
  const { device, reactions } = await countedDevice();
  for (let i = 0; i < 100; i++) {
    using gpu = Gpu.from(device);
    using program = gpu.compile({ x: [1] }, ({ x }) => ({ y: ops.neg(x) }));
    program.run({ x: [i] });
    if (i % 20 === 0) assert.deepEqual([...(await program.read()).y], [-i]);
    if (i % 20 === 10) {
      await gpu.context.errors.explain(new Error("some error, which asks whether it is lost"));
    }
  }
  assert.ok(listeners.count <= 0, `${listeners.count} listeners`);
  assert.ok(reactions.count <= 1, `${reactions.count} reactions on device.lost`);
  // Each still learns that the device is lost.
  using gpu = Gpu.from(device);
  using again = Gpu.from(device);
  device.destroy();
  for (const one of [gpu, again, Gpu.from(device)]) {
    await assert.rejects(one.idle(), { name: "DeviceLostError" });
  }
});
