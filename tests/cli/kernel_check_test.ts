import assert from "node:assert/strict";
import { Gpu } from "../../mod.ts";
import { checkKernels } from "../../src/cli/kernel_check.ts";

Deno.test("kernel check: every variant gives the known numbers, and one wrong number is found", async () => {
  using gpu = await Gpu.request();
  for (const variant of ["direct", "tiled", "texture", "winograd", "auto"] as const) {
    assert.deepEqual(await checkKernels(gpu, variant), [], variant);
  }
  for (const output of ["matmul", "conv2d", "conv2dTranspose", "conv2dFilterGrad"] as const) {
    const broken = {
      compile(...args: Parameters<Gpu["compile"]>) {
        const program = gpu.compile(...args);
        return {
          run: (inputs: Record<string, number[]>) => program.run(inputs),
          async read() {
            const values = await program.read() as Record<string, Float32Array>;
            values[output][7] += 1;
            return values;
          },
          [Symbol.dispose]: () => program[Symbol.dispose](),
        };
      },
    };
    const wrong = await checkKernels(broken as unknown as Gpu, "direct");
    assert.equal(wrong.length, 1, output);
    assert.match(wrong[0], /gives -?\d+ instead of -?\d+/);
  }
});
