/** Features of images on the host, and the products of all pairs of them. */

import { requireCount } from "../model/validate.ts";

/** Features of an image in the networks of this library. */
export const FEATURES = 64;

/** Fewer images of a kind have a singular covariance, which no Fréchet distance is defined for. */
export const FEWEST = FEATURES + 1;

/**
 * Checks an array of features.
 *
 * @param name what messages call it
 * @param features [count, dims]
 * @param least the fewest samples that will do, and why
 * @returns count
 * @throws {TypeError} when its length is not a multiple of `dims`.
 * @throws {RangeError} when `dims` is not a whole number of at least 1, there are too few samples, or
 *   a value is not finite.
 */
export function requireFeatures(
  name: string,
  features: Float32Array,
  dims: number,
  least: { readonly count: number; readonly why: string },
): number {
  requireCount("dims", dims);
  if (!(features instanceof Float32Array)) {
    const got = (features as unknown)?.constructor?.name ?? typeof features;
    throw new TypeError(`The ${name} features must be a Float32Array [count, dims], got ${got}`);
  }
  const count = features.length / dims;
  if (!Number.isInteger(count)) {
    throw new TypeError(
      `The ${name} features have ${features.length} values, which is no multiple of dims ${dims}: ` +
        "give [count, dims], row by row",
    );
  }
  if (count < least.count) {
    throw new RangeError(
      `There are ${count} ${name} samples, and at least ${least.count} are needed: ${least.why}`,
    );
  }
  const at = features.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new RangeError(
      `The ${name} features hold ${features[at]} at [${Math.floor(at / dims)}, ${at % dims}]: ` +
        "all must be finite",
    );
  }
  return count;
}

/** Samples along each side of a tile; with 64 dims two sides of 16 KiB fit into a core's cache. */
const TILE = 64;

/** Products of some rows with some others. */
export interface Tile {
  /** The first row of the one array, and of the other. */
  readonly i0: number;
  readonly j0: number;
  /** The row after the last. */
  readonly i1: number;
  readonly j1: number;
  /** The product of rows `i` and `j` is at `(i - i0) * stride + j - j0`. The next tile overwrites it. */
  readonly products: Float64Array;
  readonly stride: number;
}

/**
 * The inner products of all rows of `a` with all rows of `b`, tile by tile, summed in float64 in the
 * order of the values: so equal rows have equal products, wherever they are.
 *
 * @param a [n, dims]
 * @param b [m, dims]; if it is `a` itself, only tiles on and above the diagonal come
 */
export function* productTiles(a: Float32Array, b: Float32Array, dims: number): Generator<Tile> {
  const [n, m] = [a.length / dims, b.length / dims];
  const products = new Float64Array(TILE * TILE);
  for (let i0 = 0; i0 < n; i0 += TILE) {
    const i1 = Math.min(n, i0 + TILE);
    for (let j0 = a === b ? i0 : 0; j0 < m; j0 += TILE) {
      const j1 = Math.min(m, j0 + TILE);
      for (let i = i0; i < i1; i += 4) {
        for (let j = j0; j < j1; j += 4) {
          multiply(a, i, n - 1, b, j, m - 1, dims, products, (i - i0) * TILE + j - j0);
        }
      }
      yield { i0, j0, i1, j1, products, stride: TILE };
    }
  }
}

/**
 * Products of four rows with four: sixteen sums in registers for eight loads. Beyond the last row the
 * last one is taken again, for products that nobody reads.
 */
function multiply(
  a: Float32Array,
  i: number,
  lastI: number,
  b: Float32Array,
  j: number,
  lastJ: number,
  dims: number,
  out: Float64Array,
  at: number,
): void {
  const p0 = i * dims;
  const p1 = Math.min(i + 1, lastI) * dims;
  const p2 = Math.min(i + 2, lastI) * dims;
  const p3 = Math.min(i + 3, lastI) * dims;
  const q0 = j * dims;
  const q1 = Math.min(j + 1, lastJ) * dims;
  const q2 = Math.min(j + 2, lastJ) * dims;
  const q3 = Math.min(j + 3, lastJ) * dims;
  let c00 = 0, c01 = 0, c02 = 0, c03 = 0;
  let c10 = 0, c11 = 0, c12 = 0, c13 = 0;
  let c20 = 0, c21 = 0, c22 = 0, c23 = 0;
  let c30 = 0, c31 = 0, c32 = 0, c33 = 0;
  for (let k = 0; k < dims; k++) {
    const x0 = a[p0 + k];
    const x1 = a[p1 + k];
    const x2 = a[p2 + k];
    const x3 = a[p3 + k];
    let y = b[q0 + k];
    c00 += x0 * y;
    c10 += x1 * y;
    c20 += x2 * y;
    c30 += x3 * y;
    y = b[q1 + k];
    c01 += x0 * y;
    c11 += x1 * y;
    c21 += x2 * y;
    c31 += x3 * y;
    y = b[q2 + k];
    c02 += x0 * y;
    c12 += x1 * y;
    c22 += x2 * y;
    c32 += x3 * y;
    y = b[q3 + k];
    c03 += x0 * y;
    c13 += x1 * y;
    c23 += x2 * y;
    c33 += x3 * y;
  }
  out[at] = c00;
  out[at + 1] = c01;
  out[at + 2] = c02;
  out[at + 3] = c03;
  out[at + TILE] = c10;
  out[at + TILE + 1] = c11;
  out[at + TILE + 2] = c12;
  out[at + TILE + 3] = c13;
  out[at + 2 * TILE] = c20;
  out[at + 2 * TILE + 1] = c21;
  out[at + 2 * TILE + 2] = c22;
  out[at + 2 * TILE + 3] = c23;
  out[at + 3 * TILE] = c30;
  out[at + 3 * TILE + 1] = c31;
  out[at + 3 * TILE + 2] = c32;
  out[at + 3 * TILE + 3] = c33;
}
