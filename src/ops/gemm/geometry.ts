/**
 * The geometry that a convolution, its transpose and its filter gradient share.
 *
 * A convolution takes a large image to a small one; a transposed convolution takes the small one
 * back. Both, and the filter gradient, are described by the same numbers: the large side
 * [batch, height, width, channels], the small side, the kernel [kh, kw, large channels, small
 * channels], the strides and the padding before.
 */

import { type Shape, show } from "../../graph/tensor.ts";
import type { GemmUse } from "../../graph/tuning.ts";

/** Options of conv2d, conv2dTranspose and conv2dFilterGrad. */
export interface ConvOptions {
  /** Steps along height and width: one number for both, or a pair. Default 1. */
  readonly strides?: number | readonly [number, number];
  /** "same" pads as TensorFlow does, the smaller half before; "valid" does not pad. Default "valid". */
  readonly padding?: "same" | "valid";
}

/** One side of a convolution. */
export interface Side {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Everything that its kernels need to know of a convolution. */
export interface Geometry {
  readonly batch: number;
  readonly large: Side;
  readonly small: Side;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  /** Zeros before the first row and column of the large side. */
  readonly pad: readonly [number, number];
}

/** Strides as a pair; refuses anything but whole numbers of at least 1. */
export function normalizeStrides(strides: ConvOptions["strides"] = 1): [number, number] {
  const pair = typeof strides === "number" ? [strides, strides] : [...strides];
  if (pair.length !== 2 || !pair.every((s) => Number.isInteger(s) && s >= 1)) {
    throw new RangeError(`strides must be a whole number of at least 1 or a pair, got ${strides}`);
  }
  return pair as [number, number];
}

/** Refuses paddings that are not one of the two. */
export function normalizePadding(padding: ConvOptions["padding"] = "valid"): "same" | "valid" {
  if (padding !== "same" && padding !== "valid") {
    throw new RangeError(`padding must be "same" or "valid", got ${JSON.stringify(padding)}`);
  }
  return padding;
}

/** TensorFlow's padding along one axis: size of the small side and zeros before the large one. */
export function padAxis(
  size: number,
  kernel: number,
  stride: number,
  padding: "same" | "valid",
): { small: number; before: number } {
  if (padding === "valid") return { small: Math.floor((size - kernel) / stride) + 1, before: 0 };
  const small = Math.ceil(size / stride);
  const total = Math.max((small - 1) * stride + kernel - size, 0);
  return { small, before: Math.floor(total / 2) };
}

/** The geometry of a convolution from the shape of its large side. */
export function geometry(large: Shape, kernelShape: Shape, options: ConvOptions): Geometry {
  const [batch, height, width] = large;
  const [kh, kw, channels, smallChannels] = kernelShape;
  const strides = normalizeStrides(options.strides);
  const padding = normalizePadding(options.padding);
  const y = padAxis(height, kh, strides[0], padding);
  const x = padAxis(width, kw, strides[1], padding);
  if (y.small < 1 || x.small < 1) {
    throw new TypeError(
      `A ${kh} x ${kw} kernel does not fit into ${show(large)} with padding "valid": ` +
        `use padding "same" or an image of at least ${kh} x ${kw}`,
    );
  }
  return {
    batch,
    large: { height, width, channels },
    small: { height: y.small, width: x.small, channels: smallChannels },
    kernel: [kh, kw],
    strides,
    pad: [y.before, x.before],
  };
}

/** Shapes of the two operands and the result of an op of a kind. */
export function shapesOf(kind: GemmUse["kind"], g: Geometry): [a: Shape, b: Shape, y: Shape] {
  const [large, small] = [g.large, g.small].map((s) => [g.batch, s.height, s.width, s.channels]);
  const kernel = [...g.kernel, g.large.channels, g.small.channels];
  if (kind === "conv2d") return [large, kernel, small];
  return kind === "conv2dTranspose" ? [small, kernel, large] : [large, small, kernel];
}
