/**
 * Functions of one tensor, element by element: for each the name of its instruction in
 * `src/kernels/elementwise.wgsl` and its gradient. All take f32 of any shape, return f32 of that
 * shape, and throw a TypeError for other types. NaN gives NaN.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3] }, ({ x }) => ({
 *   root: ops.sqrt(ops.abs(x)),
 *   same: ops.log(ops.exp(x)),
 *   between: ops.add(ops.tanh(x), ops.sigmoid(x)), // between -1 and 2
 *   sign: ops.sign(x),
 *   relu: ops.relu(x),
 *   leaky: ops.leakyRelu(x, 0.5),
 *   slope: ops.step(x, 0.5),
 *   smooth: ops.softplus(x),
 * }));
 * program.run({ x: [-4, 0, 9] });
 * const y = await program.read();
 * console.log(y.root, y.sign); // Float32Array(3) [ 2, 0, 3 ] Float32Array(3) [ -1, 0, 1 ]
 * console.log(y.leaky, y.slope); // Float32Array(3) [ -2, 0, 9 ] Float32Array(3) [ 0.5, 0.5, 1 ]
 * ```
 *
 * @module
 */

import { constantOf, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { div, mul, sub } from "./arithmetic.ts";
import { elementwise, elementwiseOp, type Operand } from "./elementwise.ts";

/** A function of one f32 tensor. */
export type Unary = (x: TensorLike) => Tensor;

/** What the cotangent dy of y = f(x) becomes. */
type Chain = (dy: Tensor, x: Tensor, y: Tensor) => Tensor | undefined;

function unary(instruction: string, chain: Chain): Unary {
  const op = elementwiseOp(instruction, (dy, y, x) => [chain(dy, x, y)]);
  return (x) => elementwise(op, x);
}

/** e to the power of x. */
export const exp: Unary = unary("exp", (dy, _, y) => mul(dy, y));
/** Natural logarithm; -Infinity at 0, NaN below. */
export const log: Unary = unary("log", (dy, x) => div(dy, x));
/** Square root; NaN below 0. Its gradient at 0 is infinite. */
export const sqrt: Unary = unary("sqrt", (dy, _, y) => div(dy, mul(y, 2)));
/** Absolute value. Its gradient at 0 is 0. */
export const abs: Unary = unary("abs", (dy, x) => mul(dy, sign(x)));
/** -1, 0 or 1. Its gradient is 0. */
export const sign: Unary = unary("sign", () => undefined);
/** Hyperbolic tangent. */
export const tanh: Unary = unary("tanh", (dy, _, y) => mul(dy, sub(1, mul(y, y))));
/** 1 / (1 + exp(-x)), stable for any x. */
export const sigmoid: Unary = unary("sigmoid", (dy, _, y) => mul(dy, mul(y, sub(1, y))));
/** log(1 + exp(x)), stable for any x. */
export const softplus: Unary = unary("softplus", (dy, x) => mul(dy, sigmoid(x)));
/** x where x > 0, else 0. Its gradient at 0 is 0. */
export const relu: Unary = unary("relu", (dy, _, y) => mul(dy, step(y)));

const leakyReluOp = elementwiseOp("leakyRelu", (dy, y, x, slope) => [
  // y has the sign of x when the slope is positive; then x need not be kept.
  mul(dy, step(constantOf(slope)! > 0 ? y : x, slope)),
]);
const stepOp = elementwiseOp("step", () => []);

/**
 * x where x > 0, else slope * x.
 *
 * @param slope default 0.3, that of Keras and of the tutorial
 * @throws {RangeError} when the slope is not a finite float32.
 */
export function leakyRelu(x: TensorLike, slope = 0.3): Tensor {
  const tensor = toTensor(x, "x of leakyRelu");
  return slope === 0 ? relu(tensor) : elementwise(leakyReluOp, tensor, slope);
}

/**
 * 1 where x > 0, else `below`: the slope of a leaky rectifier. Its gradient is 0.
 *
 * @param below default 0
 * @throws {RangeError} when `below` is a number, but not a finite float32.
 */
export function step(x: TensorLike, below: Operand = 0): Tensor {
  return elementwise(stepOp, toTensor(x, "x of step"), below);
}
