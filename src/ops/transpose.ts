import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, show } from "../graph/tensor.ts";
import { copyBox, requireRank, stridesOf } from "./copy.ts";

const transposeOp: Op = {
  name: "transpose",
  gradient({ attributes: permutation }, [dy]) {
    const inverse = (permutation as number[]).map((_, axis) => permutation.indexOf(axis));
    return [dy && transpose(dy, inverse)];
  },
  lower({ inputs: [x], outputs: [y], attributes: permutation }, lowering: Lowering) {
    const strides = stridesOf(x.shape);
    copyBox(
      lowering,
      y.shape,
      x,
      { strides: (permutation as number[]).map((axis) => strides[axis]) },
      y,
      { strides: stridesOf(y.shape) },
    );
  },
};

/**
 * Axes in another order: axis i of the result is axis `permutation[i]` of x. Default: reversed.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 2] }, ({ x }) => ({ y: ops.transpose(x) }));
 * program.run({ x: [1, 2, 3, 4] });
 * console.log((await program.read()).y); // Float32Array(4) [ 1, 3, 2, 4 ]
 * ```
 *
 * @param x of any shape
 * @param permutation each axis of x once
 * @throws {TypeError} when `permutation` does not name every axis once.
 */
export function transpose<X extends TensorLike>(
  x: X,
  permutation?: readonly number[],
): SameType<X> {
  const tensor = toTensor(x, "the input of transpose");
  requireRank(tensor, "transpose");
  const order = permutation ?? tensor.shape.map((_, i) => tensor.rank - 1 - i);
  if (order.length !== tensor.rank || !tensor.shape.every((_, axis) => order.includes(axis))) {
    throw new TypeError(
      `Cannot transpose ${show(tensor.shape)} by ${show(order)}: ` +
        `it must name each of the axes 0 to ${tensor.rank - 1} once`,
    );
  }
  const output = { shape: order.map((axis) => tensor.shape[axis]), dtype: tensor.dtype };
  return currentGraph().add(transposeOp, [tensor], order, [output]).outputs[0] as SameType<X>;
}
