import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, show, type Tensor } from "../graph/tensor.ts";
import { convolveWith } from "./conv2d.ts";
import { filterGradWith } from "./conv2dFilterGrad.ts";
import { requireFloat } from "./elementwise.ts";
import { lowerConv } from "./gemm.ts";
import {
  type ConvOptions,
  type Geometry,
  geometry,
  normalizePadding,
  normalizeStrides,
  requireRank4,
  sideShape,
} from "./geometry.ts";

const conv2dTransposeOp: Op = {
  name: "conv2dTranspose",
  gradient({ inputs: [x, kernel], attributes: g }, [dy]) {
    return dy ? [convolveWith(dy, kernel, g), filterGradWith(dy, x, g)] : [];
  },
  lower({ inputs: [x, kernel], outputs: [y], attributes: g }, lowering: Lowering) {
    lowerConv(lowering, g, x, kernel, y, true);
  },
};

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
  const input = toTensor(x, "x of conv2dTranspose");
  const weights = toTensor(kernel, "the kernel of conv2dTranspose");
  requireFloat(input, "conv2dTranspose");
  requireFloat(weights, "conv2dTranspose");
  requireRank4(input, "x of conv2dTranspose");
  requireRank4(weights, "The kernel of conv2dTranspose");
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
  return transposeWith(input, weights, geometry(large, weights.shape, options));
}

/** The transposed convolution of a known geometry: also the input gradient of a convolution. */
export function transposeWith(x: Tensor, kernel: Tensor, g: Geometry): Tensor {
  const shape = sideShape(g.batch, g.large);
  return currentGraph().add(conv2dTransposeOp, [x, kernel], g, [{ shape }]).outputs[0];
}
