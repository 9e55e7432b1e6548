/**
 * Every row of the table, with the kernels that the adapter gets by default; rows of GEMM-like ops
 * also with each other family of kernels, and those of reductions also with few invocations.
 */

import { deepEqual } from "node:assert/strict";
import { grad, ops, type Tensor, type Tuning } from "../../mod.ts";
import { lower } from "../../src/graph/compile.ts";
import { record } from "../../src/graph/graph.ts";
import { TUNING } from "../../src/graph/tuning.ts";
import { cases } from "./cases.ts";
import { assertClose } from "../support/close.ts";
import { compute, gpu } from "../support/compute.ts";
import { check, type OpCase, recordable } from "../support/gradcheck.ts";
import { TestRandom } from "../support/random.ts";

const GEMM: readonly string[] = ["matmul", "conv2d", "conv2dTranspose", "conv2dFilterGrad"];
const REDUCTIONS: readonly string[] = ["sum", "mean", "max", "batchNorm"];

const FAMILIES: Partial<Tuning>[] = [
  { gemm: "winograd" },
  { gemm: "texture" },
  TUNING.gpu, // "tiled" as it is on a GPU, where sums are split further
  { gemm: "direct" },
];
/** Here every loop is as long as it may be. */
const LAZY: Partial<Tuning> = { parallelism: 1 };

/** Of the root mean square: what src/ops/gemm/winograd.ts says of its rounding, for single values. */
const WINOGRAD_TOLERANCE = 5e-5;

/** What a case is compiled to; the same for two families where a row suits only one of them. */
function dispatches(op: OpCase, tuning: Tuning): string {
  const { inputs, body } = recordable(op);
  const { steps } = lower(record(inputs, body), tuning);
  return JSON.stringify(
    steps.map((s) =>
      s.kind === "copy" ? s.bytes : [s.kernel.name, s.entryPoint, s.constants, s.workgroups]
    ),
  );
}

for (const [name, rows] of Object.entries(cases)) {
  const others = GEMM.includes(name) ? FAMILIES : REDUCTIONS.includes(name) ? [LAZY] : [];
  const tunings = [{}, ...others].map((tuning) => ({ ...gpu.tuning, ...tuning }));
  for (const [i, tuning] of tunings.entries()) {
    const isLazy = tuning.parallelism === 1;
    if (i > 0 && !isLazy && tuning.gemm === gpu.tuning.gemm) continue;
    const variant = i === 0 ? "" : isLazy ? " (long loops)" : ` (${tuning.gemm})`;
    Deno.test(`${name}${variant}`, async (t) => {
      for (const row of rows) {
        if ("elsewhere" in row || (row.fours && tuning.gemm === "tiled")) continue;
        // The rules of the gradients are the same for all, and a gradient is another of these ops:
        // conv2d's is enough to see each kernel with each geometry.
        const forward = i > 0 && name !== "conv2d";
        const op: OpCase = {
          ...row,
          name: `${name}, ${row.name}`,
          ...(forward ? { gradient: "none" } : {}),
          ...(tuning.gemm === "winograd" ? { tolerance: WINOGRAD_TOLERANCE } : {}),
        };
        const here = dispatches(op, tuning);
        if (tunings.slice(0, i).some((other) => dispatches(op, other) === here)) continue;
        await t.step(row.name, () => check(gpu, op, { tuning }));
      }
    });
  }
}

Deno.test("gather: indices beyond either end mean the last row or the first, NaN the first", async () => {
  const f = [-1, -Infinity, NaN, -NaN, 3, 1e20, Infinity, 2 ** 32 + 1, 0.4, 1.4, 1.6];
  const u = Uint32Array.of(3, 0x80000000, 0xffffffff, 1);
  const y = await compute({ x: [10, 20, 30], f, u }, ({ x, f, u }) => {
    const [byFloat, byWord] = [ops.gather(x, f), ops.gather(x, u)];
    const [df, du] = [byFloat, byWord].map((y) => grad(ops.sum(y), [x])[0]);
    return { byFloat, byWord, df, du };
  });
  deepEqual(y, {
    byFloat: [10, 10, 10, 10, 30, 30, 30, 30, 10, 20, 30],
    byWord: [30, 30, 30, 20],
    df: [5, 1, 5],
    du: [0, 1, 3],
  });
});

Deno.test("batchNorm: gradients of its mean and variance are those of given statistics", async () => {
  const random = new TestRandom("statistics");
  const [x, c] = [0, 0].map(() => ({ shape: [6, 3], data: random.fill(18) }));
  const given = { x, gamma: random.fill(3), beta: random.fill(3), c };
  const all = await compute(given, ({ x, gamma, beta, c }) => {
    const loss = (y: Tensor, mean: Tensor) => ops.add(ops.sum(ops.mul(y, c)), ops.sum(mean));
    const norm = ops.batchNorm(x, gamma, beta);
    const [mean, variance] = [norm.mean, norm.variance].map((t) => ops.mul(t, 1));
    const same = ops.batchNormInference(x, gamma, beta, mean, variance);
    const got = grad(loss(norm.y, norm.mean), [norm.mean, norm.variance, x, gamma, beta]);
    const want = grad(loss(same, mean), [mean, variance, x, gamma, beta]);
    return Object.fromEntries([...got, ...want].map((g, i) => [i, g]));
  });
  ["mean", "variance", "x", "gamma", "beta"].forEach((what, i) => {
    assertClose(all[i], all[i + 5], { atol: 2e-6, what });
  });
});

Deno.test("batchNorm: more channels than one dimension has workgroups", async () => {
  const channels = 16 * 4 * 65_535 + 64;
  const shape = [2, channels];
  const deviation = (i: number) => 1 + i % 5;
  const rows = (value: (channel: number, row: number) => number) =>
    Float32Array.from({ length: 2 * channels }, (_, i) => value(i % channels, +(i >= channels)));
  using program = gpu.compile({ x: shape, c: shape, gamma: [channels] }, ({ x, c, gamma }) => {
    const { y, mean, variance } = ops.batchNorm(x, gamma, gamma);
    return { mean, variance, dGamma: grad(ops.sum(ops.mul(y, c)), [gamma])[0] };
  });
  const c = (i: number) => (channels + i) % 3;
  program.run({
    x: rows((i, row) => i % 7 + (row ? 1 : -1) * deviation(i)),
    c: rows((i, row) => row * c(i)),
    gamma: new Float32Array(channels).fill(1),
  });
  const { mean, variance, dGamma } = await program.read();
  const expected = (value: (channel: number) => number) => mean.map((_, i) => value(i));
  assertClose(mean, expected((i) => i % 7), { atol: 1e-6, what: "mean" });
  assertClose(variance, expected((i) => deviation(i) ** 2), { rtol: 1e-6, what: "variance" });
  // gamma is beta, too: c * (xhat + 1), of the second row.
  const xhat = (i: number) => deviation(i) / Math.sqrt(deviation(i) ** 2 + 1e-3);
  const sum = (i: number) => c(i) * (xhat(i) + 1);
  assertClose(dGamma, expected(sum), { rtol: 1e-5, what: "gradient of gamma" });
});
