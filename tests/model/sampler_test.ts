import { equal } from "node:assert/strict";
import { Generator, Gpu } from "../../mod.ts";
import { generate, Sampler, seedNoise } from "../../src/model/sampler.ts";
import { assertClose } from "../support/close.ts";

Deno.test("generate: many images in bunches are those of single runs", async () => {
  using gpu = await Gpu.request();
  const generator = new Generator(gpu, { widths: [4, 4, 4], noiseDim: 6 });
  const noise = seedNoise(130, 6, 3);
  const all = await generate(gpu, generator, noise);
  equal(all.length, 130 * 784);
  using sampler = new Sampler(gpu, generator, 1);
  for (const i of [0, 63, 64, 129]) {
    const one = await sampler.sample(noise.subarray(6 * i, 6 * i + 6));
    assertClose(all.subarray(784 * i, 784 * (i + 1)), one, { atol: 1e-5, what: `image ${i}` });
  }
});
