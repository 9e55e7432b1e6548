/**
 * What all elementwise ops share: broadcasting, and recording one instruction of the fused kernel.
 *
 * @module
 */

import { collapse, MAX_AXES } from "../graph/elementwise.ts";
import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import { type Op, sameShape, type Shape, show, type Tensor } from "../graph/tensor.ts";
import { expand, reshape } from "./shape.ts";
import { sum } from "./reduce.ts";

/** A tensor, or a number that stands for a constant of any shape. */
export type Operand = TensorLike | number;

/**
 * The shape that two shapes broadcast to, as NumPy does: aligned at the last axis, where each pair
 * of sizes must be equal or have a 1.
 *
 * @throws {TypeError} when they do not; the message names both.
 */
export function broadcastShapes(a: Shape, b: Shape, op: string): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[a.length - rank + i] ?? 1;
    const n = b[b.length - rank + i] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new TypeError(
        `Cannot ${op} ${show(a)} and ${show(b)}: axis ${i} of the result would be ${m} and ${n}; ` +
          "sizes must be equal, or one of them 1",
      );
    }
    return Math.max(m, n);
  });
}

/** Refuses anything but f32, which is what arithmetic is defined on. */
export function requireFloat(x: Tensor, op: string): void {
  if (x.dtype !== "f32") {
    throw new TypeError(`${op} computes with f32, got a tensor of ${x.dtype}`);
  }
}

/** Records an elementwise op of one input. `constant` is the constant of its instruction. */
export function unary(op: Op, x: TensorLike, constant?: number): Tensor {
  const tensor = toTensor(x, `the input of ${op.name}`);
  requireFloat(tensor, op.name);
  if (constant !== undefined && !Number.isFinite(Math.fround(constant))) {
    throw new RangeError(`${op.name} got the constant ${constant}, which is no finite float32`);
  }
  return currentGraph().add(op, [tensor], constant, [{ shape: tensor.shape }]).outputs[0];
}

/** Records an elementwise op of two inputs that broadcast against each other. */
export function binary(op: Op, a: TensorLike, b: TensorLike): Tensor {
  let inputs = [toTensor(a, `the first input of ${op.name}`), toTensor(b, "the second input")];
  for (const input of inputs) requireFloat(input, op.name);
  const shape = broadcastShapes(inputs[0].shape, inputs[1].shape, op.name);
  if (collapse(shape, inputs.map((t) => t.shape)).dims.length > MAX_AXES) {
    // More alternations of whole and broadcast axes than the kernel's addresses know.
    inputs = inputs.map((t) => sameShape(t.shape, shape) ? t : expand(t, shape));
  }
  return currentGraph().add(op, inputs, undefined, [{ shape }]).outputs[0];
}

/** Sums a cotangent over the axes along which an input was broadcast: broadcasting's gradient. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const extra = x.rank - shape.length;
  const axes = x.shape.flatMap((n, axis) =>
    axis < extra || (shape[axis - extra] === 1 && n !== 1) ? [axis] : []
  );
  return reshape(sum(x, axes, true), shape);
}
