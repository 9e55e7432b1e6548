/** How the weights of a network start. */

import { sizeOf } from "../graph/tensor.ts";
import { padAxis } from "../ops/gemm/geometry.ts";
import type { Initializer, WeightSpec } from "./layer.ts";
import type { RandomSequence } from "./threefry.ts";

/** How much meets at a kernel, from which its first values follow. */
export interface Fans {
  /** Keras' fans: the number of taps times the channels of the input, or of the output. */
  readonly fanIn: number;
  readonly fanOut: number;
  /**
   * Products that are summed for one value of the output, on average. Fewer than `fanIn` where taps
   * lie outside the image, and where strides keep taps of a transposed convolution from an output.
   */
  readonly terms: number;
}

/** How many taps meet a value along one axis of a convolution, in all: those on padding meet none. */
export function tapsAlong(
  large: number,
  kernel: number,
  stride: number,
  padding: "same" | "valid",
): number {
  const { small, before } = padAxis(large, kernel, stride, padding);
  let sum = 0;
  for (let i = 0; i < small; i++) {
    const at = i * stride - before;
    sum += Math.min(at + kernel, large) - Math.max(at, 0);
  }
  return sum;
}

/** Chooses the first values of a kernel by its fans. */
export type KernelInitializer = (fans: Fans) => Initializer;

/** Keras' default: uniform on ±sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export const glorotUniform: KernelInitializer = ({ fanIn, fanOut }) => (
  { kind: "glorotUniform", fanIn, fanOut }
);

/**
 * Keeps the mean square of activations through depth without normalization: uniform on
 * ±sqrt(6 / ((1 + slope^2) terms)) (He et al. 2015, equation 15).
 *
 * @param slope of the LeakyReLU that the layer's input has passed: 0 for ReLU, 1 for none
 */
export const heUniform = (slope: number): KernelInitializer => ({ terms }) => (
  { kind: "uniform", limit: Math.sqrt(6 / ((1 + slope ** 2) * terms)) }
);

/** The first values of a weight. */
export function initialValues({ shape, initializer }: WeightSpec, random: RandomSequence) {
  const values = new Float32Array(sizeOf(shape));
  if (initializer.kind === "constant") return values.fill(initializer.value);
  const limit = initializer.kind === "uniform"
    ? initializer.limit
    : Math.sqrt(6 / (initializer.fanIn + initializer.fanOut));
  return values.map(() => (2 * random.uniform() - 1) * limit);
}
