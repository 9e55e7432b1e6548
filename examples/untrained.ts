/**
 * What the tutorial shows before any training: an image of the untrained generator, and the
 * discriminator's decision on it.
 *
 *   deno run --allow-write=. examples/untrained.ts
 */

import { Discriminator, encodePNG, Generator, Gpu, imageGrid, ops } from "../mod.ts";

using gpu = await Gpu.request();
const generator = new Generator(gpu, { seed: 0 });
const discriminator = new Discriminator(gpu, { seed: 0 });
console.log(generator.summary());
console.log(discriminator.summary());

const program = gpu.compile({}, () => {
  const noise = ops.randomNormal([1, generator.noiseDim], { seed: 0 });
  const image = generator.call(noise, { training: false });
  const decision = discriminator.call(image, { training: false });
  return { image, decision };
});
program.run();
const { image, decision } = await program.read();

const grid = imageGrid(image, {
  count: 1,
  height: 28,
  width: 28,
  channels: 1,
  columns: 1,
  scale: 8,
});
await Deno.writeFile("untrained.png", encodePNG(grid));
const verdict = decision[0] > 0 ? "real" : "fake";
console.log(
  `wrote untrained.png; the untrained discriminator's logit is ${decision[0]}: ${verdict}`,
);
