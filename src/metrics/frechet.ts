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
 * @throws as `frechetDistance` in `measures.ts`.
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
