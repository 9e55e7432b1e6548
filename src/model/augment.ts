/**
 * DiffAugment (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training"): random
 * changes of real and generated images alike, through which the generator's gradient flows. So a
 * discriminator that has few images cannot learn them by heart.
 */

import type { Tensor } from "../graph/tensor.ts";
import * as ops from "../ops/mod.ts";
import type { RandomState } from "../ops/random.ts";
import { places, translate, within } from "../ops/translate.ts";

/**
 * A kind of change. `color`: brightness, saturation of color images, and contrast. `translation`: by up
 * to an eighth of each side. `cutout`: a box of half of each side becomes 0, a medium gray.
 */
export type Augmentation = "color" | "translation" | "cutout";

/** All kinds, in the order in which they are applied. */
export const AUGMENTATIONS: readonly Augmentation[] = ["color", "translation", "cutout"];

/** Where random numbers [batch] come from. */
export interface Draw {
  uniform(minimum: number, maximum: number): Tensor;
  /** Whole numbers from 0 to n - 1. */
  whole(n: number): Tensor;
}

/** A value for each sample, [batch] as [batch, 1, 1, 1], to be broadcast over its pixels. */
export const perSample = (values: Tensor) => ops.reshape(values, [values.size, 1, 1, 1]);

/** center + factor * (x - center) */
const scaleFrom = (center: Tensor, x: Tensor, factor: Tensor) =>
  ops.add(center, ops.mul(ops.sub(x, center), perSample(factor)));

/**
 * Brightness +-0.5; saturation 0 to 2 about each pixel's gray, if there are three channels; contrast
 * 0.5 to 1.5 about the image's mean. As in the paper's code, values may leave [-1, 1].
 */
function color(x: Tensor, { uniform }: Draw): Tensor {
  let y = ops.add(x, perSample(uniform(-0.5, 0.5)));
  if (x.shape[3] > 1) y = scaleFrom(ops.mean(y, 3, true), y, uniform(0, 2));
  return scaleFrom(ops.mean(y, [1, 2, 3], true), y, uniform(0.5, 1.5));
}

/** Moves images by up to an eighth of each side; what comes in is 0. */
function translation(x: Tensor, { whole }: Draw): Tensor {
  const [down, right] = x.shape.slice(1, 3).map((side) => {
    const most = Math.floor(side / 8 + 0.5);
    return ops.sub(whole(2 * most + 1), most);
  });
  return translate(x, down, right);
}

/** Sets a box of half of each side to 0. Its center may lie anywhere, so that it may be cut off. */
function cutout(x: Tensor, { whole }: Draw): Tensor {
  const [batch, ...sides] = x.shape.slice(0, 3);
  const [rows, columns] = sides.map((side, i) => {
    const size = Math.floor(side / 2 + 0.5);
    const center = whole(side + 1 - size % 2);
    const begin = ops.sub(center, Math.floor(size / 2));
    return within(places(side, i + 1), ops.reshape(begin, [batch, 1, 1]), size);
  });
  const kept = ops.sub(1, ops.mul(rows, columns));
  return ops.mul(x, ops.reshape(kept, [...kept.shape, 1]));
}

const KINDS: Record<Augmentation, (x: Tensor, draw: Draw) => Tensor> = {
  color,
  translation,
  cutout,
};

/**
 * Images, each changed at random.
 *
 * @param x [batch, height, width, channels] on [-1, 1]
 * @param kinds which changes; their order does not matter
 * @param state where the random numbers come from; those of `kinds` that are left out are not drawn
 * @returns of x's shape
 */
export function augment(x: Tensor, kinds: readonly Augmentation[], state: RandomState): Tensor {
  const [batch] = x.shape;
  const uniform = (minimum: number, maximum: number) =>
    ops.randomUniform([batch], { state, minimum, maximum });
  const whole = (n: number) => ops.cast(ops.cast(uniform(0, n), "u32"), "f32");
  return augmentBy(x, kinds, { uniform, whole });
}

/** {@linkcode augment} with random numbers from elsewhere. */
export function augmentBy(x: Tensor, kinds: readonly Augmentation[], draw: Draw): Tensor {
  return AUGMENTATIONS.filter((kind) => kinds.includes(kind))
    .reduce((y, kind) => KINDS[kind](y, draw), x);
}
