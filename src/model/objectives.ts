/** What the two networks minimize: objectives, and penalties on the discriminator's gradient. */

import { type TensorLike, toTensor } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { grad } from "../ops/grad.ts";
import * as ops from "../ops/mod.ts";

/**
 * Name of an objective:
 *
 * - `nonsaturating`: binary cross-entropy, the tutorial's (Goodfellow et al. 2014)
 * - `hinge`: Lim and Ye 2017
 * - `wgan-gp`: Wasserstein distance with a gradient penalty (Gulrajani et al. 2017)
 * - `relativistic`: pairs of a real and a generated image (Jolicoeur-Martineau 2018), for R1 and R2 as
 *   in R3GAN (Huang et al. 2025)
 */
export type ObjectiveName = "nonsaturating" | "hinge" | "wgan-gp" | "relativistic";

/**
 * What both losses have in common where they meet, at the logits of generated images. For each
 * sample, the derivative of a loss is `start` times a factor, divided by the batch. Each is [batch].
 */
export interface Slopes {
  /** At most 1. One backward pass for both networks begins with it. */
  readonly start: Tensor;
  /** Factor of the generator's loss, from -1 to 0. */
  readonly generator: Tensor;
  /** Factor of the discriminator's loss, from 0 to 1. */
  readonly discriminator: Tensor;
}

/** The losses of both networks, as functions of the logits [batch, 1] on real and generated images. */
export interface Objective {
  /** A scalar. */
  generator(real: Tensor, fake: Tensor): Tensor;
  /** A scalar, without penalties. `realLabel` is 1, or less with smoothed labels. */
  discriminator(real: Tensor, fake: Tensor, realLabel: number): Tensor;
  /** Derivatives by the logits of generated images, given both logits as [batch]. */
  slopes(real: Tensor, fake: Tensor): Slopes;
}

/** Mean binary cross-entropy of logits that should all be `label`. */
function crossEntropy(logits: TensorLike, label: number): Tensor {
  const tensor = toTensor(logits, "the logits");
  return ops.mean(ops.sigmoidCrossEntropyWithLogits(tensor, ops.constant(label, tensor.shape)));
}

/**
 * The generator's loss: mean binary cross-entropy of its images' logits with ones, in nats. It is small
 * when the discriminator takes the images for real.
 *
 * ```ts
 * import { generatorLoss, Gpu } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ fake: [2, 1] }, ({ fake }) => ({ loss: generatorLoss(fake) }));
 * program.run({ fake: [100, 100] });
 * console.log((await program.read()).loss); // Float32Array(1) [ 0 ]
 * ```
 *
 * @param fakeLogits [batch, 1], the discriminator's decision on generated images
 * @returns a scalar
 * @throws {TypeError} when the logits are not f32.
 */
export function generatorLoss(fakeLogits: TensorLike): Tensor {
  return crossEntropy(fakeLogits, 1);
}

/**
 * The discriminator's loss: the sum of two mean binary cross-entropies, of the logits on real images
 * with ones and of those on generated images with zeros.
 *
 * ```ts
 * import { discriminatorLoss, Gpu } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ real: [2, 1], fake: [2, 1] }, ({ real, fake }) => ({
 *   loss: discriminatorLoss(real, fake),
 * }));
 * program.run({ real: [100, 100], fake: [-100, 50] });
 * console.log((await program.read()).loss); // Float32Array(1) [ 25 ]
 * ```
 *
 * @param realLogits [batch, 1], as `fakeLogits`
 * @param realLabel what logits on real images are compared with: less than 1 smooths the labels on one
 *   side (Salimans et al. 2016). Default 1.
 * @returns a scalar
 * @throws {TypeError} when the logits are not f32.
 */
export function discriminatorLoss(
  realLogits: TensorLike,
  fakeLogits: TensorLike,
  realLabel = 1,
): Tensor {
  return ops.add(crossEntropy(realLogits, realLabel), crossEntropy(fakeLogits, 0));
}

/**
 * Slopes of -log sigmoid(x) for the generator and of -log sigmoid(-x) for the discriminator:
 * -sigmoid(-x) and sigmoid(x). The pass begins with the larger, so that neither factor overflows.
 */
function logisticSlopes(x: Tensor): Slopes {
  const start = ops.sigmoid(ops.abs(x));
  const discriminator = ops.div(ops.sigmoid(x), start);
  return { start, generator: ops.neg(ops.div(ops.sigmoid(ops.neg(x)), start)), discriminator };
}

/** Slopes of a generator's loss -mean(fake). */
function linearSlopes(discriminator: Tensor): Slopes {
  const one = ops.constant(1, discriminator.shape);
  return { start: one, generator: ops.neg(one), discriminator };
}

/** All objectives, by name. */
export const OBJECTIVES: Readonly<Record<ObjectiveName, Objective>> = {
  nonsaturating: {
    generator: (_, fake) => generatorLoss(fake),
    discriminator: discriminatorLoss,
    slopes: (_, fake) => logisticSlopes(fake),
  },
  hinge: {
    generator: (_, fake) => ops.neg(ops.mean(fake)),
    discriminator: (real, fake) =>
      ops.add(ops.mean(ops.relu(ops.sub(1, real))), ops.mean(ops.relu(ops.add(1, fake)))),
    slopes: (_, fake) => linearSlopes(ops.step(ops.add(1, fake))),
  },
  "wgan-gp": {
    generator: (_, fake) => ops.neg(ops.mean(fake)),
    discriminator: (real, fake) => ops.sub(ops.mean(fake), ops.mean(real)),
    slopes: (_, fake) => linearSlopes(ops.constant(1, fake.shape)),
  },
  relativistic: {
    generator: (real, fake) => ops.mean(ops.softplus(ops.sub(real, fake))),
    discriminator: (real, fake) => ops.mean(ops.softplus(ops.sub(fake, real))),
    slopes: (real, fake) => logisticSlopes(ops.sub(fake, real)),
  },
};

/** Squared norms of a gradient [batch, height, width, channels] of each sample: [batch]. */
const squaredNorms = (gradient: Tensor) => ops.sum(ops.mul(gradient, gradient), [1, 2, 3]);

/**
 * gamma / 2 * mean |gradient|^2, a zero-centered penalty (Mescheder et al. 2018): R1 for the
 * discriminator's gradient at real images, R2 at generated ones.
 *
 * @param gradient [batch, height, width, channels], of each logit by its image
 * @returns a scalar
 */
export function zeroCenteredPenalty(gradient: Tensor, gamma: number): Tensor {
  return ops.mul(ops.mean(squaredNorms(gradient)), gamma / 2);
}

/**
 * weight * mean (|gradient| - 1)^2, the penalty of WGAN-GP (Gulrajani et al. 2017).
 *
 * @param gradient [batch, height, width, channels], of each logit by its image
 * @returns a scalar
 */
export function oneCenteredPenalty(gradient: Tensor, weight: number): Tensor {
  // The root of 0 has no gradient.
  const excess = ops.sub(ops.sqrt(ops.add(squaredNorms(gradient), 1e-12)), 1);
  return ops.mul(ops.mean(ops.mul(excess, excess)), weight);
}

/** The gradient of each logit by its own image; the network couples no samples. */
export function gradientAt(images: Tensor, logits: Tensor): Tensor {
  return grad(ops.sum(logits), [images])[0];
}
