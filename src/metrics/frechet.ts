// deno-lint-ignore-file require-await
/** The Fréchet distance between two sets of features. */

import { product, symmetricEigenvalues, symmetricFactor } from "./eigenvalues.ts";
import { requireFeatures } from "./features.ts";

/** The mean of features, and how they vary around it. */
export interface Moments {
  /** [dims] */
  readonly mean: Float64Array;
  /** [dims, dims], unbiased */
  readonly covariance: Float64Array;
}

/**
 * Mean and unbiased covariance in float64.
 *
 * @param name what messages call the features: "real"
 * @throws as {@linkcode frechetDistance}.
 */
export function momentsOf(name: string, features: Float32Array, dims: number): Moments {
  const count = requireFeatures(name, features, dims, {
    count: dims + 1,
    why: `the covariance of ${dims} features is singular with fewer`,
  });
  const mean = new Float64Array(dims);
  for (let i = 0; i < features.length; i++) mean[i % dims] += features[i];
  for (let j = 0; j < dims; j++) mean[j] /= count;
  const covariance = new Float64Array(dims * dims);
  const apart = new Float64Array(dims);
  for (let at = 0; at < features.length; at += dims) {
    for (let j = 0; j < dims; j++) apart[j] = features[at + j] - mean[j];
    for (let j = 0; j < dims; j++) {
      const left = apart[j];
      if (left === 0) continue;
      for (let k = 0; k <= j; k++) covariance[j * dims + k] += left * apart[k];
    }
  }
  for (let j = 0; j < dims; j++) {
    for (let k = 0; k <= j; k++) {
      covariance[j * dims + k] /= count - 1;
      covariance[k * dims + j] = covariance[j * dims + k];
    }
  }
  return { mean, covariance };
}

/** The Fréchet distance between normal distributions with these moments. */
export function frechetOfMoments(a: Moments, b: Moments): number {
  const dims = a.mean.length;
  let distance = 0;
  for (let j = 0; j < dims; j++) {
    distance += (a.mean[j] - b.mean[j]) ** 2;
    distance += a.covariance[j * dims + j] + b.covariance[j * dims + j];
  }
  // With A = L LT, the product A B has the eigenvalues of the symmetric LT B L.
  const factor = symmetricFactor(a.covariance, dims);
  const symmetric = product(factor, product(b.covariance, factor, dims), dims, true);
  // Rounding makes some of those that are 0 negative.
  for (const value of symmetricEigenvalues(symmetric, dims)) {
    distance -= 2 * Math.sqrt(Math.max(0, value));
  }
  return distance;
}

/**
 * The Fréchet distance between two sets of features (Dowson and Landau 1982; FID, Heusel et al. 2017):
 * |m - n|² + tr(A + B - 2 (A B)^½), with the means m, n and the unbiased covariances A, B, in float64.
 * It is the distance between the normal distributions with these moments: 0 for the same features, and
 * in the unit of the features squared. It shrinks with more samples, so compare numbers of as many.
 *
 * ```ts
 * import { frechetDistance } from "@dcgan/webgpu";
 *
 * const real = new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]); // [4, 2]
 * const fake = real.map((value) => value + 3);
 * console.log((await frechetDistance(real, fake, 2)).toFixed(6)); // 18.000000
 * ```
 *
 * @param real [count, dims]
 * @param fake [count, dims]; its count may differ
 * @param dims features of a sample
 * @throws {TypeError} when a length is not a multiple of `dims`.
 * @throws {RangeError} when there are fewer than dims + 1 samples of a kind, since their covariance is
 *   singular; or a value is not finite.
 */
export async function frechetDistance(
  real: Float32Array,
  fake: Float32Array,
  dims: number,
): Promise<number> {
  return frechetOfMoments(momentsOf("real", real, dims), momentsOf("generated", fake, dims));
}
