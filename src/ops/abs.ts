import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { mul } from "./mul.ts";
import { sign } from "./sign.ts";

const absOp: Op = {
  name: "abs",
  gradient: ({ inputs: [x] }, [dy]) => [dy && mul(dy, sign(x))],
  instruction: () => ({ code: CODE.abs }),
};

/**
 * Absolute value, elementwise; its gradient at 0 is 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3] }, ({ x }) => ({ y: ops.abs(x) }));
 * program.run({ x: [-2, 0, 3] });
 * console.log((await program.read()).y); // Float32Array(3) [ 2, 0, 3 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function abs(x: TensorLike): Tensor {
  return unary(absOp, x);
}
