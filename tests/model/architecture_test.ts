/** Layers without a device: the same as those of the models. */

import assert from "node:assert/strict";
import {
  architectureSummary,
  Discriminator,
  discriminatorArchitecture,
  Generator,
  generatorArchitecture,
  Gpu,
} from "../../mod.ts";

Deno.test("architecture: without a device it says what the models say", async () => {
  using gpu = await Gpu.request();
  const sizes = { noiseDim: 10, widths: [8, 6, 4], channels: 3, height: 16, width: 12 } as const;
  const generator = new Generator(gpu, sizes);
  const ofGenerator = generatorArchitecture(sizes);
  assert.equal(architectureSummary(ofGenerator), generator.summary());
  assert.deepEqual(ofGenerator.outputShape, generator.outputShape);
  assert.deepEqual(
    ofGenerator.layers.flatMap(({ name, layer }) => layer.weights.map((w) => `${name}/${w.name}`)),
    generator.variables.map(({ name }) => name),
  );
  const options = { widths: [4, 8], channels: 3, height: 16, width: 12 } as const;
  const discriminator = new Discriminator(gpu, options);
  assert.equal(architectureSummary(discriminatorArchitecture(options)), discriminator.summary());
});

Deno.test("architecture: the tutorial's sizes", () => {
  assert.match(architectureSummary(generatorArchitecture()), /Total params: 2330944 /);
  assert.match(architectureSummary(discriminatorArchitecture()), /Total params: 212865 /);
});

Deno.test("architecture: what the models refuse is refused here, too", () => {
  assert.throws(() => generatorArchitecture({ height: 30 }), /multiple of 4, got 30/);
  assert.throws(() => generatorArchitecture({ noiseDim: 0 }), RangeError);
  assert.throws(() => discriminatorArchitecture({ dropout: 1 }), /dropout must be/);
});
