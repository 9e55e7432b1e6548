import assert from "node:assert/strict";
import { Gpu } from "../../mod.ts";
import { checkKernels } from "../../src/cli/kernel_check.ts";

Deno.test("kernel check: every variant gives the known numbers, and one wrong number is found", async () => {
  using gpu = await Gpu.request();
  for (const variant of ["direct", "tiled", "texture", "winograd", "auto"] as const) {
    assert.deepEqual(await checkKernels(gpu, variant), [], variant);
  }
  for (const output of ["matmul", "conv2d", "conv2dTranspose", "conv2dFilterGrad"]) {
    const compile = (...args: Parameters<Gpu["compile"]>) => {
      const program = gpu.compile(...args);
      const { read } = program;
      const broken = async () => {
        const values: Record<string, Float32Array> = await read.call(program);
        values[output][7] += 1;
        return values;
      };
      return Object.assign(program, { read: broken });
    };
    const wrong = await checkKernels({ compile } as unknown as Gpu, "direct");
    assert.equal(wrong.length, 1, output);
    assert.match(wrong[0], /gives -?\d+ instead of -?\d+/);
  }
});
