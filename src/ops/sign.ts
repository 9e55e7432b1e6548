import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";

const signOp: Op = {
  name: "sign",
  gradient: () => [undefined],
  instruction: () => ({ code: CODE.sign }),
};

/**
 * -1, 0 or 1 by the sign of x, elementwise. Its gradient is 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3] }, ({ x }) => ({ y: ops.sign(x) }));
 * program.run({ x: [-3, 0, 0.5] });
 * console.log((await program.read()).y); // Float32Array(3) [ -1, 0, 1 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function sign(x: TensorLike): Tensor {
  return unary(signOp, x);
}
