import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Op } from "../graph/tensor.ts";

const stopGradientOp: Op = { name: "stopGradient", alias: true, gradient: () => [undefined] };

/**
 * x itself, through which no gradient flows.
 *
 * ```ts
 * import { Gpu, grad, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => {
 *   const y = ops.sum(ops.mul(x, ops.stopGradient(x)));
 *   const [dx] = grad(y, [x]);
 *   return { dx }; // x, not 2 x
 * });
 * program.run({ x: [3, 5] });
 * console.log((await program.read()).dx); // Float32Array(2) [ 3, 5 ]
 * ```
 *
 * @param x of any shape and type
 * @returns x's values
 */
export function stopGradient<X extends TensorLike>(x: X): SameType<X> {
  const tensor = toTensor(x, "the input of stopGradient");
  const output = { shape: tensor.shape, dtype: tensor.dtype };
  return currentGraph().add(stopGradientOp, [tensor], undefined, [output]).outputs[0] as SameType<
    X
  >;
}
