/**
 * The tiled variant, for GPUs: 64 x 64 tiles whose operands are staged in workgroup memory.
 *
 * @module
 */

import convCode from "../../kernels/conv_tiled.wgsl" with { type: "text" };
import filterGradCode from "../../kernels/filter_grad_tiled.wgsl" with { type: "text" };
import { kernel } from "../../gpu/shader.ts";
import { grid } from "../../graph/lower.ts";
import { constantsOf, type Gemm, type Launch, sidesOf } from "./launch.ts";

const conv = kernel("conv_tiled", convCode);
const filterGrad = kernel("filter_grad_tiled", filterGradCode);

/** Rows and columns of the result that a workgroup of 64 computes. */
const TILE = 64;

/** Steps of the sum that a workgroup stages at a time: DEPTH in the kernels. */
const DEPTH = 16;

/** How the tiled kernels compute an op. */
export function tiled(gemm: Gemm): Launch {
  const { kind, geometry: { batch, kernel: [kh, kw], large, small, strides }, x, w } = gemm;
  const { input, output } = sidesOf(gemm);
  const columns = Math.ceil(output.channels / TILE);
  if (kind === "conv2dFilterGrad") {
    const workgroups = grid(Math.ceil(kh * kw * large.channels / TILE) * columns, 1);
    return {
      kernel: filterGrad,
      constants: constantsOf(gemm),
      workgroups,
      invocations: workgroups[0] * workgroups[1] * 64,
      steps: batch * small.height * small.width,
      iterations: 3,
      operands: () => ({ x, dy: w }),
      result: "dw",
    };
  }
  // Rows are pixels of all images; a transposed convolution has a phase for each stride.
  const [sh, sw] = kind === "conv2dTranspose" ? strides : [1, 1];
  const rows = batch * Math.ceil(output.height / sh) * Math.ceil(output.width / sw);
  const workgroups = grid(Math.ceil(rows / TILE) * columns * sh * sw, 1);
  return {
    kernel: conv,
    constants: constantsOf(gemm),
    workgroups,
    invocations: workgroups[0] * workgroups[1] * 64,
    // A step stages DEPTH channels of each tap in DEPTH rounds, and multiplies them in as many.
    steps: Math.ceil(input.channels / DEPTH),
    iterations: kh * kw * (2 * DEPTH + 1),
    operands: () => ({ x, w }),
    result: "y",
  };
}
