/** One training step of the tutorial, recorded. */

import type { Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import type { Adam } from "../optim/adam.ts";
import { gatherImages } from "../ops/gather.ts";
import { grad, weightedGrad } from "../ops/grad.ts";
import * as ops from "../ops/mod.ts";
import type { RandomState } from "../ops/random.ts";
import type { Discriminator } from "../model/discriminator.ts";
import type { Generator } from "../model/generator.ts";
import { crossEntropy, discriminatorLoss, generatorLoss } from "../model/losses.ts";
import type { LossRing } from "./loss_ring.ts";

/** Everything that a step reads and changes. */
export interface StepState {
  readonly generator: Generator;
  readonly discriminator: Discriminator;
  readonly generatorOptimizer: Adam;
  readonly discriminatorOptimizer: Adam;
  /** Images as bytes, [count, height, width, channels]. */
  readonly images: Variable<"u8">;
  /** Source of noise and dropout masks. */
  readonly random: RandomState;
  /** Where a step leaves both of its losses. */
  readonly losses: LossRing;
}

/**
 * The gradients of both losses, with one backward pass through the discriminator on fake images
 * instead of two. That network couples no samples, so that the gradients of both losses at a sample
 * are multiples of the same one:
 *
 *   d generatorLoss / d logit = -sigmoid(-logit) / batch
 *   d discriminatorLoss / d logit = sigmoid(logit) / batch
 *
 * The pass begins with the larger of the two, sigmoid(|logit|) / batch, so that nothing overflows.
 */
export function gradientsOf({ generator, discriminator, fake, realLogits, fakeLogits }: {
  readonly generator: Generator;
  readonly discriminator: Discriminator;
  readonly fake: Tensor;
  readonly realLogits: Tensor;
  readonly fakeLogits: Tensor;
}): { generator: Tensor[]; discriminator: Tensor[] } {
  const [batch] = fake.shape;
  const logits = ops.stopGradient(ops.reshape(fakeLogits, [batch]));
  const larger = ops.sigmoid(ops.abs(logits));
  const ofDiscriminator = ops.div(ops.sigmoid(logits), larger);
  const ofGenerator = ops.neg(ops.div(ops.sigmoid(ops.neg(logits)), larger));

  const pass = ops.mean(ops.mul(ops.reshape(fakeLogits, [batch]), larger));
  const targets = [fake, ...discriminator.trainableVariables];
  const [atFake, ...fakeGradients] = weightedGrad(pass, targets, ofDiscriminator);
  const realGradients = grad(crossEntropy(realLogits, 1), discriminator.trainableVariables);
  const atImages = ops.stopGradient(ops.mul(atFake, ops.reshape(ofGenerator, [batch, 1, 1, 1])));
  return {
    generator: grad(ops.sum(ops.mul(fake, atImages)), generator.trainableVariables),
    discriminator: realGradients.map((gradient, i) => ops.add(gradient, fakeGradients[i])),
  };
}

/**
 * Records one step for a batch size, for `gpu.compile` or `gpu.compileAsync`: one generator forward, the discriminator on real and fake
 * images, both losses from that same forward, both gradients before either update.
 *
 * The program's only input is `indices`, the batch's places in the data set.
 */
export function recordStep(state: StepState, batch: number) {
  const { generator, discriminator, random } = state;
  return [
    { indices: { shape: [batch], dtype: "u32" } },
    ({ indices }: { readonly indices: Tensor<"u32"> }) => {
      const training = { training: true, state: random };
      const noise = ops.randomNormal([batch, generator.noiseDim], { state: random });
      const real = gatherImages(state.images, indices);
      const fake = generator.call(noise, training);
      const realLogits = discriminator.call(real, training);
      const fakeLogits = discriminator.call(fake, training);
      const lossOfGenerator = generatorLoss(fakeLogits);
      const lossOfDiscriminator = discriminatorLoss(realLogits, fakeLogits);
      const gradients = gradientsOf({ generator, discriminator, fake, realLogits, fakeLogits });
      state.generatorOptimizer.apply(gradients.generator);
      state.discriminatorOptimizer.apply(gradients.discriminator);
      state.losses.record(lossOfGenerator, lossOfDiscriminator);
      return {};
    },
    { label: `training step, batch ${batch}` },
  ] as const;
}
