import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, type Shape, show } from "../graph/tensor.ts";
import { copyBox, requireRank, stridesOf } from "./copy.ts";
import { pad } from "./pad.ts";

const sliceOp: Op = {
  name: "slice",
  gradient({ inputs: [x], outputs: [y], attributes }, [dy]) {
    const begin = attributes as Shape;
    const padding = x.shape.map((n, axis) =>
      [begin[axis], n - begin[axis] - y.shape[axis]] as const
    );
    return [dy && pad(dy, padding)];
  },
  lower({ inputs: [x], outputs: [y], attributes: begin }, lowering: Lowering) {
    const strides = stridesOf(x.shape);
    const offset = strides.reduce((sum, s, axis) => sum + s * begin[axis], 0);
    copyBox(lowering, y.shape, x, { strides, offset }, y, { strides: stridesOf(y.shape) });
  },
};

/**
 * The box of `size` elements that begins at `begin`, an entry an axis; a size of -1 means the rest
 * of the axis.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 3] }, ({ x }) => ({ y: ops.slice(x, [0, 1], [-1, 2]) }));
 * program.run({ x: [1, 2, 3, 4, 5, 6] });
 * console.log((await program.read()).y); // Float32Array(4) [ 2, 3, 5, 6 ]
 * ```
 *
 * @param x of any shape
 * @param begin first index along each axis
 * @param size elements along each axis, -1 for the rest
 * @returns [...size]
 * @throws {RangeError} when the box leaves the tensor.
 */
export function slice<X extends TensorLike>(
  x: X,
  begin: readonly number[],
  size: readonly number[],
): SameType<X> {
  const tensor = toTensor(x, "the input of slice");
  requireRank(tensor, "slice");
  if (begin.length !== tensor.rank || size.length !== tensor.rank) {
    throw new TypeError(
      `Cannot slice ${show(tensor.shape)} with begin ${show(begin)} and size ${show(size)}: ` +
        `each needs ${tensor.rank} entries`,
    );
  }
  const shape = size.map((n, axis) => n === -1 ? tensor.shape[axis] - begin[axis] : n);
  const inside = shape.every((n, axis) =>
    Number.isInteger(n) && Number.isInteger(begin[axis]) && n > 0 && begin[axis] >= 0 &&
    begin[axis] + n <= tensor.shape[axis]
  );
  if (!inside) {
    throw new RangeError(
      `Cannot slice ${show(tensor.shape)} from ${show(begin)} with size ${show(size)}: ` +
        "the box leaves the tensor",
    );
  }
  const output = { shape, dtype: tensor.dtype };
  return currentGraph().add(sliceOp, [tensor], begin, [output]).outputs[0] as SameType<X>;
}
