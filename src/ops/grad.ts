/** Gradients, recorded as ops. */

import { backward } from "../graph/grad.ts";
import { type TensorLike, toTensor } from "../graph/graph.ts";
import { show, type Tensor } from "../graph/tensor.ts";
import { add, mul } from "./arithmetic.ts";
import { sumTo } from "./reduce.ts";
import { constant } from "./state.ts";
import { reshape } from "./shape.ts";

/**
 * Gradients of a scalar with respect to tensors or variables, recorded with ops: they can be
 * differentiated again. A target that the loss does not depend on gets zeros.
 *
 * A variable stands for the newest of its values that the loss depends on. Where the loss depends on
 * an older one, too, from before an `assign`, that is a target of its own: take it with
 * `ops.reshape(v, v.shape)` before the variable is overwritten.
 *
 * ```ts
 * import { Gpu, grad, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3] }, ({ x }) => {
 *   const [dx] = grad(ops.sum(ops.mul(x, x)), [x]);
 *   return { dx }; // 2 x
 * });
 * ```
 *
 * @param loss a tensor of one element
 * @returns a gradient for each target, of its shape
 * @throws {TypeError} when the loss has more than one element.
 */
export function grad(loss: TensorLike, targets: readonly TensorLike[]): Tensor[] {
  return backward(loss, targets, { add, sumTo, weigh, constant });
}

/**
 * {@linkcode grad} with a weight for each sample of the batch. The gradients of targets that are
 * variables become those of the weighted sum of the samples' losses; those of targets that are tensors
 * stay as they are. So one backward pass serves two losses that differ by a factor for each sample.
 *
 * This holds only for a network that computes each sample by itself (no batch normalization) between
 * the tensors among the targets, whose first axis is the batch, and the loss, a sum over samples.
 *
 * @param weights of rank 1
 * @throws {TypeError} when the weights do not fit the first axis, or no target is a tensor.
 */
export function weightedGrad(
  loss: TensorLike,
  targets: readonly TensorLike[],
  weights: TensorLike,
): Tensor[] {
  const tensor = toTensor(weights, "the sample weights");
  if (tensor.rank !== 1) {
    throw new TypeError(`Sample weights must be of rank 1, got ${show(tensor.shape)}`);
  }
  return backward(loss, targets, { add, sumTo, weigh, constant }, tensor);
}

function weigh(x: Tensor, weights: Tensor): Tensor {
  if (x.rank === 0 || x.shape[0] !== weights.size) {
    throw new TypeError(
      `Cannot weigh the samples of ${show(x.shape)} by ${weights.size} weights: ` +
        "the first axis must be the batch all the way from the tensors to the loss",
    );
  }
  return mul(x, reshape(weights, [weights.size, ...x.shape.slice(1).map(() => 1)]));
}
