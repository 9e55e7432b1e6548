/** Long runs hold on to nothing; the short form. `deno task long` is the long one, with times. */

import assert from "node:assert/strict";
import { Gpu, ops, Trainer } from "../../mod.ts";
import { stateDigests } from "../support/digest.ts";
import { inFolder } from "../support/folder.ts";
import {
  assertConstant,
  countReactions,
  type Held,
  inQuarter,
  Listeners,
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

function assertFlat(held: readonly Held[]): void {
  assertConstant(held);
  const steps = inQuarter(held, 3, "steps") - inQuarter(held, 1, "steps");
  for (const key of ["objects", "external"] as const) {
    const growth = inQuarter(held, 3, key) - inQuarter(held, 1, key);
    assert.ok(growth <= BYTES_A_STEP * steps, `${key} grew by ${growth} bytes in ${steps} steps`);
  }
}

Deno.test("long run: 1,500 steps without a folder hold on to nothing", () =>
  guarded(async () => assertFlat(await longRun(1500)), 120));

Deno.test("long run: 1,500 steps with log, TensorBoard, curves, images and checkpoints, too", () =>
  inFolder((dir) =>
    guarded(async () => assertFlat(await longRun(1500, { outDir: `${dir}/run` })), 120)
  ));

Deno.test("long run: two trainers on one device, and one on another, disturb each other in nothing", () =>
  guarded(async () => {
    using gpu = await Gpu.request();
    using other = await Gpu.request();
    const options = { ...TINY, epochs: 1000, maxSteps: 300 };
    const make = (gpu: Gpu, seed: number) => Trainer.create({ ...options, gpu, seed });
    using a = await make(gpu, 1);
    using b = await make(gpu, 1);
    using c = await make(other, 1);
    using d = await make(gpu, 2);
    const all = [a, b, c, d];
    const losses = await Promise.all(all.map(async (trainer) => {
      const own: number[] = [];
      for await (const event of trainer) {
        if (event.type !== "step") continue;
        own.push(event.generatorLoss, event.discriminatorLoss);
        // What another one of the same device does meanwhile is at a place of its own in the queue.
        if (event.step % 40 === 0) await trainer.sample({ count: 2 + event.step % 3 });
      }
      return own;
    }));
    assert.equal(losses[0].length, 600);
    assert.deepEqual(losses[1], losses[0]);
    assert.deepEqual(losses[2], losses[0]);
    assert.notDeepEqual(losses[3], losses[0]);
    const [ofA, ofB, ofC] = await Promise.all(all.map((trainer) => stateDigests(trainer)));
    assert.deepEqual(ofB, ofA);
    assert.deepEqual(ofC, ofA);
  }, 120));

Deno.test("long run: many Gpus of one device leave nothing behind on it", () =>
  guarded(async () => {
    using listeners = new Listeners();
    const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
    const reactions = countReactions(device);
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
  }));
