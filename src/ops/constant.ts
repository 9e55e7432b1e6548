import { CODE } from "../graph/elementwise.ts";
import { currentGraph } from "../graph/graph.ts";
import type { Op, Shape, Tensor } from "../graph/tensor.ts";

const constantOp: Op = {
  name: "constant",
  instruction: (node) => ({ code: CODE.constant, constant: node.attributes }),
};

/**
 * A tensor of one value; `[]` and 0 are usual. Fused into what reads it where shapes allow.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({}, () => ({ ones: ops.constant(1, [3]) }));
 * program.run();
 * console.log((await program.read()).ones); // Float32Array(3) [ 1, 1, 1 ]
 * ```
 *
 * @returns f32 of the shape
 * @throws {RangeError} when the value is no finite float32.
 * @throws {TypeError} when the shape is not one.
 */
export function constant(value: number, shape: Shape = []): Tensor {
  if (!Number.isFinite(Math.fround(value))) {
    throw new RangeError(`constant got the value ${value}, which is no finite float32`);
  }
  return currentGraph().add(constantOp, [], value, [{ shape }]).outputs[0];
}
