import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";

const negOp: Op = {
  name: "neg",
  gradient: (_node, [dy]) => [dy && neg(dy)],
  instruction: () => ({ code: CODE.neg }),
};

/**
 * -x, elementwise.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
 * program.run({ x: [-1, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ 1, -2 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function neg(x: TensorLike): Tensor {
  return unary(negOp, x);
}
