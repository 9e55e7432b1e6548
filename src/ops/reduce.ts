import code from "../kernels/reduce.wgsl" with { type: "text" };
import { kernel } from "../gpu/shader.ts";
import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import { grid, type Lowering, type Storage } from "../graph/lower.ts";
import { type Node, type Op, show, sizeOf, type Tensor } from "../graph/tensor.ts";
import { div } from "./arithmetic.ts";
import { requireFloat } from "./elementwise.ts";
import { broadcastTo, reshape } from "./shape.ts";

/** Axes to work along: one, several, or (undefined) all. Negative ones count from the end. */
export type Axes = number | readonly number[] | undefined;

/**
 * Axes as sorted indices from 0.
 *
 * @throws {RangeError} when an axis is out of range or named twice.
 */
export function normalizeAxes(axes: Axes, x: Tensor, op: string): number[] {
  const list = axes === undefined ? x.shape.map((_, i) => i) : [axes].flat() as number[];
  const result = list.map((axis) => {
    const index = axis < 0 ? axis + x.rank : axis;
    if (!Number.isInteger(index) || index < 0 || index >= x.rank) {
      throw new RangeError(
        `${op} got axis ${axis} for ${show(x.shape)}, which has axes 0 to ${x.rank - 1}`,
      );
    }
    return index;
  }).sort((a, b) => a - b);
  if (new Set(result).size !== result.length) {
    throw new RangeError(`${op} got an axis twice: ${list.join(", ")}`);
  }
  return result;
}

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
  // Enough chunks to keep the adapter busy, but not so many that the next round is the work.
  const wanted = Math.ceil(lowering.tuning.parallelism / (outer * inner));
  const chunks = Math.max(Math.ceil(r / MAX_CHUNK), Math.min(wanted, Math.floor(r / 32)), 1);
  const chunk = Math.ceil(r / chunks);
  const rounds = Math.ceil(r / chunk);
  const target = rounds === 1 ? y : lowering.scratch(outer * rounds * inner, "partial sums");
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
    workgroups: grid(outer * rounds * columns, 64),
    detail: `of ${r}`,
  });
  if (rounds > 1) reduceMiddle(lowering, target, y, [outer, rounds, inner], maximum);
}

function lowerReduce(node: Node, lowering: Lowering, maximum: boolean): void {
  const [x] = node.inputs;
  const reduced = new Set(node.attributes as number[]);
  // Runs of neighbouring axes that are all reduced or all kept.
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

const sumOp: Op = {
  name: "sum",
  gradient: ({ inputs: [x] }, [dy]) => [dy && broadcastTo(dy, x.shape)],
  lower: (node, lowering: Lowering) => lowerReduce(node, lowering, false),
};

const maxOp: Op = {
  name: "max",
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
  return typeof axes === "object" && !Array.isArray(axes);
}

function reduce(
  op: Op,
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
  // Recorded with the axes kept, so that the gradient broadcasts; dropping them is a reshape.
  const [y] = currentGraph().add(op, [tensor], reduced, [{ shape }]).outputs;
  return keepDims ? y : reshape(y, tensor.shape.filter((_, axis) => !reduced.includes(axis)));
}

/**
 * Sum over some axes (default all), in an order that depends on the shape alone.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 3] }, ({ x }) => ({ y: ops.sum(x, -1) }));
 * program.run({ x: [1, 2, 3, 4, 5, 6] });
 * console.log((await program.read()).y); // Float32Array(2) [ 6, 15 ]
 * ```
 *
 * @param x f32 of any shape
 * @param axes an axis, several, or options that hold both
 * @param keepDims keeps the summed axes with size 1. Default false.
 * @returns x's shape without the summed axes
 * @throws {TypeError} when x is not f32.
 * @throws {RangeError} when there is no such axis, or one is named twice.
 */
export function sum(x: TensorLike, axes?: Axes | ReduceOptions, keepDims = false): Tensor {
  return reduce(sumOp, x, axes, keepDims);
}

/**
 * Mean over some axes (default all). See {@linkcode sum}.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 3] }, ({ x }) => ({ y: ops.mean(x, -1) }));
 * program.run({ x: [1, 2, 3, 4, 5, 6] });
 * console.log((await program.read()).y); // Float32Array(2) [ 2, 5 ]
 * ```
 *
 * @param x f32 of any shape
 * @param axes an axis, several, or options that hold both
 * @param keepDims keeps the reduced axes with size 1. Default false.
 * @returns x's shape without the reduced axes
 * @throws {TypeError} when x is not f32.
 * @throws {RangeError} when there is no such axis, or one is named twice.
 */
export function mean(x: TensorLike, axes?: Axes | ReduceOptions, keepDims = false): Tensor {
  const total = reduce(sumOp, x, axes, keepDims, "mean");
  return div(total, toTensor(x).size / total.size);
}

/**
 * Maximum over some axes (default all). It has no gradient: it is for subtracting before exp.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 3] }, ({ x }) => ({ y: ops.max(x, -1) }));
 * program.run({ x: [1, 2, 3, 4, 5, 6] });
 * console.log((await program.read()).y); // Float32Array(2) [ 3, 6 ]
 * ```
 *
 * @param x f32 of any shape
 * @param axes an axis, several, or options that hold both
 * @param keepDims keeps the reduced axes with size 1. Default false.
 * @returns x's shape without the reduced axes
 * @throws {TypeError} when x is not f32.
 * @throws {RangeError} when there is no such axis, or one is named twice.
 */
export function max(x: TensorLike, axes?: Axes | ReduceOptions, keepDims = false): Tensor {
  return reduce(maxOp, x, axes, keepDims);
}
