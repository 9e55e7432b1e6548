/**
 * One training step of the full-size network, from `run` until the device is done.
 *
 *   deno task bench
 */

import { Adam, Discriminator, Generator, Gpu } from "../mod.ts";
import { compileStep, LossRing } from "../src/model/step.ts";

const gpu = await Gpu.request();
const count = 1024;
const images = Uint8Array.from({ length: count * 784 }, (_, i) => (i * 2654435761) >>> 24);

for (const batch of [16, 64, 256]) {
  const generator = new Generator(gpu);
  const discriminator = new Discriminator(gpu);
  const options = { learningRate: 1e-4 };
  const program = compileStep(gpu, {
    generator,
    discriminator,
    generatorOptimizer: new Adam(gpu, generator.trainableVariables, options),
    discriminatorOptimizer: new Adam(gpu, discriminator.trainableVariables, options),
    images: gpu.variable([count, 28, 28, 1], images, { dtype: "u8" }),
    random: gpu.variable([2], [0, 0], { dtype: "u32" }),
    losses: new LossRing(gpu),
  }, batch);
  const indices = Uint32Array.from({ length: batch }, (_, i) => i % count);
  program.run({ indices });
  await gpu.idle(); // compiled
  Deno.bench(`training step, batch ${batch}`, { group: "step", n: 3, warmup: 1 }, async () => {
    program.run({ indices });
    await gpu.idle();
  });
}
