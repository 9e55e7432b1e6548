/** Depth and widths by the size of images. */

import assert from "node:assert/strict";
import {
  type Architecture,
  defaultWidths,
  discriminatorArchitecture,
  generatorArchitecture,
} from "../../mod.ts";
import { parameterCount } from "../../src/model/architecture.ts";

/** [height, width], the widths of both networks in units of the base, the size of the smallest image. */
const CASES: readonly [number[], generator: number[], discriminator: number[], number[]][] = [
  [[28, 28], [4, 2, 1], [1, 2], [7, 7]],
  [[32, 32], [4, 2, 1], [1, 2], [8, 8]],
  [[48, 48], [8, 4, 2, 1], [1, 2, 4], [6, 6]],
  [[64, 64], [8, 4, 2, 1], [1, 2, 4], [8, 8]],
  [[96, 96], [8, 8, 4, 2, 1], [1, 2, 4, 8], [6, 6]],
  [[128, 128], [8, 8, 4, 2, 1], [1, 2, 4, 8], [8, 8]],
  [[256, 256], [8, 8, 8, 4, 2, 1], [1, 2, 4, 8, 8], [8, 8]],
  // Both sides must be even and larger than 8 to be halved a third time.
  [[64, 32], [4, 2, 1], [1, 2], [16, 8]],
  [[96, 64], [8, 4, 2, 1], [1, 2, 4], [12, 8]],
  [[48, 28], [4, 2, 1], [1, 2], [12, 7]],
  // Two halvings where there is room for them, as in the version before.
  [[4, 8], [4, 2, 1], [1, 2], [1, 2]],
];

/** Weights by the formula: kernels 5 x 5, four numbers a channel of batch normalization, biases. */
function expectedCounts(
  generator: readonly number[],
  discriminator: readonly number[],
  [h, w]: readonly number[],
  channels: number,
) {
  const units = h * w * generator[0];
  const images = [...generator, channels];
  const kernels = (list: readonly number[]) =>
    list.slice(1).reduce((sum, n, i) => sum + 25 * n * list[i], 0);
  const normalized = generator.slice(1).reduce((sum, n) => sum + n, units);
  const last = discriminator[discriminator.length - 1];
  return {
    generator: 100 * units + kernels(images) + 4 * normalized,
    discriminator: kernels([channels, ...discriminator]) +
      discriminator.reduce((sum, n) => sum + n) + h * w * last + 1,
  };
}

const countOf = (model: Architecture) => parameterCount(model).total;

Deno.test("sizes: depth follows the size of images, and widths double up to eight times the base", () => {
  for (const [[height, width], generator, discriminator, smallest] of CASES) {
    for (const [base, channels] of [[64, 1], [24, 3]]) {
      const scaled = (list: number[]) => list.map((n) => n * base);
      const widths = { generator: scaled(generator), discriminator: scaled(discriminator) };
      assert.deepEqual(defaultWidths(height, width, base), widths);
      const image = { height, width, channels };
      const g = generatorArchitecture({ ...image, widths: widths.generator });
      const d = discriminatorArchitecture({ ...image, widths: widths.discriminator });
      assert.deepEqual(g.outputShape, [height, width, channels]);
      assert.deepEqual(d.outputShape, [1]);
      const shapeOf = ({ layers }: Architecture, type: string) =>
        layers.findLast(({ layer }) => layer.type === type)?.layer.outputShape;
      assert.deepEqual(shapeOf(g, "Reshape"), [...smallest, widths.generator[0]]);
      const narrowest = [...smallest, widths.discriminator.at(-1)];
      assert.deepEqual(shapeOf(d, "Conv2D"), narrowest);
      const counts = expectedCounts(widths.generator, widths.discriminator, smallest, channels);
      assert.deepEqual({ generator: countOf(g), discriminator: countOf(d) }, counts);
      if (base !== 64) continue; // the default
      assert.equal(countOf(generatorArchitecture(image)), counts.generator);
      assert.equal(countOf(discriminatorArchitecture(image)), counts.discriminator);
    }
  }
});

Deno.test("sizes: without normalization there are biases in place of its weights", () => {
  const image = { height: 64, width: 48, channels: 3, widths: [8, 6, 4, 2] };
  const { layers } = generatorArchitecture({ ...image, normalization: "none" });
  assert.deepEqual(layers.flatMap(({ name, layer }) => layer.weights.length ? [name] : []), [
    ...["dense", "conv2d_transpose", "conv2d_transpose_1", "conv2d_transpose_2"],
    "conv2d_transpose_3",
  ]);
  const biases = layers.flatMap(({ layer }) => layer.weights.filter(({ name }) => name === "bias"));
  assert.deepEqual(biases.map(({ shape }) => shape), [[384], [6], [4], [2], [3]]);
});

Deno.test("sizes: explicit widths make a network of any depth that divides the sides", () => {
  const image = { height: 32, width: 96 };
  for (const halvings of [1, 2, 3, 4, 5]) {
    const widths = Array.from({ length: halvings }, (_, i) => 2 + i);
    const g = generatorArchitecture({ ...image, widths: [9, ...widths] });
    assert.deepEqual(g.outputShape, [32, 96, 1]);
    const { outputShape } = g.layers.find(({ layer }) => layer.type === "Reshape")!.layer;
    assert.deepEqual(outputShape, [32 / 2 ** halvings, 96 / 2 ** halvings, 9]);
    const flat = discriminatorArchitecture({ ...image, widths }).layers.at(-2)!.layer.outputShape;
    assert.deepEqual(flat, [32 * 96 / 4 ** halvings * widths.at(-1)!]);
  }
});

Deno.test("sizes: a size that no network fits is refused, with the sizes that would", () => {
  const refused = (make: () => unknown, message: string) =>
    assert.throws(make, { name: "RangeError", message });
  const of = (side: string, step: number, size: number, how: string, way: string) =>
    `The ${side} of images must be a multiple of ${step}, got ${size}: the generator doubles its ` +
    `size ${how}. Pad or crop the images to ${way}`;
  const fewer = ", or give fewer widths";
  refused(() => defaultWidths(27, 28), of("height", 4, 27, "twice", "24 or 28"));
  refused(() => defaultWidths(28, 2), of("width", 4, 2, "twice", `4${fewer}`));
  refused(() => defaultWidths(28, 1.5), of("width", 4, 1.5, "twice", "4"));
  refused(() => defaultWidths(28, 28, 0), "base must be a whole number of at least 1, got 0");
  const widths = [1, 1, 1, 1, 1, 1];
  const deep = of("height", 32, 48, "5 times", `32 or 64${fewer}`);
  refused(() => generatorArchitecture({ height: 48, width: 64, widths }), deep);
  const odd = of("height", 2, 27, "once", "26 or 28");
  refused(() => generatorArchitecture({ height: 27, widths: [1, 1] }), odd);
  refused(() => discriminatorArchitecture({ height: 27, widths: [1] }), odd);
});
