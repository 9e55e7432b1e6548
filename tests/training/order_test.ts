/** In which order a run trains the images. */

import assert from "node:assert/strict";
import { DCGAN } from "../../src/training/dcgan.ts";
import { Order } from "../../src/training/order.ts";
import { train } from "../support/small.ts";

Deno.test("order: every epoch takes every image once, in an order of its own", async () => {
  const { step } = DCGAN.prototype;
  const taken: number[] = [];
  DCGAN.prototype.step = function (indices) {
    taken.push(...indices);
    step.call(this, indices);
  };
  try {
    await train();
  } finally {
    DCGAN.prototype.step = step;
  }
  const epochs = [0, 1, 2].map((epoch) => taken.slice(epoch * 70, epoch * 70 + 70));
  const all = Array.from({ length: 70 }, (_, i) => i);
  for (const order of epochs) assert.deepEqual(order.toSorted((a, b) => a - b), all);
  assert.equal(new Set([all, ...epochs].map(String)).size, 4);
});

Deno.test("order: batches are parts of one order, and an epoch's can be asked for again", () => {
  const order = new Order(7, 10, 4);
  const epoch = (n: number) => [0, 4, 8].map((at) => [...order.batch(n, at)]);
  const [first, second] = [epoch(1), epoch(2)];
  assert.deepEqual(first.map((batch) => batch.length), [4, 4, 2]);
  assert.deepEqual(first.flat().toSorted(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.notDeepEqual(first, second);
  assert.deepEqual(epoch(1), first);
  assert.notDeepEqual([...new Order(8, 10, 10).batch(1, 0)], first.flat());
  assert.deepEqual([...new Order(7, 10, 10).batch(1, 0)], first.flat());
});
