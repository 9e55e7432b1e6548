import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, show, type Tensor } from "../graph/tensor.ts";
import { filterGradWith } from "./conv2dFilterGrad.ts";
import { transposeWith } from "./conv2dTranspose.ts";
import { requireFloat } from "./elementwise.ts";
import { lowerConv } from "./gemm.ts";
import { type ConvOptions, type Geometry, geometry, requireRank4, sideShape } from "./geometry.ts";

const conv2dOp: Op = {
  name: "conv2d",
  gradient({ inputs: [x, kernel], attributes: g }, [dy]) {
    if (!dy) return [];
    return [transposeWith(dy, kernel, g), filterGradWith(x, dy, g)];
  },
  lower({ inputs: [x, kernel], outputs: [y], attributes: g }, lowering: Lowering) {
    lowerConv(lowering, g, x, kernel, y, false);
  },
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
  const [input, weights] = [toTensor(x, "x of conv2d"), toTensor(kernel, "the kernel of conv2d")];
  requireFloat(input, "conv2d");
  requireFloat(weights, "conv2d");
  requireRank4(input, "x of conv2d");
  requireRank4(weights, "The kernel of conv2d");
  if (input.shape[3] !== weights.shape[2]) {
    throw new TypeError(
      `Cannot convolve x ${show(input.shape)} with kernel ${show(weights.shape)}: ` +
        `x has ${input.shape[3]} channels, the kernel expects ${weights.shape[2]}`,
    );
  }
  return convolveWith(input, weights, geometry(input.shape, weights.shape, options));
}

/** The convolution of a known geometry. */
export function convolveWith(x: Tensor, kernel: Tensor, g: Geometry): Tensor {
  const shape = sideShape(g.batch, g.small);
  return currentGraph().add(conv2dOp, [x, kernel], g, [{ shape }]).outputs[0];
}
