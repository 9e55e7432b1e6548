/** The generator in plain TypeScript, against the library's on the device. */

import assert from "node:assert/strict";
import { Generator, Gpu } from "../../mod.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { PlainGenerator, principalDirections } from "../../web/infer.ts";
import { assertClose } from "../support/close.ts";
import { TestRandom } from "../support/random.ts";

Deno.test("plain inference gives the images of the library's generator", async () => {
  using gpu = await Gpu.request();
  for (
    const options of [{ widths: [6, 5, 4] }, {
      widths: [3, 4, 2],
      channels: 3,
      height: 12,
      width: 8,
    }]
  ) {
    const generator = new Generator(gpu, { ...options as object, noiseDim: 7, seed: 3 });
    const random = new TestRandom(5);
    for (const variable of generator.variables) {
      // Away from what they start with: zeros and ones would hide an exchange.
      const low = variable.name.endsWith("variance") ? 0.1 : -0.5;
      variable.write(Float32Array.from({ length: variable.size }, () => random.between(low, 0.6)));
    }
    const plain = new PlainGenerator(await generator.toSafetensors());
    const noise = seedNoise(3, 7, 1);
    const [expected, actual] = [await generate(gpu, generator, noise), await plain.generate(noise)];
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
