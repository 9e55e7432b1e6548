/** Memory: what a program allocates it allocates once, and disposing gives all of it back. */

import assert from "node:assert/strict";
import { DeviceLostError, Gpu, grad, ops } from "../../mod.ts";
import { compileStep } from "../../src/training/step.ts";
import { live } from "../support/training.ts";
import { SmallRun } from "../support/worker.ts";

const TINY = { noiseDim: 4, generatorWidths: [2, 2, 2], discriminatorWidths: [2, 2] } as const;

Deno.test("a thousand steps allocate nothing", async () => {
  using gpu = await Gpu.request();
  const run = new SmallRun(gpu, TINY);
  await run.train(1, 4);
  const before = live(gpu);
  for (let i = 0; i < 10; i++) {
    const losses = await run.train(100, 4);
    assert(losses.flat().every(Number.isFinite));
    assert.deepEqual(live(gpu), before, `after ${100 * (i + 1)} steps`);
  }
});

Deno.test("the same work takes the same memory", async () => {
  const measure = async () => {
    using gpu = await Gpu.request();
    const run = new SmallRun(gpu, TINY);
    await run.train(1, 4);
    return live(gpu);
  };
  assert.deepEqual(await measure(), await measure());
});

Deno.test("a disposed program gives its memory back and runs no more", async () => {
  using gpu = await Gpu.request();
  const { state } = new SmallRun(gpu, TINY);
  const before = live(gpu);
  for (let i = 0; i < 20; i++) {
    using program = compileStep(gpu, state, 4);
    assert(gpu.context.memory.bytes > before.bytes);
    if (i % 10 === 0) program.run({ indices: [0, 1, 2, 3] });
  }
  assert.deepEqual(live(gpu), before);

  const program = gpu.compile({ x: [3] }, ({ x }) => ({ y: ops.exp(x) }), { label: "exponents" });
  program[Symbol.dispose]();
  program[Symbol.dispose](); // once more does no harm
  const message = "The program exponents was disposed";
  assert.throws(() => program.run({ x: [1, 2, 3] }), { name: "TypeError", message });
  await assert.rejects(() => program.read(), { name: "TypeError", message });
  assert.deepEqual(live(gpu), before);
});

Deno.test("a recording that fails keeps no memory", async () => {
  using gpu = await Gpu.request();
  const w = gpu.variable([2, 3]);
  const before = live(gpu);
  assert.throws(() => gpu.compile({ x: [4, 5] }, ({ x }) => ({ y: ops.matmul(x, w) })), TypeError);
  assert.deepEqual(live(gpu), before);
});

Deno.test("variables give their memory back", async () => {
  using gpu = await Gpu.request();
  const before = live(gpu);
  const w = gpu.variable([100]);
  assert.deepEqual(live(gpu), { count: before.count + 1, bytes: before.bytes + 512 });
  w.dispose();
  assert.deepEqual(live(gpu), before);
});

Deno.test("a disposed Gpu frees everything, and leaves a device of the caller's alone", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter!.requestDevice();
  const gpu = Gpu.from(device);
  const w = gpu.variable([4], [1, 2, 3, 4]);
  const program = gpu.compile({}, () => {
    const loss = ops.sum(ops.mul(w, w));
    return { gradient: grad(loss, [w])[0] };
  });
  program.run();
  assert.deepEqual([...(await program.read()).gradient], [2, 4, 6, 8]);
  gpu[Symbol.dispose]();
  gpu[Symbol.dispose]();
  assert.deepEqual(live(gpu), { count: 0, bytes: 0 });
  assert.throws(() => program.run(), DeviceLostError);
  assert.throws(() => gpu.variable([1]), DeviceLostError);

  using again = Gpu.from(device);
  assert.deepEqual([...await again.variable([2], [5, 6]).read()], [5, 6]);
  device.destroy();
});
