/** Images of a generator under training, and how far they are from the data. */

import assert from "node:assert/strict";
import { Trainer, type TrainerOptions } from "../../mod.ts";
import { stateDigests } from "../support/digest.ts";
import { gpu, SMALL } from "../support/small.ts";
import { drain } from "../support/training.ts";

const create = (options: Partial<TrainerOptions> = {}) => Trainer.create({ ...SMALL, ...options });

Deno.test("samples: they depend on the seed only, and do not disturb training", async () => {
  using trainer = await create();
  const a = await trainer.sample({ count: 3, seed: 5 });
  assert.equal(a.length, 3 * 64);
  assert.ok(a.every((v) => v >= -1 && v <= 1));
  assert.deepEqual(await trainer.sample({ count: 3, seed: 5 }), a);
  assert.notDeepEqual(await trainer.sample({ count: 3, seed: 6 }), a);
  assert.equal((await trainer.sample()).length, 16 * 64);
  await assert.rejects(trainer.sample({ count: 0 }), /count must be a whole number/);
  await trainer.epoch();
  using other = await create();
  await other.epoch();
  assert.deepEqual(await stateDigests(trainer), await stateDigests(other));
  assert.notDeepEqual(await trainer.sample({ count: 3, seed: 5 }), a);
});

Deno.test("samples: those of many numbers do not fill the device", async () => {
  using trainer = await create();
  const wanted = await trainer.sample({ count: 2 });
  for (const count of [3, 4, 5]) await trainer.sample({ count });
  const { count: before } = gpu.context.memory;
  for (const count of [6, 7, 8, 9]) await trainer.sample({ count });
  assert.equal(gpu.context.memory.count, before);
  // Several at once, which end in any order.
  const many = await Promise.all([2, 3, 4, 5, 6, 2].map((count) => trainer.sample({ count })));
  assert.deepEqual(many.map((images) => images.length / 64), [2, 3, 4, 5, 6, 2]);
  assert.deepEqual([many[0], many[5]], [wanted, wanted]);
  assert.equal(gpu.context.memory.count, before);
});

Deno.test("samples: more images than one run makes are those of several, of one moment", async () => {
  using trainer = await create();
  const few = await trainer.sample({ count: 256 });
  const images = trainer.sample({ count: 600 });
  await trainer.step();
  const many = await images;
  assert.equal(many.length, 600 * 64);
  assert.deepEqual(many.subarray(0, few.length), few);
  using other = await create();
  assert.deepEqual(await other.sample({ count: 600 }), many);
  assert.ok(many.subarray(599 * 64).some((x) => x !== 0));
  assert.notDeepEqual(await trainer.sample({ count: 600 }), many);
});

Deno.test("samples: the distance falls as training goes on; it can be left out", async () => {
  using trainer = await create({ learningRate: 2e-3, beta1: 0.5, epochs: 20 });
  const before = await trainer.distance();
  await drain(trainer);
  const after = await trainer.distance();
  assert.ok(after < before / 2, `${before} to ${after}`);
  assert.equal(trainer.history.at(-1)!.distance, after);
  using without = await create({ distance: false });
  await without.epoch();
  assert.ok(!("distance" in without.history[0]));
  assert.equal((await without.snapshot()).distance, undefined);
});

Deno.test("samples: a distance that overlaps a restore, or a write, is not taken for a later one", async () => {
  using trainer = await create();
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

Deno.test("samples: a distance is of the weights as they were when it was asked for", async () => {
  using trainer = await create();
  const before = trainer.distance();
  await trainer.step(); // begins while the images are on their way
  const [first, second] = [await before, await trainer.distance()];
  using other = await create();
  assert.equal(first, await other.distance());
  await other.step();
  assert.equal(second, await other.distance());
});
