/** Images of a generator under training. */

import assert from "node:assert/strict";
import { Gpu, Trainer, type TrainerOptions } from "../../mod.ts";
import { SMALL as ENDLESS } from "../support/dataset.ts";
import { stateDigests } from "../support/digest.ts";

const gpu = await Gpu.request();

/** Three epochs of five steps. */
const SMALL = { ...ENDLESS, gpu, epochs: 3 } satisfies TrainerOptions;

async function train(trainer: Trainer): Promise<void> {
  for await (const _ of trainer);
}

Deno.test("samples: samples depend on the seed only, and do not disturb training", async () => {
  using trainer = await Trainer.create(SMALL);
  const a = await trainer.sample({ count: 3, seed: 5 });
  assert.equal(a.length, 3 * 784);
  assert.ok(a.every((v) => v >= -1 && v <= 1));
  assert.deepEqual(await trainer.sample({ count: 3, seed: 5 }), a);
  assert.notDeepEqual(await trainer.sample({ count: 3, seed: 6 }), a);
  assert.equal((await trainer.sample()).length, 16 * 784);
  await assert.rejects(trainer.sample({ count: 0 }), /count must be a whole number/);
  await train(trainer);
  using other = await Trainer.create(SMALL);
  await train(other);
  assert.deepEqual(await stateDigests(trainer), await stateDigests(other));
  assert.notDeepEqual(await trainer.sample({ count: 3, seed: 5 }), a);
});

Deno.test("samples: samples of many numbers do not fill the device", async () => {
  using trainer = await Trainer.create(SMALL);
  const wanted = await trainer.sample({ count: 2 });
  for (const count of [3, 4, 5]) await trainer.sample({ count });
  const { count: before } = gpu.context.memory;
  for (const count of [6, 7, 8, 9]) await trainer.sample({ count });
  assert.equal(gpu.context.memory.count, before);
  // Several at once, which end in any order.
  const many = await Promise.all([2, 3, 4, 5, 6, 2].map((count) => trainer.sample({ count })));
  assert.deepEqual(many.map((images) => images.length / 784), [2, 3, 4, 5, 6, 2]);
  assert.deepEqual([many[0], many[5]], [wanted, wanted]);
  assert.equal(gpu.context.memory.count, before);
});

Deno.test("samples: more images than one run makes are those of several, of one moment", async () => {
  using trainer = await Trainer.create(SMALL);
  const few = await trainer.sample({ count: 256 });
  const images = trainer.sample({ count: 600 });
  await trainer.step();
  const many = await images;
  assert.equal(many.length, 600 * 784);
  assert.deepEqual(many.subarray(0, few.length), few);
  using other = await Trainer.create(SMALL);
  assert.deepEqual(await other.sample({ count: 600 }), many);
  assert.ok(many.subarray(599 * 784).some((x) => x !== 0));
  assert.notDeepEqual(await trainer.sample({ count: 600 }), many);
});
