/** How far generated images are from real ones. */

import { requireCount } from "../model/validate.ts";

/** Images of one side of a tile: two tiles of 784 values fit into a core's second-level cache. */
const TILE = 32;

/**
 * The energy distance between two samples (Székely and Rizzo 2013),
 * `2 E|x - y| - E|x - x'| - E|y - y'|` with Euclidean norms: 0 where both come from the same
 * distribution, more the further they are apart. It is the statistic itself, not its square root.
 *
 * The means over pairs leave out each image's distance to itself, so the estimate has no bias: of
 * two equal distributions it is 0 on average, and may be a little below.
 *
 * @param a [count, size], count at least 2.
 * @param b [count, size], count at least 2; it may differ from that of `a`.
 * @param size Values of one image.
 * @returns The distance, in the unit of the values; NaN when a value is not finite.
 * @throws {RangeError} when `size` is not a whole number of at least 1, or a sample has fewer than
 *   two images.
 * @throws {TypeError} when a length is not a multiple of `size`.
 */
export function energyDistance(a: Float32Array, b: Float32Array, size: number): number {
  requireCount("size", size);
  const n = countOf("a", a, size);
  const m = countOf("b", b, size);
  const between = sumOfDistances(a, b, size, false) / (n * m);
  const withinA = 2 * sumOfDistances(a, a, size, true) / (n * (n - 1));
  const withinB = 2 * sumOfDistances(b, b, size, true) / (m * (m - 1));
  return 2 * between - withinA - withinB;
}

function countOf(name: string, values: Float32Array, size: number): number {
  const count = values.length / size;
  if (!Number.isInteger(count)) {
    throw new TypeError(
      `${name} has ${values.length} values, which is no multiple of the ${size} of one image`,
    );
  }
  if (count < 2) {
    throw new RangeError(
      `An energy distance needs at least 2 images of each kind, ${name} has ${count}`,
    );
  }
  return count;
}

/** Sum over all pairs; of one sample with itself (`same`) over the pairs i < j. */
function sumOfDistances(a: Float32Array, b: Float32Array, size: number, same: boolean): number {
  const [n, m] = [a.length / size, b.length / size];
  let sum = 0;
  for (let i0 = 0; i0 < n; i0 += TILE) {
    const i1 = Math.min(n, i0 + TILE);
    for (let j0 = same ? i0 : 0; j0 < m; j0 += TILE) {
      const j1 = Math.min(m, j0 + TILE);
      for (let i = i0; i < i1; i++) {
        for (let j = same ? Math.max(j0, i + 1) : j0; j < j1; j++) {
          sum += distance(a, i * size, b, j * size, size);
        }
      }
    }
  }
  return sum;
}

/** Four sums side by side, since each addition waits for the one before it. */
function distance(a: Float32Array, p: number, b: Float32Array, q: number, size: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const end = p + size - 3;
  for (; p < end; p += 4, q += 4) {
    const d0 = a[p] - b[q];
    const d1 = a[p + 1] - b[q + 1];
    const d2 = a[p + 2] - b[q + 2];
    const d3 = a[p + 3] - b[q + 3];
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  for (; p < end + 3; p++, q++) s0 += (a[p] - b[q]) ** 2;
  return Math.sqrt(s0 + s1 + (s2 + s3));
}
