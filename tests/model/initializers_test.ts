/** How weights start: the mean square of activations through the depth of a network. */

import assert from "node:assert/strict";
import {
  type Architecture,
  defaultWidths,
  Discriminator,
  discriminatorArchitecture,
  Generator,
  generatorArchitecture,
  layers,
  ops,
  type Sequential,
  type Tensor,
} from "../../mod.ts";
import { architecture } from "../../src/model/architecture.ts";
import { conv2d, conv2dTranspose, nd } from "../support/reference.ts";
import { assertClose } from "../support/close.ts";
import { gpu } from "../support/compute.ts";

Deno.test("initializers: He's limit counts the products that are summed for an output", () => {
  const ones = (shape: number[]) =>
    nd(shape, new Float64Array(shape.reduce((a, b) => a * b)).fill(1));
  const image = [6, 5, 3];
  for (const [layer, op] of [["conv2D", conv2d], ["conv2DTranspose", conv2dTranspose]] as const) {
    for (const kernelSize of [1, 2, 3, 5]) {
      for (const strides of [1, 2, 3]) {
        for (const padding of ["same", "valid"] as const) {
          const initializer = layers.heUniform(0.2);
          const options = { kernelSize, strides, padding, initializer };
          const made = architecture("a", image, [layers[layer](2, options)]);
          const [kernel] = made.layers[0].layer.weights;
          // Ones through a kernel of ones: each output is the number of its products.
          const { data } = op(ones([1, ...image]), ones([...kernel.shape]), { strides, padding });
          const terms = data.reduce((sum, n) => sum + n) / data.length;
          assert.ok(kernel.initializer.kind === "uniform");
          const what = `${layer} of ${kernelSize}, stride ${strides}, ${padding}`;
          const limit = Math.sqrt(6 / (1.04 * terms));
          assertClose([kernel.initializer.limit], [limit], { rtol: 1e-12, what });
        }
      }
    }
  }
});

/** The mean square of what each layer with weights gives for normal noise, before the activation. */
async function meanSquares(model: Sequential, { layers }: Architecture): Promise<number[]> {
  using program = gpu.compile({}, () => {
    let x = ops.randomNormal([16, ...model.inputShape], { seed: 2 });
    let at = 0;
    const squares: Record<string, Tensor> = {};
    for (const { name, layer } of layers) {
      const linear = layer.config.activation !== "tanh";
      x = layer.call(x, model.variables.slice(at, at += layer.weights.length), { training: false });
      if (layer.weights.length && linear) squares[name] = ops.mean(ops.mul(x, x));
    }
    return squares;
  });
  program.run();
  return Object.values(await program.read()).map(([square]) => square);
}

for (const side of [28, 64]) {
  Deno.test(`initializers: activations keep their mean square, ${side} pixels`, async () => {
    const image = { height: side, width: side, channels: 3 };
    const widths = defaultWidths(side, side, 32);
    const options = { ...image, widths: widths.generator, normalization: "none" } as const;
    using generator = owned(new Generator(gpu, { ...options, seed: 1 }));
    const ofGenerator = await meanSquares(generator.model, generatorArchitecture(options));
    assert.equal(ofGenerator.length, widths.generator.length);
    // The variance of one draw of narrow kernels, and brighter middles: taps on padding give nothing.
    assertClose(ofGenerator, ofGenerator.map(() => 1), { atol: 0.2, what: "generator" });

    const critic = { ...image, widths: widths.discriminator, initializer: "heUniform" } as const;
    using discriminator = owned(new Discriminator(gpu, { ...critic, seed: 1 }));
    const squares = await meanSquares(discriminator.model, discriminatorArchitecture(critic));
    const hidden = squares.slice(0, -1); // one logit has the variance of one kernel
    assert.equal(hidden.length, widths.discriminator.length);
    assertClose(hidden, hidden.map(() => 1), { atol: 0.2, what: "discriminator" });
  });
}

/** A model that is disposed at the end of a block. */
const owned = <M extends Sequential>(model: M) => ({
  model,
  [Symbol.dispose]: () => model.dispose(),
});
