/** Small programs that Deno, Chromium and Node run alike. Each gives the same numbers everywhere. */

import { Generator, type Gpu, ops, type TensorLike, trainDCGAN } from "../../../mod.ts";
import { SMALL } from "../dataset.ts";

async function numbers(gpu: Gpu, body: () => TensorLike): Promise<number[]> {
  using program = gpu.compile({}, () => ({ y: body() }));
  program.run();
  return [...(await program.read("y")).y];
}

export const programs = {
  bits: (gpu: Gpu) => numbers(gpu, () => ops.randomBits([64], { seed: 0 })),

  normals: (gpu: Gpu) => numbers(gpu, () => ops.randomNormal([10_000], { seed: 1 })),

  samples: (gpu: Gpu) => {
    const generator = new Generator(gpu, { noiseDim: 10, widths: [16, 8, 8], seed: 3 });
    return numbers(gpu, () => {
      const noise = ops.randomNormal([2, 10], { seed: 5 });
      return generator.call(noise, { training: false });
    }).finally(() => generator.dispose());
  },

  /** Both losses of ten steps, two of them with a smaller batch. */
  losses: async (gpu: Gpu) => {
    const losses: number[] = [];
    const run = await trainDCGAN({
      ...SMALL,
      gpu,
      epochs: 2,
      onStep: ({ generatorLoss, discriminatorLoss }) => {
        losses.push(generatorLoss, discriminatorLoss);
      },
    });
    run[Symbol.dispose]();
    return losses;
  },
} satisfies Record<string, (gpu: Gpu) => Promise<number[]>>;

export type ProgramName = keyof typeof programs;

/** Runs one program after another. */
export async function runAll(gpu: Gpu): Promise<Record<ProgramName, number[]>> {
  const results: Record<string, number[]> = {};
  for (const [name, run] of Object.entries(programs)) results[name] = await run(gpu);
  return results as Record<ProgramName, number[]>;
}
