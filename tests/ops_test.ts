/**
 * Every row of the table, with the kernels that the adapter gets by default; rows of GEMM-like ops
 * also with each other family of kernels.
 *
 * @module
 */

import { lower } from "../src/graph/compile.ts";
import { Gpu } from "../src/graph/gpu.ts";
import { record } from "../src/graph/graph.ts";
import { cases, type OpName } from "./cases.ts";
import { check, type OpCase, recordable } from "./support/gradcheck.ts";

const GEMM: readonly OpName[] = ["matmul", "conv2d", "conv2dTranspose", "conv2dFilterGrad"];

const base = await Gpu.request();
const gpus = [base];
for (const gemm of ["texture", "tiled", "direct"] as const) {
  if (gemm !== base.tuning.gemm) gpus.push(await Gpu.request({ tuning: { gemm } }));
}
Deno.test.afterAll(() => {
  for (const gpu of gpus) gpu[Symbol.dispose]();
});

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
  for (const gpu of GEMM.includes(name as OpName) ? gpus : [base]) {
    const family = gpu === base ? "" : ` (${gpu.tuning.gemm})`;
    Deno.test(`${name}${family}`, async (t) => {
      for (const row of rows) {
        if ("elsewhere" in row) continue;
        // The rules of the gradients are the same for every family, and a gradient is another of
        // these ops: conv2d's is enough to see each kernel with each geometry.
        const forward = gpu !== base && name !== "conv2d";
        const op: OpCase = {
          ...row,
          name: `${name}, ${row.name}`,
          ...(forward ? { gradient: "none" } : {}),
        };
        const before = gpus.slice(0, gpus.indexOf(gpu));
        if (before.some((other) => dispatches(op, other) === dispatches(op, gpu))) continue;
        await t.step(row.name, () => check(gpu, op));
      }
    });
  }
}
