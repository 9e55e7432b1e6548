/**
 * Winograd's convolution: its transforms against the definition, and the kernels where a batch goes
 * through in several chunks. The table of cases has the rest.
 */

import assert from "node:assert/strict";
import { ops, type Tensor } from "../../../mod.ts";
import { resolveVariant } from "../../../src/ops/gemm/choose.ts";
import { geometry } from "../../../src/ops/gemm/geometry.ts";
import { transforms } from "../../../src/ops/gemm/winograd.ts";
import { assertClose, rms } from "../../support/close.ts";
import { gpu, run } from "../../support/compute.ts";
import { TestRandom } from "../../support/random.ts";
import { count } from "../../support/reference.ts";

const random = new TestRandom(5);

for (const taps of [2, 3, 4, 5]) {
  Deno.test(`the transforms of ${taps} taps compute a convolution`, () => {
    const { points, input, kernel, output } = transforms(taps);
    assert.equal(points, taps + 3);
    const apply = (m: readonly (readonly number[])[], v: readonly number[]) =>
      m.map((row) => row.reduce((sum, c, i) => sum + c * v[i], 0));
    const x = [...random.fill(points)];
    const w = [...random.fill(taps)];
    const product = apply(input, x).map((u, p) => u * apply(kernel, w)[p]);
    const y = apply(output, product);
    const expected = y.map((_, o) => w.reduce((sum, c, t) => sum + c * x[o + t], 0));
    assertClose(y, expected, { rtol: 1e-13, atol: 1e-13, what: "y" });
  });
}

const SAME = { padding: "same" as const };

/** Inputs of these shapes, and an op that is computed in both ways. */
const CHUNKS: Record<string, [a: number[], b: number[], (a: Tensor, b: Tensor) => Tensor]> = {
  "a convolution in chunks, the last one smaller": [
    [259, 7, 7, 32],
    [5, 5, 32, 64],
    (a, b) => ops.conv2d(a, b, SAME),
  ],
  "a transposed convolution of stride 2 in chunks": [
    [301, 7, 7, 16],
    [5, 5, 32, 16],
    (a, b) => ops.conv2dTranspose(a, b, { ...SAME, strides: 2 }),
  ],
  "a filter gradient whose chunks are added up": [
    [600, 7, 7, 32],
    [600, 7, 7, 12],
    (a, b) => ops.conv2dFilterGrad(a, b, { ...SAME, kernelSize: 5 }),
  ],
  "large images of a batch go through one by one": [
    [3, 160, 152, 16],
    [3, 160, 152, 4],
    (a, b) => ops.conv2dFilterGrad(a, b, { ...SAME, kernelSize: 2 }),
  ],
};

for (const [name, [a, b, op]] of Object.entries(CHUNKS)) {
  Deno.test(name, async () => {
    const data = { a: random.fill(count(a)), b: random.fill(count(b)) };
    const results: number[][] = [];
    for (const gemm of ["winograd", "texture"] as const) {
      const tuning = { gemm };
      using program = gpu.compile({ a, b }, ({ a, b }) => ({ y: op(a, b) }), { tuning });
      results.push((await run(program, data)).y);
    }
    const [actual, expected] = results;
    assertClose(actual, expected, { rtol: 1e-4, atol: 1e-4 * rms(expected), what: "y" });
  });
}

Deno.test("what would cross the loop limit or fill the memory is left to other kernels", () => {
  const variant = (large: number[], kernel: number[], strides: number) =>
    resolveVariant("winograd", geometry(large, kernel, { ...SAME, strides }));
  assert.equal(variant([64, 28, 28, 16], [5, 5, 16, 16], 1), "winograd");
  // 4 rows an iteration of 1,327,104 tiles; 65,535 iterations are the most that an adapter runs.
  assert.equal(variant([1, 2304, 2304, 4], [2, 2, 4, 4], 1), "texture");
  // 16 times 20,480 channels, four an iteration.
  assert.equal(variant([1, 20, 20, 20480], [8, 8, 20480, 4], 4), "texture");
  // Points of one image: 288 MiB.
  assert.equal(variant([1, 768, 768, 32], [5, 5, 32, 32], 1), "texture");
});
