/**
 * One whole training step of the full-size network against tfjs, and consecutive steps of a small
 * one against Keras' formula of Adam.
 */

import assert from "node:assert/strict";
import { discriminatorLoss, generatorLoss, Gpu } from "../../mod.ts";
import type { Hyperparameters, Tensor, Variable } from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import { gradientsOf } from "../../src/training/step.ts";
import { assertClose, relativeError } from "../support/close.ts";
import { blobs } from "../support/dataset.ts";
import { KerasAdam } from "../support/keras_adam.ts";
import { TestRandom } from "../support/random.ts";
import {
  copyWeights,
  disturb,
  tf,
  tutorialDiscriminator,
  tutorialGenerator,
  weightsOf,
} from "../support/tfjs.ts";

const LEARNING_RATE = 1e-4;

/** The networks without dropout, which tfjs would draw otherwise; of a data set that is not used. */
const makeNetworks = (gpu: Gpu, options: Hyperparameters = {}) =>
  new DCGAN(gpu, blobs(1), { learningRate: LEARNING_RATE, dropout: 0, seed: 5, ...options });

/** The library's own step (see `compileStep`) with noise and images as inputs and all gradients as outputs. */
function compileOpenStep(gpu: Gpu, networks: DCGAN, batch: number) {
  const { generator, discriminator, generatorOptimizer, discriminatorOptimizer } = networks.state;
  return gpu.compile(
    { noise: [batch, generator.noiseDim], real: [batch, 28, 28, 1] },
    ({ noise, real }) => {
      const training = { training: true };
      const fake = generator.call(noise, training);
      const realLogits = discriminator.call(real, training);
      const fakeLogits = discriminator.call(fake, training);
      const lossOfGenerator = generatorLoss(fakeLogits);
      const lossOfDiscriminator = discriminatorLoss(realLogits, fakeLogits);
      const parts = { generator, discriminator, fake, realLogits, fakeLogits };
      const { generator: ofGenerator, discriminator: ofDiscriminator } = gradientsOf(parts);
      generatorOptimizer.apply(ofGenerator);
      discriminatorOptimizer.apply(ofDiscriminator);
      const outputs: Record<string, Tensor> = { lossOfGenerator, lossOfDiscriminator };
      ofGenerator.forEach((g, i) => outputs[`generator ${i}`] = g);
      ofDiscriminator.forEach((g, i) => outputs[`discriminator ${i}`] = g);
      return outputs;
    },
  );
}

const readAll = (variables: readonly Variable[]) => Promise.all(variables.map((v) => v.read()));

function makeBatch(batch: number, noiseDim: number, random: TestRandom) {
  return {
    noise: Float32Array.from(random.fill(batch * noiseDim)),
    real: Float32Array.from(random.fill(batch * 28 * 28, (r) => r.between(-1, 1))),
  };
}

Deno.test("a full-size training step: losses, gradients and statistics are tfjs'", async () => {
  using gpu = await Gpu.request();
  const random = new TestRandom("full-size step");
  const batch = 4;
  const networks = makeNetworks(gpu);
  const { generator, discriminator } = networks;
  disturb([...generator.variables, ...discriminator.variables], random);
  const G = tutorialGenerator();
  const D = tutorialDiscriminator();
  await copyWeights(generator.variables, G);
  await copyWeights(discriminator.variables, D);

  const data = makeBatch(batch, generator.noiseDim, random);
  using step = compileOpenStep(gpu, networks, batch);
  const before = await readAll(generator.trainableVariables);
  step.run(data);
  const ours = await step.read();

  // tfjs: the generator's loss keeps its images for the discriminator's.
  const noise = tf.tensor(data.noise, [batch, 100]);
  const real = tf.tensor(data.real, [batch, 28, 28, 1]);
  const trainable = (model: typeof G, variables: readonly Variable[]) =>
    weightsOf(model).filter((_, i) => variables[i].trainable);
  const [weightsOfG, weightsOfD] = [
    trainable(G, generator.variables),
    trainable(D, discriminator.variables),
  ];
  const call = (model: typeof G, x: tf.Tensor) => model.apply(x, { training: true }) as tf.Tensor;
  const crossEntropy = (logits: tf.Tensor, label: number) =>
    tf.losses.sigmoidCrossEntropy(tf.fill(logits.shape, label), logits) as tf.Scalar;
  let fake = tf.tensor(0);
  const stepOfG = tf.variableGrads(() => {
    fake = tf.keep(call(G, noise));
    return crossEntropy(call(D, fake), 1);
  }, weightsOfG);
  const stepOfD = tf.variableGrads(
    () => tf.add(crossEntropy(call(D, real), 1), crossEntropy(call(D, fake), 0)),
    weightsOfD,
  );

  const losses = { rtol: 1e-5 };
  assertClose(ours.lossOfGenerator, await stepOfG.value.data(), { ...losses, what: "generator" });
  assertClose(ours.lossOfDiscriminator, await stepOfD.value.data(), {
    ...losses,
    what: "discriminator",
  });
  // Both sides are float32 and add up to 12,544 terms in other orders, a dozen layers deep: the
  // difference is about 1e-6 of the norm. A wrong rule would be off by far more than 2e-5.
  for (
    const [name, model, weights, { grads }] of [
      ["generator", generator, weightsOfG, stepOfG],
      ["discriminator", discriminator, weightsOfD, stepOfD],
    ] as const
  ) {
    for (const [i, variable] of model.trainableVariables.entries()) {
      const expected = await grads[weights[i].name].data();
      const error = relativeError(ours[`${name} ${i}`], expected);
      assert(error < 2e-5, `${name}: the gradient of ${variable.name} is off by ${error}`);
    }
  }
  const keras = new KerasAdam(before, { learningRate: LEARNING_RATE });
  keras.apply(before.map((_, i) => ours[`generator ${i}`]));
  for (const [i, variable] of generator.trainableVariables.entries()) {
    const tolerance = { rtol: 1e-7, atol: 1e-5 * LEARNING_RATE, what: `${variable.name} after` };
    assertClose(await variable.read(), keras.weights[i], tolerance);
  }
  const theirs = weightsOf(G);
  for (const [i, variable] of generator.variables.entries()) {
    if (variable.trainable) continue;
    const error = relativeError(await variable.read(), await theirs[i].data());
    assert(error < 1e-6, `${variable.name} after the step is off by ${error}`);
  }
  tf.disposeVariables();
});

Deno.test("consecutive steps move every weight as Keras' formula of Adam says", async () => {
  using gpu = await Gpu.request();
  const random = new TestRandom("consecutive steps");
  const networks = makeNetworks(gpu, {
    noiseDim: 7,
    generatorWidths: [9, 5, 3],
    discriminatorWidths: [5, 6],
  });
  using step = compileOpenStep(gpu, networks, 5);
  const sides = [];
  for (const name of ["generator", "discriminator"] as const) {
    const { trainableVariables: variables } = networks[name];
    const keras = new KerasAdam(await readAll(variables), { learningRate: LEARNING_RATE });
    sides.push({ name, variables, keras, adam: networks.state[`${name}Optimizer`] });
  }
  for (let t = 1; t <= 3; t++) {
    step.run(makeBatch(5, 7, random));
    const outputs = await step.read();
    for (const { name, variables, keras, adam } of sides) {
      keras.apply(variables.map((_, i) => outputs[`${name} ${i}`]));
      assert.equal((await adam.state.read())[0], t);
      const moments = new Map(adam.moments.map((v) => [v.name, v]));
      for (const [i, variable] of variables.entries()) {
        const what = `${name}, step ${t}: ${variable.name}`;
        const near = (part: string, actual: ArrayLike<number>, expected: Float64Array) => {
          const error = relativeError(actual, expected);
          assert(error < 1e-6, `${what}${part} is off by ${error}`);
        };
        near("/m", await moments.get(`${variable.name}/m`)!.read(), keras.m[i]);
        near("/v", await moments.get(`${variable.name}/v`)!.read(), keras.v[i]);
        // The update is right to 1e-5 of its size; adding it rounds the weight itself.
        const tolerance = { rtol: t * 1e-7, atol: t * 1e-5 * LEARNING_RATE, what };
        assertClose(await variable.read(), keras.weights[i], tolerance);
      }
    }
  }
});
