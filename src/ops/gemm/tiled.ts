/** The tiled variant, for GPUs: 64 x 64 tiles whose operands are staged in workgroup memory. */

import convCode from "../../kernels/conv_tiled.wgsl" with { type: "text" };
import filterGradCode from "../../kernels/filter_grad_tiled.wgsl" with { type: "text" };
import { kernel } from "../../gpu/shader.ts";
import { grid } from "../../graph/lower.ts";
import { constantsOf, flopsOf, type Gemm, type Launch, sidesOf } from "./launch.ts";

const conv = kernel("conv_tiled", convCode);
const filterGrad = kernel("filter_grad_tiled", filterGradCode);

/** Rows and columns of the result that a workgroup of 64 computes. */
const TILE = 64;

/** Steps of the sum that a workgroup stages at a time: DEPTH in the kernels. */
const DEPTH = 16;

/**
 * Whether tiles waste most of their work: a convolution of 1 channel fills one of the DEPTH channels
 * that are staged, and one to 1 channel fills one of TILE columns. The direct kernel computes only
 * what is asked for. Of [2, 200, 190, 1] and a kernel 7x7, tiles compute 1024 times too much: 3.5 s
 * instead of 0.05 s on a software adapter. Where all of it is little work, the waste does not count.
 */
export function tilesWaste(gemm: Gemm): boolean {
  if (gemm.kind === "conv2dFilterGrad") return false; // its rows are taps and channels together
  const { input, output } = sidesOf(gemm);
  const used = (channels: number, of: number) => channels / (Math.ceil(channels / of) * of);
  const useful = used(input.channels, DEPTH) * used(output.channels, TILE);
  return useful < 1 / 8 && flopsOf(gemm.geometry) / useful >= 1e9;
}

/** How the tiled kernels compute an op. */
export function tiled(gemm: Gemm): Launch {
  const { kind, geometry: { batch, kernel: [kh, kw], large, small, strides }, x, w } = gemm;
  const { input, output } = sidesOf(gemm);
  const tiles = (rows: number, phases = 1) => {
    const columns = Math.ceil(output.channels / TILE);
    const workgroups = grid(Math.ceil(rows / TILE) * columns * phases, 1);
    const invocations = workgroups[0] * workgroups[1] * 64;
    return { constants: constantsOf(gemm), workgroups, invocations };
  };
  if (kind === "conv2dFilterGrad") {
    return {
      kernel: filterGrad,
      ...tiles(kh * kw * large.channels),
      steps: batch * small.height * small.width,
      iterations: 3,
      operands: () => ({ x, dy: w }),
      result: "dw",
    };
  }
  // Rows are pixels of all images; a transposed convolution has a phase for each stride.
  const [sh, sw] = kind === "conv2dTranspose" ? strides : [1, 1];
  return {
    kernel: conv,
    ...tiles(batch * Math.ceil(output.height / sh) * Math.ceil(output.width / sw), sh * sw),
    // A step stages DEPTH channels of each tap in DEPTH rounds, and multiplies them in as many.
    steps: Math.ceil(input.channels / DEPTH),
    iterations: kh * kw * (2 * DEPTH + 1),
    operands: () => ({ x, w }),
    result: "y",
  };
}
