/**
 * One whole training step of the full-size network against tfjs, and consecutive steps of a small
 * one against Keras' formula of Adam.
 */

import assert from "node:assert/strict";
import { discriminatorLoss, generatorLoss, Gpu } from "../../mod.ts";
import type { Discriminator, Generator, Hyperparameters, Tensor } from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import { gradientsOf } from "../../src/training/step.ts";
import { assertClose, relativeError } from "../support/close.ts";
import { blobs } from "../support/dataset.ts";
import { KerasAdam } from "../support/keras_adam.ts";
import { TestRandom } from "../support/random.ts";
import { copyWeights, disturb, tf } from "../support/tfjs.ts";
import { tutorialDiscriminator, tutorialGenerator } from "../support/tfjs.ts";

const gpu = await Gpu.request();
const LEARNING_RATE = 1e-4;
/** Images of the full-size step: two would have a variance that says nothing. */
const BATCH = 3;
const SIDES = ["generator", "discriminator"] as const;

/** The networks without dropout, which tfjs would draw otherwise; of a data set that is not used. */
const makeNetworks = (options: Hyperparameters = {}) =>
  new DCGAN(gpu, blobs(1), { learningRate: LEARNING_RATE, dropout: 0, seed: 5, ...options });

/** The library's own step (see `recordStep`) with noise and images as inputs and all gradients as outputs. */
function compileOpenStep(networks: DCGAN, batch: number) {
  const { generator, discriminator } = networks;
  return gpu.compile(
    { noise: [batch, generator.noiseDim], real: [batch, 28, 28, 1] },
    ({ noise, real }) => {
      const training = { training: true };
      const fake = generator.call(noise, training);
      const realLogits = discriminator.call(real, training);
      const fakeLogits = discriminator.call(fake, training);
      const outputs: Record<string, Tensor> = {
        "loss of generator": generatorLoss(fakeLogits),
        "loss of discriminator": discriminatorLoss(realLogits, fakeLogits),
      };
      const gradients = gradientsOf(networks, { real, fake, realLogits, fakeLogits });
      for (const side of SIDES) {
        networks[`${side}Optimizer`].apply(gradients[side]);
        gradients[side].forEach((g, i) => outputs[`${side} ${i}`] = g);
      }
      return outputs;
    },
  );
}

/** Keras' Adam, at the weights as they stand. */
async function kerasOf({ trainableVariables }: Generator | Discriminator): Promise<KerasAdam> {
  const weights = await Promise.all(trainableVariables.map((variable) => variable.read()));
  return new KerasAdam(weights, { learningRate: LEARNING_RATE });
}

const makeBatch = (batch: number, noiseDim: number, random: TestRandom) => ({
  noise: Float32Array.from(random.fill(batch * noiseDim)),
  real: Float32Array.from(random.fill(batch * 28 * 28, (r) => r.between(-1, 1))),
});

/** Fails unless values are off by less than `most` of their norm. */
function assertNear(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  most = 1e-6,
): void {
  const error = relativeError(actual, expected);
  assert(error < most, `${what} is off by ${error}`);
}

/**
 * What tfjs computes of the same step: losses and gradients by the names of our outputs, and the
 * generator's statistics after it.
 */
async function oracle({ generator, discriminator }: DCGAN, data: ReturnType<typeof makeBatch>) {
  const [G, D] = [tutorialGenerator(), tutorialDiscriminator()];
  await copyWeights(generator.variables, G);
  await copyWeights(discriminator.variables, D);
  const noise = tf.tensor(data.noise, [BATCH, 100]);
  const real = tf.tensor(data.real, [BATCH, 28, 28, 1]);
  const call = (model: typeof G, x: tf.Tensor) => model.apply(x, { training: true }) as tf.Tensor;
  const crossEntropy = (logits: tf.Tensor, label: number) =>
    tf.losses.sigmoidCrossEntropy(tf.fill(logits.shape, label), logits) as tf.Scalar;
  // The generator's loss keeps its images for the discriminator's.
  let fake = tf.tensor(0);
  const losses = {
    generator: () => {
      fake = tf.keep(call(G, noise));
      return crossEntropy(call(D, fake), 1);
    },
    discriminator: () => tf.add(crossEntropy(call(D, real), 1), crossEntropy(call(D, fake), 0)),
  } as const;
  const values: Record<string, ArrayLike<number>> = {};
  for (const [side, model] of [["generator", G], ["discriminator", D]] as const) {
    const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const { value, grads } = tf.variableGrads(losses[side] as () => tf.Scalar, weights);
    values[`loss of ${side}`] = await value.data();
    for (const [i, { name }] of weights.entries()) {
      values[`${side} ${i}`] = await grads[name].data();
    }
  }
  const statistics = G.nonTrainableWeights.map((weight) => weight.read().dataSync());
  tf.disposeVariables();
  return { values, statistics };
}

Deno.test("a full-size training step: losses, gradients and statistics are tfjs'", async () => {
  const random = new TestRandom("full-size step");
  using networks = makeNetworks();
  const { generator, discriminator } = networks;
  disturb([...generator.variables, ...discriminator.variables], random);
  const data = makeBatch(BATCH, generator.noiseDim, random);
  const { values, statistics } = await oracle(networks, data);
  using step = compileOpenStep(networks, BATCH);
  const keras = await kerasOf(generator);
  step.run(data);
  const ours = await step.read();

  for (const side of SIDES) {
    const what = `loss of ${side}`;
    assertClose(ours[what], values[what], { rtol: 1e-5, what });
    // Both sides are float32 and add up to 12,544 terms in other orders, a dozen layers deep: the
    // difference is about 1e-6 of the norm. A wrong rule would be off by far more than 2e-5.
    for (const [i, { name }] of networks[side].trainableVariables.entries()) {
      const gradient = `${side} ${i}`;
      assertNear(`${side}: the gradient of ${name}`, ours[gradient], values[gradient], 2e-5);
    }
  }
  keras.apply(keras.weights.map((_, i) => ours[`generator ${i}`]));
  for (const [i, variable] of generator.trainableVariables.entries()) {
    const tolerance = { rtol: 1e-7, atol: 1e-5 * LEARNING_RATE, what: `${variable.name} after` };
    assertClose(await variable.read(), keras.weights[i], tolerance);
  }
  const ourStatistics = generator.variables.filter(({ trainable }) => !trainable);
  assert.equal(statistics.length, ourStatistics.length);
  for (const [i, variable] of ourStatistics.entries()) {
    assertNear(`${variable.name} after the step`, await variable.read(), statistics[i]);
  }
});

Deno.test("consecutive steps move every weight as Keras' formula of Adam says", async () => {
  const random = new TestRandom("consecutive steps");
  const widths = { generatorWidths: [9, 5, 3], discriminatorWidths: [5, 6] } as const;
  using networks = makeNetworks({ noiseDim: 7, ...widths });
  using step = compileOpenStep(networks, 5);
  const kerases = {
    generator: await kerasOf(networks.generator),
    discriminator: await kerasOf(networks.discriminator),
  };
  for (let t = 1; t <= 3; t++) {
    step.run(makeBatch(5, 7, random));
    const outputs = await step.read();
    for (const side of SIDES) {
      const { trainableVariables: variables } = networks[side];
      const { moments, state } = networks[`${side}Optimizer`];
      const keras = kerases[side];
      keras.apply(variables.map((_, i) => outputs[`${side} ${i}`]));
      assert.equal((await state.read())[0], t);
      const moment = (name: string) => moments.find((v) => v.name === name)!.read();
      for (const [i, variable] of variables.entries()) {
        const { name } = variable;
        const what = `${side}, step ${t}: ${name}`;
        assertNear(`${what}/m`, await moment(`${name}/m`), keras.m[i]);
        assertNear(`${what}/v`, await moment(`${name}/v`), keras.v[i]);
        // The update is right to 1e-5 of its size; adding it rounds the weight itself.
        const tolerance = { rtol: t * 1e-7, atol: t * 1e-5 * LEARNING_RATE, what };
        assertClose(await variable.read(), keras.weights[i], tolerance);
      }
    }
  }
});
