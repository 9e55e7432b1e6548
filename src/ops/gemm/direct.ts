/** The direct variant: straight from storage buffers, float by float, for any shape. */

import convCode from "../../kernels/conv_direct.wgsl" with { type: "text" };
import filterGradCode from "../../kernels/filter_grad_direct.wgsl" with { type: "text" };
import { kernel } from "../../gpu/shader.ts";
import { type Gemm, type Launch, sidesOf, tilesPerPlace } from "./launch.ts";

const conv = kernel("conv_direct", convCode);
const filterGrad = kernel("filter_grad_direct", filterGradCode);

/** Rows and columns of the result that one invocation computes. */
const TILE = 4;

/** How the direct kernels compute an op. */
export function direct(gemm: Gemm): Launch {
  const { kind, geometry: { batch, kernel: [kh, kw], large, small }, x, w } = gemm;
  const { input, output } = sidesOf(gemm);
  if (kind === "conv2dFilterGrad") {
    const rows = Math.ceil(kh * kw * large.channels / TILE);
    const tiles = rows * Math.ceil(small.channels / TILE);
    return {
      kernel: filterGrad,
      ...tilesPerPlace(gemm, tiles, 1),
      steps: batch * small.height * small.width,
      iterations: 1,
      operands: () => ({ x, dy: w }),
      result: "dw",
    };
  }
  const tiles = Math.ceil(batch / TILE) * Math.ceil(output.channels / TILE);
  return {
    kernel: conv,
    ...tilesPerPlace(gemm, tiles, output.height * output.width),
    steps: kh * input.channels,
    iterations: kw + 1,
    operands: () => ({ x, w }),
    result: "y",
  };
}
