/**
 * Elements in another order or place: their values do not change.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 3], row: [1, 3] }, ({ x, row }) => ({
 *   list: ops.reshape(x, [-1]),
 *   columns: ops.transpose(x),
 *   rows: ops.broadcastTo(row, [2, 3]),
 *   longer: ops.concat([x, row]),
 *   right: ops.slice(x, [0, 1], [-1, 2]),
 *   outer: ops.slice(x, [0, 0], [-1, -1], [1, 2]),
 *   framed: ops.pad(row, [[0, 0], [1, 2]]),
 * }));
 * program.run({ x: [1, 2, 3, 4, 5, 6], row: [7, 8, 9] });
 * const y = await program.read();
 * console.log(y.list, y.columns); // Float32Array(6) [ 1, 2, 3, 4, 5, 6 ] Float32Array(6) [ 1, 4, 2, 5, 3, 6 ]
 * console.log(y.rows); // Float32Array(6) [ 7, 8, 9, 7, 8, 9 ]
 * console.log(y.longer.length, y.framed); // 9 Float32Array(6) [ 0, 7, 8, 9, 0, 0 ]
 * console.log(y.right, y.outer); // Float32Array(4) [ 2, 3, 5, 6 ] Float32Array(4) [ 1, 3, 4, 6 ]
 * ```
 *
 * @module
 */

import { collapse, MAX_AXES } from "../graph/elementwise.ts";
import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import {
  type Op,
  sameShape,
  type Shape,
  show,
  sizeOf,
  type Tensor,
  validateShape,
} from "../graph/tensor.ts";
import { broadcastShapes, normalizeAxes, requireFloat, requireList } from "./check.ts";
import { copyBox, fillZero, requireRank, stridesOf } from "./copy.ts";

/** Records an op whose one result has the first input's type. */
export function moved<A, X extends TensorLike>(
  op: Op<A>,
  inputs: Tensor[],
  attributes: A,
  shape: Shape,
): SameType<X> {
  const output = { shape, dtype: inputs[0].dtype };
  const [y] = currentGraph().add<A>(op, inputs, attributes as NoInfer<A>, [output]).outputs;
  return y as SameType<X>;
}

const reshapeOp: Op = {
  name: "reshape",
  alias: true,
  gradient: ({ inputs: [x] }, [dy]) => [dy && reshape(dy, x.shape)],
};

/**
 * The same elements under another shape, which costs nothing. One axis may be -1: its size follows
 * from the others.
 *
 * @param x of any shape and type
 * @throws {TypeError} when the number of elements would change.
 */
export function reshape<X extends TensorLike>(x: X, shape: Shape): SameType<X> {
  const tensor = toTensor(x, "the input of reshape");
  requireList(shape, "The shape of reshape");
  const known = sizeOf(shape.filter((n) => n !== -1));
  const target = shape.map((n) => n === -1 ? tensor.size / known : n);
  const whole = target.every((n) => Number.isSafeInteger(n) && n > 0);
  if (shape.filter((n) => n === -1).length > 1 || !whole || sizeOf(target) !== tensor.size) {
    throw new TypeError(
      `Cannot reshape ${show(tensor.shape)} to ${show(shape)}: it has ${tensor.size} elements`,
    );
  }
  if (sameShape(target, tensor.shape)) return tensor as SameType<X>;
  return moved(reshapeOp, [tensor], undefined, target);
}

const transposeOp: Op<readonly number[]> = {
  name: "transpose",
  gradient({ attributes: permutation }, [dy]) {
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
    return [dy && transpose(dy, inverse)];
  },
  lower({ inputs: [x], outputs: [y], attributes: permutation }, lowering: Lowering) {
    const strides = stridesOf(x.shape);
    const from = { strides: permutation.map((axis) => strides[axis]) };
    copyBox(lowering, y.shape, x, y, { from });
  },
};

/**
 * Axes in another order: axis i of the result is axis `permutation[i]` of x. Default: reversed.
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
  requireList(order, "The permutation of transpose");
  if (order.length !== tensor.rank || !tensor.shape.every((_, axis) => order.includes(axis))) {
    throw new TypeError(
      `Cannot transpose ${show(tensor.shape)} by ${show(order)}: ` +
        `it must name each of the axes 0 to ${tensor.rank - 1} once`,
    );
  }
  return moved(transposeOp, [tensor], order, order.map((axis) => tensor.shape[axis]));
}

// Differentiation sums the gradient over the repeated axes.
const broadcastToOp: Op = { name: "broadcastTo", gradient: (_, [dy]) => [dy], instruction: "copy" };

const expandOp: Op = {
  name: "broadcastTo",
  gradient: (_, [dy]) => [dy],
  lower({ inputs: [x], outputs: [y] }, lowering: Lowering) {
    const padded = [...new Array(y.rank - x.rank).fill(1), ...x.shape];
    const strides = stridesOf(padded).map((s, axis) => padded[axis] === 1 ? 0 : s);
    copyBox(lowering, y.shape, x, y, { from: { strides } });
  },
};

/**
 * Repeats x along axes of size 1 (and new leading ones) until it has the given shape. Where an
 * elementwise op reads it, it costs nothing.
 *
 * @param x f32, its axes of the shape's sizes or 1
 * @returns f32 of the shape
 * @throws {TypeError} when x does not broadcast to the shape.
 */
export function broadcastTo(x: TensorLike, shape: Shape): Tensor {
  const tensor = toTensor(x, "the input of broadcastTo");
  validateShape(shape, "The result of broadcastTo");
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

const concatOp: Op<number> = {
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
      copyBox(lowering, x.shape, x, y, { to: { strides, offset } });
      offset += x.shape[axis] * strides[axis];
    }
  },
};

/**
 * Joins tensors along an axis (default the first).
 *
 * @param tensors at least one; they may differ only in their size along the axis
 * @param axis from 0, or from the end if negative. Default 0
 * @throws {TypeError} when their other axes or types differ.
 */
export function concat<X extends TensorLike>(tensors: readonly X[], axis = 0): SameType<X> {
  requireList(tensors, "The tensors of concat");
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
  return moved(concatOp, inputs, along, shape);
}

/** Elements of the larger tensor that a box of elements lies on. */
interface Box {
  /** First index along each axis. */
  readonly begin: readonly number[];
  /** Steps between neighbors along each axis. */
  readonly strides: readonly number[];
  /** Shape of the larger tensor. */
  readonly whole: Shape;
}

/** The box as one side of a copy. */
function side({ begin, strides, whole }: Box) {
  const steps = stridesOf(whole);
  return {
    strides: steps.map((s, axis) => s * strides[axis]),
    offset: steps.reduce((sum, s, axis) => sum + s * begin[axis], 0),
  };
}

const sliceOp: Op<Box> = {
  name: "slice",
  gradient: ({ attributes: box }, [dy]) => [dy && moved(embedOp, [dy], box, box.whole)],
  lower({ inputs: [x], outputs: [y], attributes: box }, lowering: Lowering) {
    copyBox(lowering, y.shape, x, y, { from: side(box) });
  },
};

/** Puts x on a box of zeros: pad, and the gradient of slice. */
const embedOp: Op<Box> = {
  name: "pad",
  gradient: ({ inputs: [x], attributes: box }, [dy]) => [dy && moved(sliceOp, [dy], box, x.shape)],
  lower({ inputs: [x], outputs: [y], attributes: box }, lowering: Lowering) {
    fillZero(lowering, y);
    copyBox(lowering, x.shape, x, y, { to: side(box) });
  },
};

/**
 * The box of `size` elements that begins at `begin`, an entry for each axis. With strides, it holds
 * every strides-th element from there. A size of -1 means as many as there are.
 *
 * @param x f32 or u32 of any shape
 * @param begin first index along each axis
 * @param size elements along each axis, -1 for the rest
 * @param strides steps along each axis, from 1. Default 1 along every axis.
 * @returns [...size]
 * @throws {TypeError} when begin, size or strides has not an entry for each axis.
 * @throws {RangeError} when the box leaves the tensor, or a stride is not positive.
 */
export function slice<X extends TensorLike>(
  x: X,
  begin: readonly number[],
  size: readonly number[],
  strides?: readonly number[],
): SameType<X> {
  const tensor = toTensor(x, "the input of slice");
  requireRank(tensor, "slice");
  for (const [what, list] of Object.entries({ begin, size, strides: strides ?? [] })) {
    requireList(list, `The ${what} of slice`);
  }
  const { shape: whole, rank } = tensor;
  const steps = strides ?? begin.map(() => 1);
  if ([begin, size, steps].some((entries) => entries.length !== rank)) {
    throw new TypeError(
      `Cannot slice ${show(whole)} with begin ${show(begin)}, size ${show(size)} and strides ` +
        `${show(steps)}: each needs ${rank} entries`,
    );
  }
  if (steps.some((s) => !Number.isInteger(s) || s < 1)) {
    throw new RangeError(
      `Cannot slice ${show(whole)} with strides ${show(steps)}: strides must be whole and ` +
        "positive; to reverse an axis, use gather with indices that fall",
    );
  }
  const shape = size.map((n, axis) =>
    n === -1 ? Math.ceil((whole[axis] - begin[axis]) / steps[axis]) : n
  );
  const inside = shape.every((n, axis) =>
    Number.isInteger(n) && Number.isInteger(begin[axis]) && n > 0 && begin[axis] >= 0 &&
    begin[axis] + (n - 1) * steps[axis] < whole[axis]
  );
  if (!inside) {
    const by = steps.some((s) => s > 1) ? ` and strides ${show(steps)}` : "";
    throw new RangeError(
      `Cannot slice ${show(whole)} from ${show(begin)} with size ${show(size)}${by}: ` +
        "the box leaves the tensor",
    );
  }
  return moved(sliceOp, [tensor], { begin, strides: steps, whole }, shape);
}

/** Elements to add before and after each axis. */
export type Padding = readonly (readonly [number, number])[];

/**
 * Adds zeros around x.
 *
 * @param x f32 or u32 of any shape
 * @param padding `[before, after]` for each axis.
 * @throws {TypeError} when there is not a pair for each axis.
 * @throws {RangeError} when an amount is negative or not whole.
 */
export function pad<X extends TensorLike>(x: X, padding: Padding): SameType<X> {
  const tensor = toTensor(x, "the input of pad");
  requireRank(tensor, "pad");
  requireList(padding, "The padding of pad");
  if (padding.length !== tensor.rank) {
    throw new TypeError(
      `Cannot pad ${show(tensor.shape)} with ${padding.length} pairs: it has ${tensor.rank} axes`,
    );
  }
  if (
    padding.some((pair) => pair?.length !== 2 || pair.some((n) => !Number.isInteger(n) || n < 0))
  ) {
    throw new RangeError(
      `Cannot pad ${show(tensor.shape)} by ${JSON.stringify(padding)}: each axis needs two whole ` +
        "numbers that are not negative",
    );
  }
  const whole = tensor.shape.map((n, axis) => n + padding[axis][0] + padding[axis][1]);
  const begin = padding.map(([before]) => before);
  return moved(embedOp, [tensor], { begin, strides: begin.map(() => 1), whole }, whole);
}
