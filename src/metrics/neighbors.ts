/** Precision, recall, density and coverage: measures of the neighbors among features. */

import { requireCount } from "../model/validate.ts";
import { productTiles, requireFeatures } from "./features.ts";

/** How many of one kind lie where the other does. */
export interface PrecisionRecall {
  /** The fraction of generated samples that lie among the real ones: quality. */
  readonly precision: number;
  /** The fraction of real samples that lie among the generated ones: variety. */
  readonly recall: number;
}

/** As {@linkcode PrecisionRecall}, less sensitive to outliers. */
export interface DensityCoverage {
  /** How many neighborhoods of real samples a generated one lies in, of those expected; may exceed 1. */
  readonly density: number;
  /** The fraction of real samples with a generated one in their neighborhood. */
  readonly coverage: number;
}

/** Samples of a kind with their nearest neighbors among themselves. */
export interface Balls {
  readonly features: Float32Array;
  readonly count: number;
  /** Squared norms. */
  readonly norms: Float64Array;
  /** [count, k] squared distances, the smallest first. */
  readonly nearest: Float64Array;
  readonly k: number;
}

/** Finds the nearest `k` others of each sample. */
export function ballsOf(features: Float32Array, dims: number, k: number): Balls {
  const count = features.length / dims;
  const norms = new Float64Array(count);
  for (let i = 0; i < features.length; i++) norms[Math.floor(i / dims)] += features[i] ** 2;
  const nearest = new Float64Array(count * k).fill(Infinity);
  const insert = (i: number, distance: number) => {
    const begin = i * k;
    let at = begin + k - 1;
    if (distance >= nearest[at]) return;
    for (; at > begin && nearest[at - 1] > distance; at--) nearest[at] = nearest[at - 1];
    nearest[at] = distance;
  };
  for (const { i0, i1, j0, j1, products, stride } of productTiles(features, features, dims)) {
    for (let i = i0; i < i1; i++) {
      const row = (i - i0) * stride - j0;
      for (let j = Math.max(j0, i + 1); j < j1; j++) {
        const distance = norms[i] + norms[j] - 2 * products[row + j];
        insert(i, distance);
        insert(j, distance);
      }
    }
  }
  return { features, count, norms, nearest, k };
}

/** Squared distance from each sample to its k-th neighbor. */
function radii({ count, nearest, k: most }: Balls, k: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => nearest[i * most + k - 1]);
}

/**
 * All four measures from one pass over all pairs.
 *
 * @param real with as many neighbors as `k` asks for, or more
 * @param k neighbors for precision and recall, and for density and coverage
 */
export function neighborMeasures(
  real: Balls,
  fakeFeatures: Float32Array,
  dims: number,
  k: { readonly precision: number; readonly density: number },
): PrecisionRecall & DensityCoverage {
  const fake = ballsOf(fakeFeatures, dims, k.precision);
  const realRadius = radii(real, k.precision);
  const fakeRadius = radii(fake, k.precision);
  const densityRadius = radii(real, k.density);
  const precise = new Uint8Array(fake.count);
  const recalled = new Uint8Array(real.count);
  const covered = new Uint8Array(real.count);
  let inside = 0;
  for (const tile of productTiles(real.features, fake.features, dims)) {
    const { i0, i1, j0, j1, products, stride } = tile;
    for (let i = i0; i < i1; i++) {
      const row = (i - i0) * stride - j0;
      for (let j = j0; j < j1; j++) {
        const distance = real.norms[i] + fake.norms[j] - 2 * products[row + j];
        if (distance <= realRadius[i]) precise[j] = 1;
        if (distance <= fakeRadius[j]) recalled[i] = 1;
        if (distance < densityRadius[i]) {
          inside++;
          covered[i] = 1;
        }
      }
    }
  }
  const mean = (flags: Uint8Array) => flags.reduce((sum, flag) => sum + flag, 0) / flags.length;
  return {
    precision: mean(precise),
    recall: mean(recalled),
    density: inside / (k.density * fake.count),
    coverage: mean(covered),
  };
}

/** All four measures with `k` neighbors. */
export function neighborsOf(
  real: Float32Array,
  fake: Float32Array,
  dims: number,
  k: number,
): PrecisionRecall & DensityCoverage {
  requireCount("k", k);
  const least = { count: k + 1, why: `each has ${k} neighbors (k) among the others` };
  requireFeatures("real", real, dims, least);
  requireFeatures("generated", fake, dims, least);
  return neighborMeasures(ballsOf(real, dims, k), fake, dims, { precision: k, density: k });
}
