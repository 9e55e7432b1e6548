import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { mul } from "./mul.ts";

const expOp: Op = {
  name: "exp",
  gradient: ({ outputs: [y] }, [dy]) => [dy && mul(dy, y)],
  instruction: () => ({ code: CODE.exp }),
};

/**
 * e to the power of x, elementwise.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.exp(x) }));
 * program.run({ x: [0, 1] });
 * console.log((await program.read()).y); // Float32Array(2) [ 1, 2.7182817459106445 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function exp(x: TensorLike): Tensor {
  return unary(expOp, x);
}
