/**
 * Reductions: sum, mean and maximum over axes.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 3] }, ({ x }) => ({
 *   sum: ops.sum(x),
 *   mean: ops.mean(x, -1),
 *   max: ops.max(x, 0, true),
 * }));
 * program.run({ x: [1, 2, 3, 4, 5, 6] });
 * const { sum, mean, max } = await program.read();
 * console.log(sum, mean); // Float32Array(1) [ 21 ] Float32Array(2) [ 2, 5 ]
 * console.log(max); // Float32Array(3) [ 4, 5, 6 ]
 * ```
 *
 * @module
 */

import code from "../kernels/reduce.wgsl" with { type: "text" };
import { kernel } from "../gpu/shader.ts";
import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import { grid, type Lowering, type Storage } from "../graph/lower.ts";
import { type Node, type Op, sameShape, type Shape, sizeOf, type Tensor } from "../graph/tensor.ts";
import { above, div, mul } from "./arithmetic.ts";
import { type Axes, normalizeAxes, requireFloat } from "./check.ts";
import { broadcastTo, reshape } from "./shape.ts";

const reduceKernel = kernel("reduce", code);

/** Most rows that one invocation adds up, which also bounds the rounding error. */
const MAX_CHUNK = 512;

/** Emits the reduction of [outer, r, inner] to [outer, inner], in as many rounds as it takes. */
export function reduceMiddle(
  lowering: Lowering,
  x: Storage | Tensor,
  y: Storage | Tensor,
  [outer, r, inner]: readonly [number, number, number],
  maximum = false,
): void {
  // Enough chunks to keep the adapter busy, but few enough that adding them stays cheap.
  const wanted = Math.ceil(lowering.tuning.parallelism / (outer * inner));
  const chunks = Math.max(Math.ceil(r / MAX_CHUNK), Math.min(wanted, Math.floor(r / 32)), 1);
  const chunk = Math.ceil(r / chunks);
  const parts = Math.ceil(r / chunk);
  const target = parts === 1 ? y : lowering.scratch(outer * parts * inner, "partial sums");
  const four = inner % 4 === 0;
  const columns = four ? inner / 4 : inner;
  lowering.dispatch({
    kernel: reduceKernel,
    entryPoint: four ? "main4" : "main",
    constants: {
      OUTER: outer,
      R: r,
      INNER: columns,
      CHUNK: chunk,
      ...(maximum ? { MAXIMUM: 1 } : {}),
    },
    bindings: four ? { x4: x, y4: target } : { x, y: target },
    workgroups: grid(outer * parts * columns, 64),
    detail: `of ${r}`,
  });
  if (parts > 1) reduceMiddle(lowering, target, y, [outer, parts, inner], maximum);
}

function lowerReduce(node: Node<Reduced>, lowering: Lowering, maximum: boolean): void {
  const [x] = node.inputs;
  const reduced = new Set(node.attributes);
  // Runs of neighboring axes that are all reduced or all kept.
  const runs: { size: number; reduced: boolean }[] = [];
  x.shape.forEach((n, axis) => {
    if (n === 1) return;
    const last = runs.at(-1);
    if (last?.reduced === reduced.has(axis)) last.size *= n;
    else runs.push({ size: n, reduced: reduced.has(axis) });
  });
  if (!runs.some((run) => run.reduced)) runs.push({ size: 1, reduced: true });
  let source: Storage | Tensor = x;
  while (true) {
    const at = runs.findLastIndex((run) => run.reduced);
    const outer = sizeOf(runs.slice(0, at).map((run) => run.size));
    const inner = sizeOf(runs.slice(at + 1).map((run) => run.size));
    const last = runs.filter((run) => run.reduced).length === 1;
    const target: Storage | Tensor = last
      ? node.outputs[0]
      : lowering.scratch(outer * inner, "sums");
    reduceMiddle(lowering, source, target, [outer, runs[at].size, inner], maximum);
    if (last) return;
    runs.splice(at, 1);
    source = target;
  }
}

/** The axes to reduce. Results keep them, with size 1, so that they broadcast to the input. */
type Reduced = readonly number[];

const sumOp: Op<Reduced> = {
  name: "sum",
  gradient: ({ inputs: [x] }, [dy]) => [dy && broadcastTo(dy, x.shape)],
  lower: (node, lowering: Lowering) => lowerReduce(node, lowering, false),
};

const maxOp: Op<Reduced> = {
  name: "max",
  gradient({ inputs: [x], outputs: [y], attributes: axes }, [dy]) {
    if (!dy) return [];
    const share = above(x, y); // 0, but for the largest ones
    return [mul(share, div(dy, sum(share, axes, true)))];
  },
  lower: (node, lowering: Lowering) => lowerReduce(node, lowering, true),
};

/** How to reduce, in the form of options. */
export interface ReduceOptions {
  /** Axes to reduce. Default all. */
  readonly axes?: Axes;
  /** Keeps the reduced axes with size 1. Default false. */
  readonly keepDims?: boolean;
}

function isOptions(axes: Axes | ReduceOptions): axes is ReduceOptions {
  return typeof axes === "object" && axes !== null && !Array.isArray(axes);
}

function reduce(
  op: Op<Reduced>,
  x: TensorLike,
  axes: Axes | ReduceOptions,
  keepDims: boolean,
  name = op.name,
): Tensor {
  if (isOptions(axes)) return reduce(op, x, axes.axes, axes.keepDims ?? keepDims, name);
  const tensor = toTensor(x, `the input of ${name}`);
  requireFloat(tensor, name);
  const reduced = normalizeAxes(axes, tensor, name);
  const shape = tensor.shape.map((n, axis) => reduced.includes(axis) ? 1 : n);
  const [y] = currentGraph().add(op, [tensor], reduced, [{ shape }]).outputs;
  return keepDims ? y : reshape(y, tensor.shape.filter((_, axis) => !reduced.includes(axis)));
}

/** Sums over the axes along which the shape broadcasts to x's: the gradient of broadcasting. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const extra = x.rank - shape.length;
  const axes = x.shape.flatMap((n, axis) =>
    axis < extra || (shape[axis - extra] === 1 && n !== 1) ? [axis] : []
  );
  return reshape(sum(x, axes, true), shape);
}

/**
 * Sum over some axes (default all), in an order that depends on the shape and the tuning.
 *
 * @param x f32 of any shape
 * @param axes an axis, several, or an object with `axes` and `keepDims`
 * @param keepDims keeps the reduced axes with size 1. Default false.
 * @returns x's shape without the reduced axes
 * @throws {TypeError} when x is not f32, or the axes are neither numbers nor a list of numbers.
 * @throws {RangeError} when there is no such axis, or one is named twice.
 */
export function sum(x: TensorLike, axes?: Axes | ReduceOptions, keepDims = false): Tensor {
  return reduce(sumOp, x, axes, keepDims);
}

/** Mean over some axes (default all). Arguments and errors are those of {@linkcode sum}. */
export function mean(x: TensorLike, axes?: Axes | ReduceOptions, keepDims = false): Tensor {
  const total = reduce(sumOp, x, axes, keepDims, "mean");
  return div(total, toTensor(x).size / total.size);
}

/**
 * Maximum over some axes (default all); NaN if one element is NaN. Equal ones share the gradient
 * evenly, as in TensorFlow's reduce_max. Arguments and errors are those of {@linkcode sum}.
 */
export function max(x: TensorLike, axes?: Axes | ReduceOptions, keepDims = false): Tensor {
  return reduce(maxOp, x, axes, keepDims);
}
