import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, sameShape, show, type Tensor } from "../graph/tensor.ts";
import { convolveWith } from "./conv2d.ts";
import { transposeWith } from "./conv2dTranspose.ts";
import { requireFloat } from "./elementwise.ts";
import { lowerFilterGrad } from "./gemm.ts";
import {
  type ConvOptions,
  type Geometry,
  geometry,
  kernelShape,
  requireRank4,
  sideShape,
} from "./geometry.ts";

const filterGradOp: Op = {
  name: "conv2dFilterGrad",
  gradient({ inputs: [x, dy], attributes: g }, [dw]) {
    return dw ? [transposeWith(dy, dw, g), convolveWith(x, dw, g)] : [];
  },
  lower({ inputs: [x, dy], outputs: [dw], attributes: g }, lowering: Lowering) {
    lowerFilterGrad(lowering, g, x, dy, dw);
  },
};

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
  const [input, cotangent] = [toTensor(x, "x of conv2dFilterGrad"), toTensor(dy, "dy")];
  requireFloat(input, "conv2dFilterGrad");
  requireFloat(cotangent, "conv2dFilterGrad");
  requireRank4(input, "x of conv2dFilterGrad");
  requireRank4(cotangent, "dy of conv2dFilterGrad");
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

/** The filter gradient of a known geometry. */
export function filterGradWith(x: Tensor, dy: Tensor, g: Geometry): Tensor {
  const shape = kernelShape(g);
  return currentGraph().add(filterGradOp, [x, dy], g, [{ shape }]).outputs[0];
}
