/**
 * Every row of the table, with the kernels that the adapter gets by default; rows of GEMM-like ops
 * also with each other family of kernels, and those of reductions also with few invocations.
 *
 * @module
 */

import { lower } from "../src/graph/compile.ts";
import { Gpu } from "../src/graph/gpu.ts";
import { record } from "../src/graph/graph.ts";
import { TUNING } from "../src/graph/lower.ts";
import { cases, type OpName } from "./cases.ts";
import { check, type OpCase, recordable } from "./support/gradcheck.ts";

const GEMM: readonly OpName[] = ["matmul", "conv2d", "conv2dTranspose", "conv2dFilterGrad"];
const REDUCTIONS: readonly OpName[] = ["sum", "mean", "max", "batchNorm"];

const base = await Gpu.request();
const families = [base];
for (const gemm of ["winograd", "texture", "tiled", "direct"] as const) {
  // "tiled" as it is on a GPU, where sums are split further.
  const tuning = gemm === "tiled" ? TUNING.gpu : { gemm };
  if (gemm !== base.tuning.gemm) families.push(await Gpu.request({ tuning }));
}
/** Here every loop is as long as it may be. */
const lazy = await Gpu.request({ tuning: { parallelism: 1 } });
Deno.test.afterAll(() => {
  for (const gpu of [...families, lazy]) gpu[Symbol.dispose]();
});

/** Of the root mean square: what src/ops/winograd.ts says of its rounding, for single values. */
const WINOGRAD_TOLERANCE = 5e-5;

/** What a case is compiled to; the same for two families where a row suits only one of them. */
function dispatches(op: OpCase, gpu: Gpu): string {
  const { inputs, body } = recordable(op);
  const { steps } = lower(record(inputs, body), gpu.tuning);
  return JSON.stringify(
    steps.map((s) =>
      s.kind === "copy" ? s.bytes : [s.kernel.name, s.entryPoint, s.constants, s.workgroups]
    ),
  );
}

for (const [name, rows] of Object.entries(cases)) {
  const gpus = GEMM.includes(name as OpName)
    ? families
    : REDUCTIONS.includes(name as OpName)
    ? [base, lazy]
    : [base];
  for (const gpu of gpus) {
    const variant = gpu === base ? "" : gpu === lazy ? " (long loops)" : ` (${gpu.tuning.gemm})`;
    Deno.test(`${name}${variant}`, async (t) => {
      for (const row of rows) {
        if ("elsewhere" in row || (row.fours && gpu.tuning.gemm === "tiled")) continue;
        // The rules of the gradients are the same for all, and a gradient is another of these ops:
        // conv2d's is enough to see each kernel with each geometry.
        const forward = gpu !== base && name !== "conv2d";
        const op: OpCase = {
          ...row,
          name: `${name}, ${row.name}`,
          ...(forward ? { gradient: "none" } : {}),
          ...(gpu.tuning.gemm === "winograd" ? { tolerance: WINOGRAD_TOLERANCE } : {}),
        };
        const before = gpus.slice(0, gpus.indexOf(gpu));
        if (before.some((other) => dispatches(op, other) === dispatches(op, gpu))) continue;
        await t.step(row.name, () => check(gpu, op));
      }
    });
  }
}
