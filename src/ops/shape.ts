import { CODE, collapse, MAX_AXES } from "../graph/elementwise.ts";
import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, sameShape, type Shape, show, sizeOf, type Tensor } from "../graph/tensor.ts";
import { copyBox, fillZero, requireRank, stridesOf } from "./copy.ts";
import { broadcastShapes, requireFloat, sumTo } from "./elementwise.ts";
import { normalizeAxes } from "./reduce.ts";

const reshapeOp: Op = {
  name: "reshape",
  alias: true,
  gradient: ({ inputs: [x] }, [dy]) => [dy && reshape(dy, x.shape)],
};

/**
 * The same elements under another shape; costs nothing. One axis may be -1: what is left.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 6] }, ({ x }) => {
 *   const y = ops.reshape(x, [3, -1]);
 *   console.log(y.shape); // [ 3, 4 ]
 *   return { y };
 * });
 * ```
 *
 * @param x of any shape and type
 * @throws {TypeError} when the number of elements would change.
 */
export function reshape<X extends TensorLike>(x: X, shape: Shape): SameType<X> {
  const tensor = toTensor(x, "the input of reshape");
  const known = sizeOf(shape.filter((n) => n !== -1));
  const target = shape.map((n) => n === -1 ? tensor.size / known : n);
  const whole = target.every((n) => Number.isSafeInteger(n) && n > 0);
  if (shape.filter((n) => n === -1).length > 1 || !whole || sizeOf(target) !== tensor.size) {
    throw new TypeError(
      `Cannot reshape ${show(tensor.shape)} to ${show(shape)}: it has ${tensor.size} elements`,
    );
  }
  if (sameShape(target, tensor.shape)) return tensor as SameType<X>;
  const output = { shape: target, dtype: tensor.dtype };
  return currentGraph().add(reshapeOp, [tensor], undefined, [output]).outputs[0] as SameType<X>;
}

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

const concatOp: Op = {
  name: "concat",
  gradient({ inputs, attributes: axis }, [dy]) {
    let at = 0;
    return inputs.map((x) => {
      const begin = x.shape.map((_, i) => i === axis ? at : 0);
      at += x.shape[axis];
      return dy && slice(dy, begin, x.shape);
    });
  },
  lower({ inputs, outputs: [y], attributes: axis }, lowering: Lowering) {
    const strides = stridesOf(y.shape);
    let offset = 0;
    for (const x of inputs) {
      copyBox(lowering, x.shape, x, { strides: stridesOf(x.shape) }, y, { strides, offset });
      offset += x.shape[axis] * strides[axis];
    }
  },
};

/**
 * Joins tensors along an axis (default the first).
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ a: [1, 2], b: [1, 1] }, ({ a, b }) => ({ y: ops.concat([a, b], 1) }));
 * program.run({ a: [1, 2], b: [3] });
 * console.log((await program.read()).y); // Float32Array(3) [ 1, 2, 3 ]
 * ```
 *
 * @param tensors at least one, alike but for their size along the axis
 * @param axis from 0, or from the end if negative. Default 0
 * @throws {TypeError} when their other axes or types differ.
 */
export function concat<X extends TensorLike>(tensors: readonly X[], axis = 0): SameType<X> {
  if (!tensors.length) throw new TypeError("concat needs at least one tensor");
  const inputs = tensors.map((t, i) => toTensor(t, `input ${i} of concat`));
  const [first] = inputs;
  for (const x of inputs) requireRank(x, "concat");
  const [along] = normalizeAxes(axis, first, "concat");
  for (const x of inputs) {
    const fits = x.rank === first.rank && x.dtype === first.dtype &&
      x.shape.every((n, i) => i === along || n === first.shape[i]);
    if (!fits) {
      throw new TypeError(
        `Cannot concat ${show(first.shape)} ${first.dtype} and ${show(x.shape)} ${x.dtype} ` +
          `along axis ${along}: the other axes and the type must be the same`,
      );
    }
  }
  const total = inputs.reduce((sum, x) => sum + x.shape[along], 0);
  const shape = first.shape.map((n, i) => i === along ? total : n);
  const output = { shape, dtype: first.dtype };
  return currentGraph().add(concatOp, inputs, along, [output]).outputs[0] as SameType<X>;
}

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

/** Elements to add before and after each axis. */
export type Padding = readonly (readonly [number, number])[];

const padOp: Op = {
  name: "pad",
  gradient({ inputs: [x], attributes }, [dy]) {
    return [dy && slice(dy, (attributes as Padding).map(([before]) => before), x.shape)];
  },
  lower({ inputs: [x], outputs: [y], attributes }, lowering: Lowering) {
    const strides = stridesOf(y.shape);
    const offset = strides.reduce((sum, s, axis) => sum + s * (attributes as Padding)[axis][0], 0);
    fillZero(lowering, y);
    copyBox(lowering, x.shape, x, { strides: stridesOf(x.shape) }, y, { strides, offset });
  },
};

/**
 * Adds zeros around x.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [1, 2] }, ({ x }) => ({ y: ops.pad(x, [[0, 0], [1, 2]]) }));
 * program.run({ x: [1, 2] });
 * console.log((await program.read()).y); // Float32Array(5) [ 0, 1, 2, 0, 0 ]
 * ```
 *
 * @param x of any shape
 * @param padding `[before, after]` for each axis.
 * @throws {RangeError} when an amount is negative or not whole.
 */
export function pad<X extends TensorLike>(x: X, padding: Padding): SameType<X> {
  const tensor = toTensor(x, "the input of pad");
  requireRank(tensor, "pad");
  if (padding.length !== tensor.rank) {
    throw new TypeError(
      `Cannot pad ${show(tensor.shape)} with ${padding.length} pairs: it has ${tensor.rank} axes`,
    );
  }
  if (padding.flat().some((n) => !Number.isInteger(n) || n < 0)) {
    throw new RangeError(
      `Cannot pad ${show(tensor.shape)} by ${JSON.stringify(padding)}: ` +
        "amounts must be whole and not negative",
    );
  }
  const shape = tensor.shape.map((n, axis) => n + padding[axis][0] + padding[axis][1]);
  const output = { shape, dtype: tensor.dtype };
  return currentGraph().add(padOp, [tensor], padding, [output]).outputs[0] as SameType<X>;
}
