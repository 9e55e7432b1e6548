/**
 * Arithmetic between tensors that broadcast as in NumPy; any operand may be a number. Every result is
 * that of IEEE 754: a NaN or an infinity in an operand is never lost, also where ops are fused.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ a: [2, 1], b: [2] }, ({ a, b }) => ({
 *   sum: ops.add(a, b),
 *   line: ops.neg(ops.sub(1, ops.mul(2, a))),
 *   half: ops.div(a, 2),
 *   clipped: ops.minimum(ops.maximum(b, 3), 8),
 *   chosen: ops.where(ops.step(ops.sub(a, 2)), a, 0),
 * }));
 * program.run({ a: [1, 3], b: [10, 2] });
 * const { sum, line, half, clipped, chosen } = await program.read();
 * console.log(sum); // Float32Array(4) [ 11, 3, 13, 5 ]
 * console.log(line, half); // Float32Array(2) [ 1, 5 ] Float32Array(2) [ 0.5, 1.5 ]
 * console.log(clipped, chosen); // Float32Array(2) [ 8, 3 ] Float32Array(2) [ 0, 3 ]
 * ```
 *
 * @module
 */

import type { TensorLike } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { elementwise, elementwiseOp, type Operand } from "./elementwise.ts";

// Instruction and gradient of each
const addOp = elementwiseOp("add", (dy) => [dy, dy]);
const subOp = elementwiseOp("sub", (dy) => [dy, neg(dy)]);
const mulOp = elementwiseOp("mul", (dy, _, a, b) => [mul(dy, b), mul(dy, a)]);
const divOp = elementwiseOp("div", (dy, y, _, b) => [div(dy, b), neg(div(mul(dy, y), b))]);
const negOp = elementwiseOp("neg", (dy) => [neg(dy)]);
const maximumOp = elementwiseOp("maximum", (dy, _, a, b) => {
  return [mul(dy, above(a, b)), mul(dy, above(b, a))];
});
const minimumOp = elementwiseOp("minimum", (dy, _, a, b) => {
  return [mul(dy, above(b, a)), mul(dy, above(a, b))];
});
const whereOp = elementwiseOp("where", (dy, _, condition) => {
  return [undefined, where(condition, dy, 0), where(condition, 0, dy)];
});
const aboveOp = elementwiseOp("above", () => []);

/**
 * a + b.
 *
 * @param a f32, or a number
 * @param b f32, or a number
 * @returns f32 of the shape to which both broadcast
 * @throws {TypeError} when the shapes do not broadcast, an operand is not f32, or both are numbers.
 * @throws {RangeError} when a number is not a finite float32.
 */
export function add(a: Operand, b: Operand): Tensor {
  return elementwise(addOp, a, b);
}

/** a - b. Operands and errors are those of {@linkcode add}. */
export function sub(a: Operand, b: Operand): Tensor {
  return elementwise(subOp, a, b);
}

/** a * b. Operands and errors are those of {@linkcode add}. */
export function mul(a: Operand, b: Operand): Tensor {
  return elementwise(mulOp, a, b);
}

/**
 * a / b; where a tensor b is 0, infinite or (0 / 0) NaN. Operands and errors are those of
 * {@linkcode add}.
 *
 * @throws {RangeError} when b is a number that is 0 as a float32.
 */
export function div(a: Operand, b: Operand): Tensor {
  if (typeof b === "number" && Math.fround(b) === 0) {
    throw new RangeError(
      `div got the constant divisor ${b}${b === 0 ? "" : ", which is 0 as a float32"}`,
    );
  }
  return elementwise(divOp, a, b);
}

/**
 * -x.
 *
 * @throws {TypeError} when x is not f32.
 */
export function neg(x: TensorLike): Tensor {
  return elementwise(negOp, x);
}

/**
 * The larger of a and b, NaN if one is NaN. Of equal ones each gets half of the gradient. Operands
 * and errors are those of {@linkcode add}.
 */
export function maximum(a: Operand, b: Operand): Tensor {
  return elementwise(maximumOp, a, b);
}

/**
 * The smaller of a and b, NaN if one is NaN. Of equal ones each gets half of the gradient. Operands
 * and errors are those of {@linkcode add}.
 */
export function minimum(a: Operand, b: Operand): Tensor {
  return elementwise(minimumOp, a, b);
}

/**
 * a where the condition is not 0 (NaN included), b where it is. What is not chosen has no effect,
 * whatever it is, and gets no gradient; neither does the condition. `step` compares:
 * `where(step(sub(x, y)), a, b)` is a where x > y.
 *
 * @param condition f32
 * @param a f32, or a number
 * @param b f32, or a number
 * @returns f32 of the shape to which all three broadcast
 * @throws {TypeError} when the shapes do not broadcast, or an operand is not f32.
 * @throws {RangeError} when a number is not a finite float32.
 */
export function where(condition: TensorLike, a: Operand, b: Operand): Tensor {
  return elementwise(whereOp, condition, a, b);
}

/** 1 where a > b, 0.5 where they are equal, 0 elsewhere: a's part of the gradient of `maximum`. */
export function above(a: Tensor, b: Tensor): Tensor {
  return elementwise(aboveOp, a, b);
}
