import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { mul } from "./mul.ts";
import { step } from "./step.ts";

const leakyReluOp: Op = {
  name: "leakyRelu",
  // The output has the input's sign when the slope is positive; so the input need not be kept.
  gradient: ({ inputs: [x], outputs: [y], attributes: slope }, [dy]) => [
    dy && mul(dy, step(slope > 0 ? y : x, slope)),
  ],
  instruction: (node) => ({ code: CODE.leakyRelu, constant: node.attributes }),
};

/**
 * x where x > 0, else slope * x.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.leakyRelu(x, 0.5) }));
 * program.run({ x: [-4, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ -2, 2 ]
 * ```
 *
 * @param x f32 of any shape
 * @param slope default 0.3, Keras' own and the tutorial's.
 * @returns f32 of x's shape
 * @throws {RangeError} when the slope is not finite.
 * @throws {TypeError} when x is not f32.
 */
export function leakyRelu(x: TensorLike, slope = 0.3): Tensor {
  if (!Number.isFinite(slope)) throw new RangeError(`leakyRelu got a slope of ${slope}`);
  return unary(leakyReluOp, x, slope);
}

/**
 * max(x, 0), elementwise; its gradient at 0 is 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.relu(x) }));
 * program.run({ x: [-4, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ 0, 2 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function relu(x: TensorLike): Tensor {
  return leakyRelu(x, 0);
}
