import { type TensorLike, toTensor } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { add } from "../ops/add.ts";
import { constant } from "../ops/constant.ts";
import { sigmoidCrossEntropyWithLogits } from "../ops/crossEntropy.ts";
import { mean } from "../ops/sum.ts";

/** Mean binary cross-entropy of logits that should all be `label`. */
export function crossEntropy(logits: TensorLike, label: number): Tensor {
  const tensor = toTensor(logits, "the logits");
  return mean(sigmoidCrossEntropyWithLogits(tensor, constant(label, tensor.shape)));
}

/**
 * The generator's loss: how far the discriminator is from taking its pictures for real.
 *
 * @param fakeLogits [batch, 1], the discriminator's decision on generated pictures
 * @returns a scalar: mean binary cross-entropy with ones
 */
export function generatorLoss(fakeLogits: TensorLike): Tensor {
  return crossEntropy(fakeLogits, 1);
}

/**
 * The discriminator's loss: real pictures should give ones, generated ones zeros.
 *
 * @returns a scalar: the sum of both mean binary cross-entropies
 */
export function discriminatorLoss(realLogits: TensorLike, fakeLogits: TensorLike): Tensor {
  return add(crossEntropy(realLogits, 1), crossEntropy(fakeLogits, 0));
}
