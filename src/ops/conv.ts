/**
 * Convolution, transposed convolution and the filter gradient: three ops that are one formula.
 *
 * A convolution has a large side x, a kernel w and a small side y:
 *
 *     y[b, o, n] = sum over t, c of x[b, o * stride - pad + t, c] * w[t, c, n]
 *
 * (o and t stand for rows and columns both). This is linear in x and in w, so its two gradients are
 * the other two ops of the same sums:
 *
 *     conv2d            y  = x, w   summed over taps and large channels
 *     conv2dTranspose   x  = y, w   summed over taps and small channels: the gradient of x
 *     conv2dFilterGrad  w  = x, y   summed over the batch and pixels: the gradient of w
 *
 * Each op takes two of the three and gives the third, and its gradients are the two ops that give
 * what it takes. So all of them can be differentiated any number of times. One `Geometry` describes
 * all three. `gemm/choose.ts` chooses the kernels.
 */

import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, sameShape, show, type Tensor } from "../graph/tensor.ts";
import type { GemmUse } from "../graph/tuning.ts";
import { requireFloat } from "./check.ts";
import { lowerGemm } from "./gemm/choose.ts";
import {
  type ConvOptions,
  type Geometry,
  geometry,
  normalizePadding,
  normalizeStrides,
  shapesOf,
} from "./gemm/geometry.ts";

/** Records one of the three ops of known geometry. */
export function convOf(kind: GemmUse["kind"], a: Tensor, b: Tensor, g: Geometry): Tensor {
  const [, , shape] = shapesOf(kind, g);
  return currentGraph().add(OPS[kind], [a, b], g, [{ shape }]).outputs[0];
}

/** From the operands, the cotangent of the result and the geometry: cotangents of the operands. */
type Rule = (a: Tensor, b: Tensor, dy: Tensor, g: Geometry) => [Tensor, Tensor];

function opOf(kind: GemmUse["kind"], rule: Rule): Op<Geometry> {
  return {
    name: kind,
    gradient: ({ inputs: [a, b], attributes: g }, [dy]) => dy ? rule(a, b, dy, g) : [],
    lower({ inputs: [x, w], outputs: [y], attributes: geometry }, lowering: Lowering) {
      lowerGemm(lowering, { kind, geometry, x, w, y });
    },
  };
}

const OPS: Record<GemmUse["kind"], Op<Geometry>> = {
  conv2d: opOf("conv2d", (x, w, dy, g) => [
    convOf("conv2dTranspose", dy, w, g),
    convOf("conv2dFilterGrad", x, dy, g),
  ]),
  conv2dTranspose: opOf("conv2dTranspose", (y, w, dx, g) => [
    convOf("conv2d", dx, w, g),
    convOf("conv2dFilterGrad", dx, y, g),
  ]),
  conv2dFilterGrad: opOf("conv2dFilterGrad", (x, y, dw, g) => [
    convOf("conv2dTranspose", y, dw, g),
    convOf("conv2d", x, dw, g),
  ]),
};

/**
 * 2-D convolution (cross-correlation, as in Keras' Conv2D) without bias.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [8, 28, 28, 1], kernel: [5, 5, 1, 64] }, ({ x, kernel }) => {
 *   const y = ops.conv2d(x, kernel, { strides: 2, padding: "same" });
 *   console.log(y.shape); // [ 8, 14, 14, 64 ]
 *   return { y };
 * });
 * ```
 *
 * @param x [batch, height, width, in]
 * @param kernel [kh, kw, in, out]
 * @returns [batch, h, w, out]; "same": h = ceil(height / stride), "valid":
 *   h = floor((height - kh) / stride) + 1
 * @throws {TypeError} when the channels differ or the kernel does not fit.
 */
export function conv2d(x: TensorLike, kernel: TensorLike, options: ConvOptions = {}): Tensor {
  const input = imagesOf(x, "x", "conv2d");
  const weights = imagesOf(kernel, "the kernel", "conv2d");
  if (input.shape[3] !== weights.shape[2]) {
    throw new TypeError(
      `Cannot convolve x ${show(input.shape)} with kernel ${show(weights.shape)}: ` +
        `x has ${input.shape[3]} channels, the kernel expects ${weights.shape[2]}`,
    );
  }
  return convOf("conv2d", input, weights, geometry(input.shape, weights.shape, options));
}

/**
 * 2-D transposed convolution (Keras' Conv2DTranspose) without bias: the gradient, with respect to
 * its input, of the convolution of the same kernel, strides and padding.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [8, 7, 7, 128], kernel: [5, 5, 64, 128] }, ({ x, kernel }) => {
 *   const y = ops.conv2dTranspose(x, kernel, { strides: 2, padding: "same" });
 *   console.log(y.shape); // [ 8, 14, 14, 64 ]
 *   return { y };
 * });
 * ```
 *
 * @param x [batch, height, width, in]
 * @param kernel [kh, kw, out, in]
 * @returns [batch, h, w, out]; "same": h = height * stride, "valid":
 *   h = height * stride + max(kh - stride, 0)
 * @throws {TypeError} when the channels differ.
 */
export function conv2dTranspose(
  x: TensorLike,
  kernel: TensorLike,
  options: ConvOptions = {},
): Tensor {
  const input = imagesOf(x, "x", "conv2dTranspose");
  const weights = imagesOf(kernel, "the kernel", "conv2dTranspose");
  const [batch, height, width, channels] = input.shape;
  const [kh, kw, out, expected] = weights.shape;
  if (channels !== expected) {
    throw new TypeError(
      `Cannot transpose-convolve x ${show(input.shape)} with kernel ${show(weights.shape)}: ` +
        `x has ${channels} channels, the kernel expects ${expected} (its layout is [kh, kw, out, in])`,
    );
  }
  const [sh, sw] = normalizeStrides(options.strides);
  const same = normalizePadding(options.padding) === "same";
  const grow = (n: number, k: number, s: number) => n * s + (same ? 0 : Math.max(k - s, 0));
  const large = [batch, grow(height, kh, sh), grow(width, kw, sw), out];
  return convOf("conv2dTranspose", input, weights, geometry(large, weights.shape, options));
}

/** Options of {@linkcode conv2dFilterGrad}. */
export interface FilterGradOptions extends ConvOptions {
  /** Height and width of the kernel: one number for both, or a pair. */
  readonly kernelSize: number | readonly [number, number];
}

/**
 * The gradient of conv2d's kernel: for y = conv2d(x, w) and a cotangent dy, that of w.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [8, 28, 28, 1], dy: [8, 14, 14, 64] }, ({ x, dy }) => {
 *   const options = { kernelSize: 5, strides: 2, padding: "same" } as const;
 *   const dw = ops.conv2dFilterGrad(x, dy, options);
 *   console.log(dw.shape); // [ 5, 5, 1, 64 ]
 *   return { dw };
 * });
 * ```
 *
 * @param x [batch, height, width, in]
 * @param dy [batch, h, w, out]
 * @returns [kh, kw, in, out]
 * @throws {TypeError} when dy is not of the shape that conv2d gives.
 */
export function conv2dFilterGrad(
  x: TensorLike,
  dy: TensorLike,
  options: FilterGradOptions,
): Tensor {
  const input = imagesOf(x, "x", "conv2dFilterGrad");
  const cotangent = imagesOf(dy, "dy", "conv2dFilterGrad");
  const { kernelSize } = options;
  const [kh, kw] = typeof kernelSize === "number" ? [kernelSize, kernelSize] : kernelSize;
  const g = geometry(input.shape, [kh, kw, input.shape[3], cotangent.shape[3]], options);
  const [, expected] = shapesOf("conv2dFilterGrad", g);
  if (!sameShape(cotangent.shape, expected)) {
    throw new TypeError(
      `Cannot take the filter gradient of x ${show(input.shape)} with dy ` +
        `${show(cotangent.shape)}: a ${kh} x ${kw} convolution gives ${show(expected)}`,
    );
  }
  return convOf("conv2dFilterGrad", input, cotangent, g);
}

/** An f32 tensor of four axes. */
function imagesOf(x: TensorLike, what: string, op: string): Tensor {
  const tensor = toTensor(x, `${what} of ${op}`);
  requireFloat(tensor, op);
  if (tensor.rank !== 4) {
    throw new TypeError(`${what} of ${op} must have 4 axes, got ${show(tensor.shape)}`);
  }
  return tensor;
}
