/** Closeness of arrays. Numbers that are not finite are never close to anything. */

import { AssertionError } from "node:assert/strict";

/** How far apart two numbers may be: `atol + rtol * |expected|`. */
interface Tolerance {
  readonly rtol?: number;
  readonly atol?: number;
  /** What is compared; the message begins with it. */
  readonly what?: string;
}

/** Throws unless each value is finite and within the tolerance; the message names the worst one. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol = 0, atol = 0, what = "values" }: Tolerance,
): void {
  if (actual.length !== expected.length) {
    throw new AssertionError({
      message: `${what}: got ${actual.length} values, expected ${expected.length}`,
    });
  }
  let worst = -1;
  let most = 0;
  let wrong = 0;
  for (let i = 0; i < actual.length; i++) {
    const allowed = atol + rtol * Math.abs(expected[i]);
    const difference = Math.abs(actual[i] - expected[i]);
    // Also not finite where a value is not.
    if (Number.isFinite(difference) && difference <= allowed) continue;
    wrong++;
    const excess = Number.isFinite(difference) && allowed > 0 ? difference / allowed : Infinity;
    if (excess > most) {
      most = excess;
      worst = i;
    }
  }
  if (worst < 0) return;
  throw new AssertionError({
    message: `${what}: ${wrong} of ${actual.length} values differ, the worst at ${worst}: got ` +
      `${actual[worst]}, expected ${expected[worst]}, ${most.toPrecision(3)} times what is ` +
      `allowed (atol ${atol.toExponential(2)}, rtol ${rtol.toExponential(2)})`,
  });
}

/** |actual - expected| / |expected|, as Euclidean norms; infinite where any value is not finite. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < actual.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  if (difference === 0) return 0;
  const error = Math.sqrt(difference / size);
  return Number.isFinite(error) ? error : Infinity;
}

export function rms(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
}
