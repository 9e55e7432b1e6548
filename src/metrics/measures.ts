/** Measures of two sets of features. What computes them is loaded when it is used. */

import type { KernelDistance, KernelDistanceOptions } from "./kernel.ts";
import type { DensityCoverage, PrecisionRecall } from "./neighbors.ts";

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
  const { frechetOfMoments, momentsOf } = await import("./frechet.ts");
  return frechetOfMoments(momentsOf("real", real, dims), momentsOf("generated", fake, dims));
}

/**
 * The kernel distance between two sets of features (KID, Bińkowski et al. 2018): the unbiased estimate
 * of the squared maximum mean discrepancy with the kernel (x·y / dims + 1)³, for random subsets. It has
 * no bias for any number of samples: of equal distributions it is 0 on average, and may be below.
 *
 * ```ts
 * import { kernelDistance } from "@dcgan/webgpu";
 *
 * const real = new Float32Array([0, 1, 2, 3]); // [4, 1]
 * const fake = new Float32Array([1, 2, 3, 4]);
 * const { mean } = await kernelDistance(real, fake, 1, { subsets: 1 });
 * console.log(mean.toFixed(4)); // 21.6667
 * ```
 *
 * @param real [count, dims]
 * @param fake [count, dims]; its count may differ
 * @param dims features of a sample
 * @throws {TypeError} when a length is not a multiple of `dims`.
 * @throws {RangeError} when an option is out of range, `size` is more than there are or less than 2, or
 *   a value is not finite.
 */
export async function kernelDistance(
  real: Float32Array,
  fake: Float32Array,
  dims: number,
  options: KernelDistanceOptions = {},
): Promise<KernelDistance> {
  const { kernelEstimate } = await import("./kernel.ts");
  return kernelEstimate(real, fake, dims, options);
}

/**
 * Improved precision and recall (Kynkäänniemi et al. 2019). The ball of a sample reaches to its k-th
 * nearest neighbor of the same kind. Precision is the fraction of generated samples in the ball of a
 * real one, recall that of real samples in the ball of a generated one; the border counts as inside.
 *
 * ```ts
 * import { precisionRecall } from "@dcgan/webgpu";
 *
 * const real = new Float32Array([0, 1, 2, 3]); // [4, 1]
 * const fake = new Float32Array([0, 1, 1.5, 9]);
 * console.log(await precisionRecall(real, fake, 1, { k: 1 })); // { precision: 0.75, recall: 1 }
 * ```
 *
 * @param real [count, dims]
 * @param fake [count, dims]; its count may differ
 * @param dims features of a sample
 * @param options.k default 3
 * @throws {TypeError} when a length is not a multiple of `dims`.
 * @throws {RangeError} when there are fewer than k + 1 samples of a kind, or a value is not finite.
 */
export async function precisionRecall(
  real: Float32Array,
  fake: Float32Array,
  dims: number,
  { k = 3 }: { readonly k?: number } = {},
): Promise<PrecisionRecall> {
  const { neighborsOf } = await import("./neighbors.ts");
  const { precision, recall } = neighborsOf(real, fake, dims, k);
  return { precision, recall };
}

/**
 * Density and coverage (Naeem et al. 2020). The ball of a real sample reaches to its k-th nearest real
 * neighbor; the border counts as outside. Density is the mean number of balls that a generated sample
 * lies in, divided by k; coverage is the fraction of balls with a generated sample inside.
 *
 * ```ts
 * import { densityCoverage } from "@dcgan/webgpu";
 *
 * const real = new Float32Array([0, 1, 2, 3]); // [4, 1]
 * const fake = new Float32Array([0, 0.5, 1.5, 9]);
 * console.log(await densityCoverage(real, fake, 1, { k: 1 })); // { density: 1.25, coverage: 0.75 }
 * ```
 *
 * @param real [count, dims]
 * @param fake [count, dims]; its count may differ
 * @param dims features of a sample
 * @param options.k default 5
 * @throws {TypeError} when a length is not a multiple of `dims`.
 * @throws {RangeError} when there are fewer than k + 1 samples of a kind, or a value is not finite.
 */
export async function densityCoverage(
  real: Float32Array,
  fake: Float32Array,
  dims: number,
  { k = 5 }: { readonly k?: number } = {},
): Promise<DensityCoverage> {
  const { neighborsOf } = await import("./neighbors.ts");
  const { density, coverage } = neighborsOf(real, fake, dims, k);
  return { density, coverage };
}
