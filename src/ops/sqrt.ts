import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { div } from "./div.ts";
import { mul } from "./mul.ts";

const sqrtOp: Op = {
  name: "sqrt",
  gradient: ({ outputs: [y] }, [dy]) => [dy && div(dy, mul(y, 2))],
  instruction: () => ({ code: CODE.sqrt }),
};

/**
 * Square root, elementwise; its gradient at 0 is infinite.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.sqrt(x) }));
 * program.run({ x: [4, 9] });
 * console.log((await program.read()).y); // Float32Array(2) [ 2, 3 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function sqrt(x: TensorLike): Tensor {
  return unary(sqrtOp, x);
}
