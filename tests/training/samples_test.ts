/** Images of a generator under training, and how they compare with the data. */

import assert from "node:assert/strict";
import { type StreamedDataset, Trainer, type TrainerOptions } from "../../mod.ts";
import { imagesAt } from "../../src/data/dataset.ts";
import { stateDigests } from "../support/digest.ts";
import { gpu, SMALL } from "../support/small.ts";
import { drain, listen } from "../support/training.ts";

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

/** An evaluation an epoch, of as many images as there are real ones. */
const EVALUATED = { evaluateEvery: 1, evaluateCount: 70 };

Deno.test("samples: images come closer to the data as training goes on", async () => {
  using trainer = await create({ ...EVALUATED, learningRate: 2e-3, beta1: 0.5, epochs: 20 });
  const before = await trainer.evaluate();
  deepEqualKeys(
    before,
    ["count", "coverage", "density", "features", "frechetDistance"].concat(
      ["precision", "realCount", "recall"],
    ),
  );
  assert.deepEqual([before.count, before.realCount], [70, 70]);
  assert.match(before.features, /^a fixed random network/);
  await drain(trainer);
  const after = await trainer.evaluate();
  assert.ok(after.frechetDistance < before.frechetDistance / 2);
  const { frechetDistance, coverage } = trainer.history.at(-1)!;
  assert.deepEqual([frechetDistance, coverage], [after.frechetDistance, after.coverage]);
});

const deepEqualKeys = (of: object, keys: readonly string[]) =>
  assert.deepEqual(Object.keys(of).sort(), keys);

Deno.test("samples: evaluations change no bit of the training, and come when the options say so", async () => {
  using evaluated = await create({ ...EVALUATED, evaluateEvery: 2, epochs: 5 });
  using without = await create({ evaluateEvery: Infinity, epochs: 5 });
  await evaluated.evaluate();
  await drain(evaluated);
  await drain(without);
  assert.deepEqual(await stateDigests(evaluated), await stateDigests(without));
  const epochs = ({ history }: Trainer) =>
    history.flatMap((event) => "frechetDistance" in event ? event.epoch : []);
  assert.deepEqual(epochs(evaluated), [2, 4, 5], "the last one, too");
  assert.deepEqual(epochs(without), []);
  assert.ok(!("frechetDistance" in without.history[0]));
});

Deno.test("samples: a snapshot has the distance of its own weights, if it was measured", async () => {
  using trainer = await create(EVALUATED);
  const distance = async () => (await trainer.snapshot()).frechetDistance;
  assert.equal(await distance(), undefined);
  await trainer.epoch();
  const first = await trainer.snapshot();
  assert.equal(first.frechetDistance, trainer.history[0].frechetDistance);
  await trainer.step();
  assert.equal(await distance(), undefined);
  await trainer.restore(first);
  assert.equal(await distance(), undefined);
  assert.equal((await trainer.evaluate()).frechetDistance, first.frechetDistance);
  assert.equal(await distance(), first.frechetDistance);
  const [kernel] = trainer.generator.variables;
  kernel.write(new Float32Array(kernel.size));
  assert.equal(await distance(), undefined);
});

Deno.test("samples: numbers that are not finite are not evaluated, and training goes on", async () => {
  using trainer = await create({ ...EVALUATED, learningRate: 1e30, onNonFinite: "warn" });
  await trainer.epoch();
  await trainer.epoch();
  assert.ok(!("frechetDistance" in trainer.history[1]));
  await assert.rejects(trainer.evaluate(), {
    name: "RangeError",
    message: /^The generated features hold NaN at/,
  });
});

/** The small data set; before all of its images are read at once, for an evaluation, it calls back. */
function evaluating(callback: () => void): StreamedDataset {
  const { images: _, ...rest } = SMALL.dataset;
  const read = (places: Uint32Array) => {
    if (places.length === rest.count) callback();
    return imagesAt(SMALL.dataset, places);
  };
  return { ...rest, id: "blobs", read };
}

Deno.test("samples: an evaluation that fails costs its numbers, not the run", async () => {
  const { messages, onMessage } = listen();
  let failures = 0;
  const dataset = evaluating(() => {
    if (++failures <= 2) throw new Error("disk is gone");
  });
  using trainer = await create({ ...EVALUATED, dataset, onMessage });
  using without = await create();
  await drain(trainer);
  await drain(without);
  assert.deepEqual(await stateDigests(trainer), await stateDigests(without));
  assert.deepEqual(
    messages,
    [1, 2].map((epoch) => `epoch ${epoch} is not evaluated: disk is gone`),
  );
  const distances = trainer.history.map(({ frechetDistance }) => typeof frechetDistance);
  assert.deepEqual(distances, ["undefined", "undefined", "number"]);
});

Deno.test("samples: a device that is lost in an evaluation is reported as lost", async () => {
  const dataset = evaluating(() => trainer.gpu.device.destroy());
  using trainer = await create({ ...EVALUATED, dataset, gpu: undefined });
  await assert.rejects(trainer.epoch(), { name: "DeviceLostError" });
});
