/** What ops check when they are recorded: types, axes, shapes that broadcast. */

import { describe } from "../graph/arrays.ts";
import { type Shape, show, type Tensor } from "../graph/tensor.ts";

/** Refuses anything but f32, which is what arithmetic is defined on. */
export function requireFloat(x: Tensor, op: string): void {
  if (x.dtype !== "f32") {
    throw new TypeError(
      `${op} computes with f32, got a tensor of ${x.dtype} ${show(x.shape)}: ops.cast makes it f32`,
    );
  }
}

/** Refuses what should be a list, such as of axes or sizes, and is not. */
export function requireList(list: readonly unknown[], what: string): void {
  if (!Array.isArray(list)) throw new TypeError(`${what} must be a list, got ${describe(list)}`);
}

/** Axes to work along: one, several, or (undefined) all. Negative ones count from the end. */
export type Axes = number | readonly number[] | undefined;

/**
 * Axes as sorted indices from 0.
 *
 * @throws {TypeError} when they are neither numbers nor a list of numbers.
 * @throws {RangeError} when an axis is out of range or named twice.
 */
export function normalizeAxes(axes: Axes, x: Tensor, op: string): number[] {
  const list = axes === undefined ? x.shape.map((_, i) => i) : [axes].flat() as number[];
  const result = list.map((axis) => {
    if (typeof axis !== "number") {
      throw new TypeError(
        `${op} got ${JSON.stringify(axis)} for an axis of ${show(x.shape)}: ` +
          "give a number, a list of numbers, or nothing for all axes",
      );
    }
    const index = axis < 0 ? axis + x.rank : axis;
    if (!Number.isInteger(index) || index < 0 || index >= x.rank) {
      throw new RangeError(
        `${op} got axis ${axis} for ${show(x.shape)}, which has ` +
          (x.rank ? `axes 0 to ${x.rank - 1}` : "no axes"),
      );
    }
    return index;
  }).sort((a, b) => a - b);
  if (new Set(result).size !== result.length) {
    throw new RangeError(`${op} got an axis twice: ${list.join(", ")}`);
  }
  return result;
}

/**
 * The shape that two shapes broadcast to, as in NumPy: aligned at the last axis, where each pair of
 * sizes must be equal or have a 1.
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
