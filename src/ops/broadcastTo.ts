import { CODE } from "../graph/elementwise.ts";
import { collapse, MAX_AXES } from "../graph/elementwise.ts";
import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, sameShape, type Shape, show, type Tensor } from "../graph/tensor.ts";
import { copyBox, requireRank, stridesOf } from "./copy.ts";
import { broadcastShapes, requireFloat, sumTo } from "./elementwise.ts";

const gradient: Op["gradient"] = ({ inputs: [x] }, [dy]) => [dy && sumTo(dy, x.shape)];

const broadcastToOp: Op = {
  name: "broadcastTo",
  gradient,
  instruction: () => ({ code: CODE.copy }),
};

const expandOp: Op = {
  name: "broadcastTo",
  gradient,
  lower({ inputs: [x], outputs: [y] }, lowering: Lowering) {
    const padded = [...new Array(y.rank - x.rank).fill(1), ...x.shape];
    const strides = stridesOf(padded).map((s, axis) => padded[axis] === 1 ? 0 : s);
    copyBox(lowering, y.shape, x, { strides }, y, { strides: stridesOf(y.shape) });
  },
};

/**
 * Repeats x along axes of size 1 (and new leading ones) until it has the given shape. Costs nothing
 * where an elementwise op reads it.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 1] }, ({ x }) => ({ y: ops.broadcastTo(x, [2, 2]) }));
 * program.run({ x: [1, 2] });
 * console.log((await program.read()).y); // Float32Array(4) [ 1, 1, 2, 2 ]
 * ```
 *
 * @param x f32, its axes of the shape's sizes or 1
 * @returns f32 of the shape
 * @throws {TypeError} when x does not broadcast to the shape.
 */
export function broadcastTo(x: TensorLike, shape: Shape): Tensor {
  const tensor = toTensor(x, "the input of broadcastTo");
  if (sameShape(tensor.shape, shape)) return tensor;
  requireFloat(tensor, "broadcastTo");
  if (!sameShape(broadcastShapes(tensor.shape, shape, "broadcast"), shape)) {
    throw new TypeError(`Cannot broadcast ${show(tensor.shape)} to ${show(shape)}`);
  }
  if (collapse(shape, [tensor.shape]).dims.length > MAX_AXES) return expand(tensor, shape);
  return currentGraph().add(broadcastToOp, [tensor], undefined, [{ shape }]).outputs[0];
}

/** Repeats x in memory, for patterns that the elementwise kernel cannot address. */
export function expand(x: Tensor, shape: Shape): Tensor {
  const [y] = currentGraph().add(expandOp, [x], undefined, [{ shape }]).outputs;
  requireRank(y, "broadcast to");
  return y;
}
