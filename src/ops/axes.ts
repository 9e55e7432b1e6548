/**
 * Axis arguments.
 *
 * @module
 */

import { show, type Tensor } from "../graph/tensor.ts";

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
