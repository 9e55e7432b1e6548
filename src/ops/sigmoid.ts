import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";

const sigmoidOp: Op = {
  name: "sigmoid",
  gradient: ({ outputs: [y] }, [dy]) => [dy && mul(dy, mul(y, sub(1, y)))],
  instruction: () => ({ code: CODE.sigmoid }),
};

/**
 * 1 / (1 + exp(-x)), elementwise, stable for any x.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.sigmoid(x) }));
 * program.run({ x: [0, 100] });
 * console.log((await program.read()).y); // Float32Array(2) [ 0.5, 1 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function sigmoid(x: TensorLike): Tensor {
  return unary(sigmoidOp, x);
}
