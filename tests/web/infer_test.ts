/** The generator in plain TypeScript, against the library's on the device. */

import assert from "node:assert/strict";
import { Generator, type GeneratorOptions, Gpu } from "../../mod.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { PlainGenerator, principalDirections } from "../../web/infer.ts";
import { assertClose } from "../support/close.ts";
import { TestRandom } from "../support/random.ts";

Deno.test("plain inference gives the images of the library's generator", async () => {
  using gpu = await Gpu.request();
  const cases: GeneratorOptions[] = [
    { widths: [6, 5, 4] },
    { widths: [3, 4, 2], channels: 3, height: 12, width: 8 },
    { widths: [4, 3], height: 6, width: 10 },
    { widths: [3, 5, 4, 2], height: 16, width: 8, normalization: "none" },
    { widths: [6, 5, 4], classes: 3 },
  ];
  for (const options of cases) {
    const generator = new Generator(gpu, { ...options, noiseDim: 7, seed: 3 });
    const random = new TestRandom(5);
    for (const variable of generator.variables) {
      // Away from what they start with: zeros and ones would hide an exchange.
      const low = variable.name.endsWith("variance") ? 0.1 : -0.5;
      variable.write(Float32Array.from({ length: variable.size }, () => random.between(low, 0.6)));
    }
    const plain = new PlainGenerator(await generator.toSafetensors());
    const actual = await plain.generate(plain.noise(4, 1));
    using sampler = new Sampler(gpu, generator, 4);
    const labels = options.classes ? Uint32Array.of(0, 1, 2, 0) : undefined;
    const expected = await sampler.sample(seedNoise(4, 7, 1), labels);
    assert.ok(expected.some((value) => Math.abs(value) < 0.9), "not all are saturated");
    assertClose(actual, expected, { atol: 1e-5, what: "images" });
  }
});

Deno.test("principal directions are the axes of a known first layer, the strongest first", () => {
  // z W = z with its numbers scaled by 1, 5, 3, and two units more that see nothing.
  const kernel = Float32Array.of(...[1, 0, 0, 0, 0], ...[0, 5, 0, 0, 0], ...[0, 0, 3, 0, 0]);
  const scale = new Float32Array(5).fill(1);
  const found = principalDirections({ kernel, scale, noiseDim: 3 }, 3).map(Math.abs);
  for (const [i, value] of [0, 1, 0, 0, 0, 1, 1, 0, 0].entries()) {
    assert.ok(Math.abs(found[i] - value) < 1e-4, `${found}`);
  }
  // What the normalization behind it scales counts, too.
  scale[0] = 10;
  const [first] = principalDirections({ kernel, scale, noiseDim: 3 }, 1);
  assert.ok(Math.abs(Math.abs(first) - 1) < 1e-4);
});
