import assert from "node:assert/strict";
import { ops, type Tensor } from "../../mod.ts";
import { weightedGrad } from "../../src/ops/grad.ts";
import { gpu, run } from "../support/compute.ts";

Deno.test("sample weights are refused where the first axis is not the batch", async () => {
  const w = gpu.variable([3, 2], [1, 2, 3, 4, 5, 6]);
  const compile = (weights: number[], alone = false) =>
    gpu.compile({ x: [4, 3], r: weights }, ({ x, r }) => {
      const y = ops.matmul(x, w);
      const targets = alone ? [w] : [x, w];
      const all: Tensor[] = weightedGrad(ops.sum(ops.mul(y, y)), targets, r);
      return { dx: all[0], dw: all.at(-1)! };
    });
  const refused = (message: RegExp, ...given: Parameters<typeof compile>) =>
    assert.throws(() => compile(...given), { name: "TypeError", message });
  refused(/Cannot weigh the samples of \[4, 2\] by 5 weights/, [5]);
  refused(/rank 1, got \[4, 1\]/, [4, 1]);
  refused(/need a tensor among the targets/, [4], true);
  const x = [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1];
  const { dx, dw } = await run(compile([4]), { x, r: [1, 2, 3, 0] });
  // dw = sum of r * 2 y x per sample, dx = 2 y wT without weights; y = rows of w, and their sum.
  assert.deepEqual(dw, [2, 4, 12, 16, 30, 36]);
  assert.deepEqual(dx.slice(0, 3), [10, 22, 34]);
});
