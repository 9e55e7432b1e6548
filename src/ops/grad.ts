import { backward } from "../graph/grad.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { add } from "./add.ts";
import { constant } from "./constant.ts";

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
  return backward(loss, targets, { add, constant });
}
