import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";

const stepOp: Op = {
  name: "step",
  gradient: () => [undefined],
  instruction: (node) => ({ code: CODE.step, constant: node.attributes }),
};

/**
 * 1 where x > 0 and `below` elsewhere: the slope of a leaky rectifier. Its gradient is 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3] }, ({ x }) => ({ y: ops.step(x, 0.5) }));
 * program.run({ x: [-1, 0, 2] });
 * console.log((await program.read()).y); // Float32Array(3) [ 0.5, 0.5, 1 ]
 * ```
 *
 * @param x f32 of any shape
 * @param below default 0
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 * @throws {RangeError} when `below` is not finite.
 */
export function step(x: TensorLike, below = 0): Tensor {
  return unary(stepOp, x, below);
}
