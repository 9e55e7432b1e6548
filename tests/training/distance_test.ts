/** How far a generator under training is from the data. */

import assert from "node:assert/strict";
import { Gpu, Trainer, type TrainerOptions } from "../../mod.ts";
import { SMALL as ENDLESS } from "../support/dataset.ts";

const gpu = await Gpu.request();

/** Three epochs of five steps. */
const SMALL = { ...ENDLESS, gpu, epochs: 3 } satisfies TrainerOptions;

async function train(trainer: Trainer): Promise<void> {
  for await (const _ of trainer);
}

Deno.test("distance: the distance falls as training goes on; it can be left out", async () => {
  using trainer = await Trainer.create({ ...SMALL, learningRate: 2e-3, beta1: 0.5, epochs: 20 });
  const before = await trainer.distance();
  await train(trainer);
  const after = await trainer.distance();
  assert.ok(after < before / 2, `${before} to ${after}`);
  assert.equal(trainer.history.at(-1)!.distance, after);
  using without = await Trainer.create({ ...SMALL, distance: false });
  await without.epoch();
  assert.ok(!("distance" in without.history[0]));
  assert.equal((await without.snapshot()).distance, undefined);
});

Deno.test("distance: a distance that overlaps a restore, or a write, is not taken for a later one", async () => {
  using trainer = await Trainer.create(SMALL);
  await trainer.epoch();
  const first = await trainer.snapshot();
  await trainer.epoch();
  const second = await trainer.snapshot();
  assert.notEqual(first.distance, second.distance);
  await trainer.restore(first);
  await trainer.restore(second);
  const [kernel] = trainer.generator.variables;
  kernel.write(await kernel.read()); // the same weights, written anew
  const overlapping = trainer.distance();
  await trainer.restore(first);
  assert.equal(await overlapping, second.distance);
  assert.equal(await trainer.distance(), first.distance);
  kernel.write(new Float32Array(kernel.size));
  assert.notEqual(await trainer.distance(), first.distance);
});

Deno.test("distance: a distance is of the weights as they were when it was asked for", async () => {
  using trainer = await Trainer.create(SMALL);
  const before = trainer.distance();
  await trainer.step(); // begins while the images are on their way
  const [first, second] = [await before, await trainer.distance()];
  using other = await Trainer.create(SMALL);
  assert.equal(first, await other.distance());
  await other.step();
  assert.equal(second, await other.distance());
});
