/** The kernel distance between two sets of features. */

import { RandomSequence, STREAM } from "../model/threefry.ts";
import { requireCount } from "../model/validate.ts";
import { requireSeed } from "../ops/random.ts";
import { productTiles, requireFeatures } from "./features.ts";

/** Options of `kernelDistance`. */
export interface KernelDistanceOptions {
  /** How many estimates are made. Default 100. */
  readonly subsets?: number;
  /** Samples of each kind in an estimate. Default 1,000, or as many as there are. */
  readonly size?: number;
  /** Which samples an estimate takes. Default 0. */
  readonly seed?: number;
}

/** The estimates of `kernelDistance`. */
export interface KernelDistance {
  /** Their mean. */
  readonly mean: number;
  /** Their standard deviation: the root of their mean squared distance from the mean. */
  readonly std: number;
}

/** As `kernelDistance` in `measures.ts`, at once. */
export function kernelEstimate(
  real: Float32Array,
  fake: Float32Array,
  dims: number,
  options: KernelDistanceOptions,
): KernelDistance {
  const least = { count: 2, why: "the kernel distance is of pairs" };
  const counts = [
    requireFeatures("real", real, dims, least),
    requireFeatures("generated", fake, dims, least),
  ];
  const { subsets = 100, size = Math.min(1000, ...counts), seed = 0 } = options;
  requireCount("subsets", subsets);
  requireCount("size", size, Math.min(...counts));
  if (size < 2) throw new RangeError(`size must be at least 2, got ${size}`);
  requireSeed(seed);
  const random = new RandomSequence(seed, STREAM.subsets);
  // Of all samples there is one subset only.
  const different = size < Math.max(...counts) ? subsets : 1;
  const estimates = Array.from({ length: different }, () => {
    const [x, y] = [real, fake].map((features) => subset(features, dims, size, random));
    const within = (sumOfKernels(x, x, dims) + sumOfKernels(y, y, dims)) / (size * (size - 1));
    return within - 2 * sumOfKernels(x, y, dims) / (size * size);
  });
  const mean = estimates.reduce((sum, value) => sum + value, 0) / different;
  const variance = estimates.reduce((sum, value) => sum + (value - mean) ** 2, 0) / different;
  return { mean, std: Math.sqrt(variance) };
}

/** Rows at random, none twice. */
function subset(features: Float32Array, dims: number, size: number, random: RandomSequence) {
  const rows = Uint32Array.from({ length: features.length / dims }, (_, i) => i);
  const taken = new Float32Array(size * dims);
  for (let i = 0; i < size; i++) {
    const j = i + random.below(rows.length - i);
    [rows[i], rows[j]] = [rows[j], rows[i]];
    taken.set(features.subarray(rows[i] * dims, (rows[i] + 1) * dims), i * dims);
  }
  return taken;
}

/** Sum over all pairs; of one sample with itself without the pairs of the same. */
function sumOfKernels(a: Float32Array, b: Float32Array, dims: number): number {
  let sum = 0;
  for (const { i0, i1, j0, j1, products, stride } of productTiles(a, b, dims)) {
    for (let i = i0; i < i1; i++) {
      const row = (i - i0) * stride - j0;
      for (let j = a === b ? Math.max(j0, i + 1) : j0; j < j1; j++) {
        const base = products[row + j] / dims + 1;
        sum += base * base * base;
      }
    }
  }
  return a === b ? 2 * sum : sum;
}
