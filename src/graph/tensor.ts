/**
 * Symbolic tensors: what an op returns while a computation is recorded. They hold a shape, a type
 * and the node that computes them, never data.
 */

/** Sizes of a tensor's axes, outermost first. `[]` is a scalar. */
export type Shape = readonly number[];

/** Element types. `u8` exists only for data sets, packed four to a word. */
export type DType = "f32" | "u32" | "u8";

/**
 * Refuses types that no element has.
 *
 * @throws {TypeError} naming the type and those there are.
 */
export function requireDType(dtype: DType, what: string): void {
  if (dtype === "f32" || dtype === "u32" || dtype === "u8") return;
  throw new TypeError(`${what} cannot hold ${JSON.stringify(dtype)}: types are "f32", "u32", "u8"`);
}

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, n) => size * n, 1);
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/** `[8, 28, 28, 1]`, the form in which messages name shapes. */
export function show(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Bytes that a tensor occupies. */
export function bytesOf(shape: Shape, dtype: DType): number {
  return sizeOf(shape) * (dtype === "u8" ? 1 : 4);
}

/**
 * Refuses shapes that no tensor can have.
 *
 * @throws {TypeError} when an axis is not a positive integer.
 */
export function validateShape(shape: Shape, what: string): void {
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw new TypeError(
      `${what} has shape ${Array.isArray(shape) ? show(shape) : shape}: ` +
        "every axis must be a positive integer",
    );
  }
}

/**
 * A value that a node computes. Where the type of its elements is left open, it is most often f32.
 *
 * ```ts
 * import { Gpu, ops, type Tensor } from "@dcgan/webgpu";
 *
 * const square = (x: Tensor) => ops.mul(x, x);
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 3] }, ({ x }) => {
 *   const y = square(x);
 *   console.log(y.shape, y.rank, y.size, y.dtype); // [ 2, 3 ] 2 6 f32
 *   return { y };
 * });
 * ```
 */
export class Tensor<D extends DType = DType> {
  /** @ignore Tensors are made by ops. */
  constructor(
    /** @ignore The node that computes it. */
    readonly node: Node,
    /** Which of the node's outputs it is. */
    readonly index: number,
    /** Sizes of its axes. */
    readonly shape: Shape,
    /** Type of its elements. */
    readonly dtype: D,
  ) {}

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }
}

/** Shape and type of one output of a node. */
export interface OutputSpec {
  /** Sizes of its axes. */
  readonly shape: Shape;
  /** Default f32. */
  readonly dtype?: DType;
}

/** One recorded call of an op with attributes A. */
export class Node<A = unknown> {
  /** What it computes. */
  readonly outputs: readonly Tensor[];

  /** @ignore Nodes are made by `Graph.add`. */
  constructor(
    readonly id: number,
    readonly op: Op<A>,
    readonly inputs: readonly Tensor[],
    readonly attributes: A,
    outputs: readonly OutputSpec[],
  ) {
    this.outputs = outputs.map(({ shape, dtype = "f32" }, i) => new Tensor(this, i, shape, dtype));
  }
}

/**
 * What the graph needs to know of an op. A: what a call of it carries beside tensors. Only
 * `Graph.add` pairs ops with attributes, and there the types agree; so a graph may hold every node
 * as a `Node<unknown>`.
 */
export interface Op<A = unknown> {
  /** In labels and messages. */
  readonly name: string;
  /**
   * Cotangents of the inputs from those of the outputs (undefined for an output without one),
   * recorded with other ops so that they can be differentiated again. One that is larger than its
   * input is summed over the axes along which the input was broadcast.
   */
  gradient?(node: Node<A>, cotangents: readonly (Tensor | undefined)[]): (Tensor | undefined)[];
  /**
   * The tensors whose cotangents `gradient` returns, if they are not the node's inputs. For an op
   * that returns its only input and knows a closed form for the gradient of several ops before it.
   * Where a target lies in between, the rules of those ops apply instead.
   */
  gradientInputs?(node: Node<A>): readonly Tensor[];
  /** Emits the dispatches that compute the node to a `Lowering` (lower.ts, which imports this file). */
  lower?(node: Node<A>, lowering: object): void;
  /** An elementwise op: the name of its line in `elementwise.wgsl`. */
  readonly instruction?: string;
  /** The output is the input's memory under another shape. */
  readonly alias?: boolean;
  /** Has an effect beyond its outputs; it is never dropped. */
  readonly effect?: boolean;
}
