/**
 * TensorFlow.js on WebGPU: the tutorial in its Keras layers, `variableGrads` and its Adam.
 *
 * @module
 */

import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { WebGPUBackend } from "npm:@tensorflow/tfjs-backend-webgpu@4.22.0";
import "npm:@tensorflow/tfjs-backend-webgpu@4.22.0";
import { layers, type Sequential, sequential } from "npm:@tensorflow/tfjs-layers@4.22.0";
import { kerasEpsilon, onAdapter, scale, serve, type Setup, type Weights } from "./serve.ts";

tf.enableProdMode();
if (!await tf.setBackend("webgpu")) throw new Error("tfjs finds no WebGPU adapter");
await tf.ready();

const NOISE_DIM = 100;

function makeGenerator(): Sequential {
  const convolve = (filters: number, strides: number, activation?: "tanh") =>
    layers.conv2dTranspose({
      filters,
      kernelSize: 5,
      strides,
      padding: "same",
      useBias: false,
      activation,
    });
  const normalize = () => [layers.batchNormalization(), layers.leakyReLU({ alpha: 0.3 })];
  return sequential({
    layers: [
      layers.dense({ units: 7 * 7 * 256, useBias: false, inputShape: [NOISE_DIM] }),
      ...normalize(),
      layers.reshape({ targetShape: [7, 7, 256] }),
      convolve(128, 1),
      ...normalize(),
      convolve(64, 2),
      ...normalize(),
      convolve(1, 2, "tanh"),
    ],
  });
}

function makeDiscriminator(rate: number): Sequential {
  const block = (filters: number, inputShape?: number[]) => [
    layers.conv2d({ filters, kernelSize: 5, strides: 2, padding: "same", inputShape }),
    layers.leakyReLU({ alpha: 0.3 }),
    layers.dropout({ rate }),
  ];
  return sequential({
    layers: [
      ...block(64, [28, 28, 1]),
      ...block(128),
      layers.flatten(),
      layers.dense({ units: 1 }),
    ],
  });
}

/** A network with its optimizer. */
class Trained {
  readonly trainable: tf.Variable[];
  readonly adam = tf.train.adam(1e-4, 0.9, 0.999, 1e-7);

  constructor(readonly model: Sequential, name: string, values: Weights) {
    // Layer by layer; the model's own list has the statistics at its end.
    const variables = model.layers.flatMap((layer) => layer.weights);
    const read = (list: typeof variables) => list.map((weight) => weight.read() as tf.Variable);
    const weights = read(variables);
    this.trainable = read(variables.filter((weight) => weight.trainable));
    const tensors = [...values].filter(([key]) => key.startsWith(`${name}/`)).map(([, t]) => t);
    tf.tidy(() => {
      tensors.forEach(({ data, shape }, i) => weights[i].assign(tf.tensor(data, [...shape])));
    });
  }

  call(x: tf.Tensor): tf.Tensor {
    return this.model.apply(x, { training: true }) as tf.Tensor;
  }

  dispose() {
    this.model.dispose();
    this.adam.dispose();
  }
}

let generator: Trained | undefined;
let discriminator: Trained | undefined;
let images: tf.Tensor | undefined;
let exact = false;
let steps = 0;

function prepare(setup: Setup): void {
  generator?.dispose();
  discriminator?.dispose();
  images?.dispose();
  generator = new Trained(makeGenerator(), "generator", setup.weights);
  discriminator = new Trained(makeDiscriminator(setup.dropout), "discriminator", setup.weights);
  // On the device already: in training, too, the next batch would be prefetched.
  images = tf.tensor(scale(setup.images), [setup.batch, 28, 28, 1]);
  exact = setup.exact;
  steps = 0;
}

const crossEntropy = (logits: tf.Tensor, label: number) =>
  tf.losses.sigmoidCrossEntropy(tf.fill(logits.shape, label), logits) as tf.Scalar;

/**
 * The tutorial has two tapes over one forward pass. tfjs has no tape to keep: the generator's loss
 * passes its images on to the discriminator's, and only the decision on them is computed twice.
 */
function trainStep(real: tf.Tensor, noise: tf.Tensor): tf.Scalar[] {
  const [G, D] = [generator!, discriminator!];
  let fake!: tf.Tensor;
  const g = tf.variableGrads(() => {
    fake = tf.keep(G.call(noise));
    return crossEntropy(D.call(fake), 1);
  }, G.trainable);
  const d = tf.variableGrads(
    () => tf.add(crossEntropy(D.call(real), 1), crossEntropy(D.call(fake), 0)) as tf.Scalar,
    D.trainable,
  );
  // The types ask for variables, but what variableGrads gives is what the optimizers take.
  G.adam.applyGradients(g.grads as never);
  D.adam.applyGradients(d.grads as never);
  fake.dispose();
  return [g.value, d.value];
}

await serve({
  describe: () => `tfjs ${tf.version_core} ${onAdapter((tf.backend() as WebGPUBackend).device)}`,
  prepare,
  async step(given) {
    steps++;
    if (exact) {
      for (const { adam } of [generator!, discriminator!]) {
        (adam as unknown as { epsilon: number }).epsilon = kerasEpsilon(steps);
      }
    }
    const real = images!;
    const losses = tf.tidy(() =>
      trainStep(
        real,
        given
          ? tf.tensor(given, [real.shape[0], NOISE_DIM])
          : tf.randomNormal([real.shape[0], NOISE_DIM]),
      )
    );
    const [[g], [d]] = await Promise.all(losses.map((loss) => loss.data()));
    tf.dispose(losses);
    return [g, d];
  },
});
