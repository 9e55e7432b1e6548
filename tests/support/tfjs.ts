/**
 * The oracle that nobody here wrote: TensorFlow.js on its CPU backend, with the tutorial's models
 * in its own Keras layers.
 */

import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import "npm:@tensorflow/tfjs-backend-cpu@4.22.0";
import {
  layers,
  loadLayersModel,
  type Sequential,
  sequential,
} from "npm:@tensorflow/tfjs-layers@4.22.0";
import type { Variable } from "../../mod.ts";
import type { TestRandom } from "./random.ts";

tf.enableProdMode(); // without advice to install the native add-on
await tf.setBackend("cpu");

export { layers, loadLayersModel, type Sequential, sequential, tf };

/** Layers start from zeros here: their weights are copied from ours. */
const kernelInitializer = "zeros";

export function tutorialGenerator(
  {
    noiseDim = 100,
    widths = [256, 128, 64] as readonly number[],
    channels = 1,
    height = 28,
    width = 28,
    normalization = "batch" as "batch" | "none",
  } = {},
): Sequential {
  const [first, ...others] = widths;
  const [h, w] = [height, width].map((side) => side / 2 ** others.length);
  const useBias = normalization === "none";
  const activate = () => [
    ...useBias ? [] : [layers.batchNormalization()],
    layers.leakyReLU({ alpha: 0.3 }),
  ];
  const convolve = (filters: number, strides: number, activation?: "tanh") =>
    layers.conv2dTranspose({
      filters,
      kernelSize: 5,
      strides,
      padding: "same",
      useBias,
      activation,
      kernelInitializer,
    });
  return sequential({
    layers: [
      layers.dense({
        units: h * w * first,
        useBias,
        inputShape: [noiseDim],
        kernelInitializer,
      }),
      ...activate(),
      layers.reshape({ targetShape: [h, w, first] }),
      ...others.flatMap((filters, i) => [convolve(filters, i === 0 ? 1 : 2), ...activate()]),
      convolve(channels, 2, "tanh"),
    ],
  });
}

/** The tutorial's discriminator; dropout 0, as no two libraries draw the same masks. */
export function tutorialDiscriminator(
  { widths = [64, 128], channels = 1, dropout = 0, height = 28, width = 28 } = {},
): Sequential {
  return sequential({
    layers: [
      ...widths.flatMap((filters, i) => [
        layers.conv2d({
          filters,
          kernelSize: 5,
          strides: 2,
          padding: "same",
          kernelInitializer,
          ...i === 0 && { inputShape: [height, width, channels] },
        }),
        layers.leakyReLU({ alpha: 0.3 }),
        layers.dropout({ rate: dropout }),
      ]),
      layers.flatten(),
      layers.dense({ units: 1, kernelInitializer }),
    ],
  });
}

/** Weights layer by layer, each layer's in Keras' order: the order of our `variables`. */
export function weightsOf(model: Sequential): tf.Variable[] {
  return model.layers.flatMap((layer) => layer.weights.map((w) => w.read() as tf.Variable));
}

/** Gives a tfjs model the weights of ours, without transposing anything. */
export async function copyWeights(from: readonly Variable[], to: Sequential): Promise<void> {
  const weights = weightsOf(to);
  if (weights.length !== from.length) {
    throw new TypeError(`Cannot copy ${from.length} weights to ${weights.length}`);
  }
  for (const [i, variable] of from.entries()) {
    const values = tf.tensor(await variable.read() as Float32Array, [...variable.shape]);
    weights[i].assign(values); // refuses another shape
    values.dispose();
  }
}

/** Moves biases, gammas, betas and statistics off their initial zeros and ones. */
export function disturb(variables: readonly Variable[], random: TestRandom): void {
  for (const variable of variables) {
    const write = (draw: () => number) => variable.write(random.fill(variable.size, draw));
    if (/gamma$/.test(variable.name)) write(() => 1 + 0.2 * random.normal());
    if (/(bias|beta|moving_mean)$/.test(variable.name)) write(() => 0.2 * random.normal());
    if (/moving_variance$/.test(variable.name)) write(() => random.between(0.5, 2));
  }
}
