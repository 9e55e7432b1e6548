/**
 * Winograd's convolution: its transforms against the definition, and the kernels where a batch goes
 * through in several chunks. The table of cases has the rest.
 */

import assert from "node:assert/strict";
import { Gpu, ops, type Tensor } from "../../../mod.ts";
import { resolveVariant } from "../../../src/ops/gemm/choose.ts";
import { geometry } from "../../../src/ops/gemm/geometry.ts";
import { transforms } from "../../../src/ops/gemm/winograd.ts";
import { assertClose, rms } from "../../support/close.ts";
import { TestRandom } from "../../support/random.ts";

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

/** Both ways of computing the same op, on inputs of these shapes. */
async function compare(
  inputs: Record<"a" | "b", number[]>,
  op: (inputs: Record<"a" | "b", Tensor>) => Tensor,
): Promise<void> {
  const size = (shape: number[]) => shape.reduce((a, b) => a * b);
  const data = { a: random.fill(size(inputs.a)), b: random.fill(size(inputs.b)) };
  const results: Float32Array[] = [];
  for (const gemm of ["winograd", "texture"] as const) {
    using gpu = await Gpu.request({ tuning: { gemm } });
    const program = gpu.compile(inputs, (operands) => ({ y: op(operands) }));
    program.run(data);
    results.push((await program.read("y")).y);
  }
  const [actual, expected] = results;
  assertClose(actual, expected, { rtol: 1e-4, atol: 1e-4 * rms(expected), what: "y" });
}

const SAME = { padding: "same" as const };

Deno.test("a convolution in chunks, the last one smaller", () =>
  compare(
    { a: [259, 7, 7, 32], b: [5, 5, 32, 64] },
    ({ a, b }) => ops.conv2d(a, b, SAME),
  ));

Deno.test("a transposed convolution of stride 2 in chunks", () =>
  compare(
    { a: [301, 7, 7, 16], b: [5, 5, 32, 16] },
    ({ a, b }) => ops.conv2dTranspose(a, b, { ...SAME, strides: 2 }),
  ));

Deno.test("a filter gradient whose chunks are added up", () =>
  compare(
    { a: [600, 7, 7, 32], b: [600, 7, 7, 12] },
    (x) => ops.conv2dFilterGrad(x.a, x.b, { ...SAME, kernelSize: 5 }),
  ));

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

Deno.test("large images of a batch go through one by one", () =>
  compare(
    { a: [3, 160, 152, 16], b: [3, 160, 152, 4] },
    (x) => ops.conv2dFilterGrad(x.a, x.b, { ...SAME, kernelSize: 2 }),
  ));
