/** Memory: what a program allocates it allocates once, and disposing gives all of it back. */

import assert from "node:assert/strict";
import { ops } from "../../mod.ts";
import { recordStep } from "../../src/training/step.ts";
import { gpu, tinyBlobs } from "../support/small.ts";
import { live } from "../support/training.ts";
import { SmallRun } from "../support/worker.ts";

const WIDTHS = { generatorWidths: [2, 2, 2], discriminatorWidths: [2, 2] } as const;
const tiny = () => new SmallRun(gpu, { noiseDim: 4, ...WIDTHS }, tinyBlobs(40));

/** A test at whose end the device holds what it held at its beginning. */
function test(name: string, body: (before: ReturnType<typeof live>) => Promise<void> | void) {
  Deno.test(`leak: ${name}`, async () => {
    const before = live(gpu);
    await body(before);
    assert.deepEqual(live(gpu), before);
  });
}

test("a thousand steps allocate nothing", async () => {
  using run = tiny();
  await run.train(1, 4);
  const begun = live(gpu);
  for (let i = 0; i < 10; i++) {
    const losses = await run.train(100, 4);
    assert(losses.flat().every(Number.isFinite));
    assert.deepEqual(live(gpu), begun, `after ${100 * (i + 1)} steps`);
  }
});

test("the same work takes the same memory", async () => {
  const measure = async () => {
    using run = tiny();
    await run.train(1, 4);
    return live(gpu);
  };
  assert.deepEqual(await measure(), await measure());
});

test("a disposed program gives its memory back", (before) => {
  using run = tiny();
  const { bytes } = live(gpu);
  for (let i = 0; i < 20; i++) {
    using program = gpu.compile(...recordStep(run, 4));
    assert(gpu.context.memory.bytes > bytes);
    if (i % 10 === 0) program.run({ indices: [0, 1, 2, 3] });
  }
  assert.equal(live(gpu).bytes, bytes);
  assert(bytes > before.bytes);
});

test("a recording that fails keeps no memory", () => {
  const w = gpu.variable([2, 3]);
  assert.throws(() => gpu.compile({ x: [4, 5] }, ({ x }) => ({ y: ops.matmul(x, w) })), TypeError);
  w.dispose();
});

test("variables give their memory back", ({ count, bytes }) => {
  const w = gpu.variable([100]);
  assert.deepEqual(live(gpu), { count: count + 1, bytes: bytes + 512 });
  w.dispose();
});
