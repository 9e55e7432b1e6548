import assert from "node:assert/strict";
import { Gpu, ops } from "../../mod.ts";
import { weightedGrad } from "../../src/ops/grad.ts";

Deno.test("sample weights are refused where the first axis is not the batch", async () => {
  using gpu = await Gpu.request();
  const w = gpu.variable([3, 2], [1, 2, 3, 4, 5, 6]);
  const compile = (weights: number[]) =>
    gpu.compile({ x: [4, 3], r: weights }, ({ x, r }) => {
      const y = ops.matmul(x, w);
      const [dx, dw] = weightedGrad(ops.sum(ops.mul(y, y)), [x, w], r);
      return { dx, dw };
    });
  assert.throws(() => compile([5]), {
    name: "TypeError",
    message: /Cannot weigh the samples of \[4, 2\] by 5 weights/,
  });
  assert.throws(() => compile([4, 1]), { name: "TypeError", message: /rank 1, got \[4, 1\]/ });
  const alone = () =>
    gpu.compile({ x: [4, 3], r: [4] }, ({ x, r }) => {
      const [dw] = weightedGrad(ops.sum(ops.matmul(x, w)), [w], r);
      return { dw };
    });
  assert.throws(alone, { name: "TypeError", message: /need a tensor among the targets/ });
  const program = compile([4]);
  const x = [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1];
  program.run({ x, r: [1, 2, 3, 0] });
  const { dx, dw } = await program.read();
  // dw = sum of r * 2 y x per sample, dx = 2 y wT without weights; y = rows of w, and their sum.
  assert.deepEqual([...dw], [2, 4, 12, 16, 30, 36]);
  assert.deepEqual([...dx.slice(0, 3)], [10, 22, 34]);
});
