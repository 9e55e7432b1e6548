/** One training step, recorded. */

import type { Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import type { Adam } from "../optim/adam.ts";
import { gatherImages } from "../ops/gather.ts";
import { grad, weightedGrad } from "../ops/grad.ts";
import * as ops from "../ops/mod.ts";
import type { RandomState } from "../ops/random.ts";
import { augment, perSample } from "../model/augment.ts";
import type { GeneratorAverage } from "../model/average.ts";
import type { Discriminator } from "../model/discriminator.ts";
import type { Generator } from "../model/generator.ts";
import {
  gradientAt,
  OBJECTIVES,
  oneCenteredPenalty,
  zeroCenteredPenalty,
} from "../model/objectives.ts";
import type { ResolvedHyperparameters } from "./hyperparameters.ts";
import type { LossRing } from "./loss_ring.ts";

/** Everything that a step reads and changes. */
export interface StepState {
  readonly hyperparameters: ResolvedHyperparameters;
  readonly generator: Generator;
  /** Of the generator's weights, if there is to be one. */
  readonly average?: GeneratorAverage;
  readonly discriminator: Discriminator;
  readonly generatorOptimizer: Adam;
  readonly discriminatorOptimizer: Adam;
  /** Images as bytes, [count, height, width, channels]. */
  readonly images: Variable<"u8">;
  /** Class of each image, [count], for conditional networks. */
  readonly labels?: Variable<"u32">;
  /** Source of noise, dropout masks and augmentations. */
  readonly random: RandomState;
  /** Where a step leaves both of its losses. */
  readonly losses: LossRing;
}

/** What the discriminator has seen, and what it said of it. */
interface Seen {
  /** Real and generated images [batch, height, width, channels]. */
  readonly real: Tensor;
  readonly fake: Tensor;
  /** [batch, 1] */
  readonly realLogits: Tensor;
  readonly fakeLogits: Tensor;
}

/**
 * The gradients of both losses, with one backward pass through the discriminator on fake images
 * instead of two. That network couples no samples, so that the gradients of both losses at a sample
 * are multiples of the same one; the objective's `slopes` are the factors. With the tutorial's:
 *
 *   d generatorLoss / d logit = -sigmoid(-logit) / batch
 *   d discriminatorLoss / d logit = sigmoid(logit) / batch
 *
 * The pass begins with the larger of the two, sigmoid(|logit|) / batch, so that nothing overflows.
 * The penalty R2, on the gradient at the same images, needs no other pass.
 *
 * @param penalty another one of the discriminator
 */
export function gradientsOf(
  { generator, discriminator, hyperparameters }: Pick<
    StepState,
    "generator" | "discriminator" | "hyperparameters"
  >,
  { real, fake, realLogits, fakeLogits }: Seen,
  penalty?: Tensor,
): { generator: Tensor[]; discriminator: Tensor[] } {
  const [batch] = fake.shape;
  const { objective: name, labelSmoothing, r1, r2 } = hyperparameters;
  const objective = OBJECTIVES[name];
  const flat = (logits: Tensor) => ops.stopGradient(ops.reshape(logits, [batch]));
  const slopes = objective.slopes(flat(realLogits), flat(fakeLogits));

  const pass = ops.mean(ops.mul(ops.reshape(fakeLogits, [batch]), slopes.start));
  const targets = [fake, ...discriminator.trainableVariables];
  const [atFake, ...fakeGradients] = weightedGrad(pass, targets, slopes.discriminator);
  const fakeGradient = () => ops.mul(atFake, perSample(ops.div(batch, slopes.start)));
  const realLoss = [
    objective.discriminator(realLogits, ops.stopGradient(fakeLogits), 1 - labelSmoothing),
    ...r1 > 0 ? [zeroCenteredPenalty(gradientAt(real, realLogits), r1)] : [],
    ...r2 > 0 ? [zeroCenteredPenalty(fakeGradient(), r2)] : [],
    ...penalty ? [penalty] : [],
  ].reduce(ops.add);
  const realGradients = grad(realLoss, discriminator.trainableVariables);
  const atImages = ops.stopGradient(ops.mul(atFake, perSample(slopes.generator)));
  return {
    generator: grad(ops.sum(ops.mul(fake, atImages)), generator.trainableVariables),
    discriminator: realGradients.map((gradient, i) => ops.add(gradient, fakeGradients[i])),
  };
}

/**
 * Records one step for a batch size, for `gpu.compile` or `gpu.compileAsync`: one generator forward, the
 * discriminator on real and fake images, both losses from that same forward, both gradients before
 * either update.
 *
 * Generated images get the labels of the batch's real ones. So they are distributed as the data's, no
 * further random numbers are drawn, and the images of a pair (see the relativistic objective) are of
 * one class.
 *
 * The program's only input is `indices`, the batch's places in the data set.
 *
 * @param updatesGenerator false: a step of the discriminator alone. What only the generator's gradient
 *   needs is not computed then.
 */
export function recordStep(state: StepState, batch: number, updatesGenerator = true) {
  const { generator, discriminator, random, hyperparameters } = state;
  const { objective: name, labelSmoothing, augment: kinds, gradientPenalty } = hyperparameters;
  const objective = OBJECTIVES[name];
  return [
    { indices: { shape: [batch], dtype: "u32" } },
    ({ indices }: { readonly indices: Tensor<"u32"> }) => {
      const labels = state.labels && ops.gather(state.labels, indices);
      const training = { training: true, state: random, labels };
      const noise = ops.randomNormal([batch, generator.noiseDim], { state: random });
      const real = augment(gatherImages(state.images, indices), kinds, random);
      const fake = augment(generator.call(noise, training), kinds, random);
      const realLogits = discriminator.call(real, training);
      const fakeLogits = discriminator.call(fake, training);
      const lossOfGenerator = objective.generator(realLogits, fakeLogits);
      const lossOfDiscriminator = objective.discriminator(
        realLogits,
        fakeLogits,
        1 - labelSmoothing,
      );
      const between = () => {
        const share = perSample(ops.randomUniform([batch], { state: random }));
        const mixed = ops.stopGradient(ops.add(fake, ops.mul(ops.sub(real, fake), share)));
        return oneCenteredPenalty(
          gradientAt(mixed, discriminator.call(mixed, training)),
          gradientPenalty,
        );
      };
      const penalty = gradientPenalty > 0 ? between() : undefined;
      const seen = { real, fake, realLogits, fakeLogits };
      const gradients = gradientsOf(state, seen, penalty);
      if (updatesGenerator) {
        state.generatorOptimizer.apply(gradients.generator);
        state.average?.record(generator, state.generatorOptimizer);
      }
      state.discriminatorOptimizer.apply(gradients.discriminator);
      state.losses.record(lossOfGenerator, lossOfDiscriminator);
      return {};
    },
    { label: `training step, batch ${batch}` },
  ] as const;
}
