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
 *
 * @module
 */

import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, sameShape, show, type Tensor } from "../graph/tensor.ts";
import { requireFloat } from "./check.ts";
import { lowerGemm } from "./gemm/choose.ts";
import {
  type ConvOptions,
  type Geometry,
  geometry,
  kernelShape,
  normalizePadding,
  normalizeStrides,
  sideShape,
} from "./gemm/geometry.ts";

const conv2dOp: Op<Geometry> = {
  name: "conv2d",
  gradient({ inputs: [x, kernel], attributes: g }, [dy]) {
    return dy ? [convTransposeWith(dy, kernel, g), filterGradWith(x, dy, g)] : [];
  },
  lower({ inputs: [x, w], outputs: [y], attributes: geometry }, lowering: Lowering) {
    lowerGemm(lowering, { kind: "conv2d", geometry, x, w, y });
  },
};

const conv2dTransposeOp: Op<Geometry> = {
  name: "conv2dTranspose",
  gradient({ inputs: [y, kernel], attributes: g }, [dx]) {
    return dx ? [convWith(dx, kernel, g), filterGradWith(dx, y, g)] : [];
  },
  lower({ inputs: [x, w], outputs: [y], attributes: geometry }, lowering: Lowering) {
    lowerGemm(lowering, { kind: "conv2dTranspose", geometry, x, w, y });
  },
};

const filterGradOp: Op<Geometry> = {
  name: "conv2dFilterGrad",
  gradient({ inputs: [x, y], attributes: g }, [dw]) {
    return dw ? [convTransposeWith(y, dw, g), convWith(x, dw, g)] : [];
  },
  lower({ inputs: [x, w], outputs: [y], attributes: geometry }, lowering: Lowering) {
    lowerGemm(lowering, { kind: "conv2dFilterGrad", geometry, x, w, y });
  },
};

/** Records a convolution of known geometry. */
export function convWith(x: Tensor, kernel: Tensor, g: Geometry): Tensor {
  const shape = sideShape(g.batch, g.small);
  return currentGraph().add(conv2dOp, [x, kernel], g, [{ shape }]).outputs[0];
}

/** Records a transposed convolution of known geometry. */
export function convTransposeWith(y: Tensor, kernel: Tensor, g: Geometry): Tensor {
  const shape = sideShape(g.batch, g.large);
  return currentGraph().add(conv2dTransposeOp, [y, kernel], g, [{ shape }]).outputs[0];
}

/** Records a filter gradient of known geometry. */
export function filterGradWith(x: Tensor, y: Tensor, g: Geometry): Tensor {
  return currentGraph().add(filterGradOp, [x, y], g, [{ shape: kernelShape(g) }]).outputs[0];
}

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
  return convWith(input, weights, geometry(input.shape, weights.shape, options));
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
  return convTransposeWith(input, weights, geometry(large, weights.shape, options));
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
  const shape = [kh, kw, input.shape[3], cotangent.shape[3]];
  const g = geometry(input.shape, shape, options);
  const expected = sideShape(g.batch, g.small);
  if (!sameShape(cotangent.shape, expected)) {
    throw new TypeError(
      `Cannot take the filter gradient of x ${show(input.shape)} with dy ` +
        `${show(cotangent.shape)}: a ${kh} x ${kw} convolution gives ${show(expected)}`,
    );
  }
  return filterGradWith(input, cotangent, g);
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
