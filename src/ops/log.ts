import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { div } from "./div.ts";

const logOp: Op = {
  name: "log",
  gradient: ({ inputs: [x] }, [dy]) => [dy && div(dy, x)],
  instruction: () => ({ code: CODE.log }),
};

/**
 * Natural logarithm, elementwise; NaN below 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.log(x) }));
 * program.run({ x: [1, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ 0, 0.6931471824645996 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function log(x: TensorLike): Tensor {
  return unary(logOp, x);
}
