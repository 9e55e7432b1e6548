/**
 * Which kernel computes a GEMM-like op, and how it is launched. Convolutions, transposed
 * convolutions, filter gradients and matrix products all end here.
 *
 * @module
 */

import convDirect from "../kernels/conv_direct.wgsl" with { type: "text" };
import convTexture from "../kernels/conv_texture.wgsl" with { type: "text" };
import convTiled from "../kernels/conv_tiled.wgsl" with { type: "text" };
import filterGradDirect from "../kernels/filter_grad_direct.wgsl" with { type: "text" };
import filterGradTexture from "../kernels/filter_grad_texture.wgsl" with { type: "text" };
import filterGradTiled from "../kernels/filter_grad_tiled.wgsl" with { type: "text" };
import { type Kernel, kernel } from "../gpu/shader.ts";
import { type GemmVariant, grid, type Lowering } from "../graph/lower.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Geometry, Side } from "./geometry.ts";
import { reduceMiddle } from "./sum.ts";

/** A kernel with the tile that one invocation (or, tiled, one workgroup) computes. */
interface Variant {
  readonly kernel: Kernel;
  readonly rows: number;
  readonly columns: number;
}

const CONV: Record<GemmVariant, Variant> = {
  texture: { kernel: kernel("conv_texture", convTexture), rows: 8, columns: 16 },
  direct: { kernel: kernel("conv_direct", convDirect), rows: 4, columns: 4 },
  tiled: { kernel: kernel("conv_tiled", convTiled), rows: 64, columns: 64 },
};

const FILTER_GRAD: Record<GemmVariant, Variant> = {
  texture: { kernel: kernel("filter_grad_texture", filterGradTexture), rows: 16, columns: 16 },
  direct: { kernel: kernel("filter_grad_direct", filterGradDirect), rows: 4, columns: 4 },
  tiled: { kernel: kernel("filter_grad_tiled", filterGradTiled), rows: 64, columns: 64 },
};

/**
 * Most loop iterations of one invocation. Some software adapters stop an invocation after 65,535,
 * silently; larger sums are split.
 */
const MAX_ITERATIONS = 16000;

/** Texture kernels read four channels at once, so both sides need a multiple of four. */
function choose(variant: GemmVariant, { large, small }: Geometry): GemmVariant {
  const aligned = large.channels % 4 === 0 && small.channels % 4 === 0;
  return variant === "texture" && !aligned ? "direct" : variant;
}

/** Workgroup size for `tiles` invocations that share nothing: a multiple of 16, at most 64. */
function widthFor(tiles: number): number {
  return Math.min(64, Math.ceil(tiles / 16) * 16);
}

function geometryConstants(g: Geometry, input: Side, output: Side): Record<string, number> {
  return {
    BATCH: g.batch,
    IN_H: input.height,
    IN_W: input.width,
    IN_C: input.channels,
    OUT_H: output.height,
    OUT_W: output.width,
    OUT_C: output.channels,
    KERNEL_H: g.kernel[0],
    KERNEL_W: g.kernel[1],
    STRIDE_H: g.strides[0],
    STRIDE_W: g.strides[1],
    PAD_H: g.pad[0],
    PAD_W: g.pad[1],
  };
}

/** How many shares a sum of `length` is split into: for the loop limit, and to keep the adapter busy. */
function splitsFor(length: number, perStep: number, invocations: number, parallelism: number) {
  const forLimit = Math.ceil(length * perStep / MAX_ITERATIONS);
  const forBusy = Math.min(Math.floor(parallelism / invocations), Math.floor(length / 16));
  const wanted = Math.max(1, forLimit, forBusy);
  return Math.ceil(length / Math.ceil(length / Math.min(wanted, length)));
}

/** y = conv(x, w), or with `transposed` its transpose: from the small side to the large one. */
export function lowerConv(
  lowering: Lowering,
  g: Geometry,
  x: Tensor,
  w: Tensor,
  y: Tensor,
  transposed: boolean,
): void {
  const name = choose(lowering.tuning.gemm, g);
  const { kernel, rows, columns } = CONV[name];
  const [input, output] = transposed ? [g.small, g.large] : [g.large, g.small];
  const taps = g.kernel[0] * g.kernel[1];
  const pixels = output.height * output.width;
  const columnTiles = Math.ceil(output.channels / columns);
  const constants = geometryConstants(g, input, output);
  if (transposed) constants.TRANSPOSED = 1;

  let workgroups: [number, number, number];
  let invocations: number;
  let channels: number;
  if (name === "tiled") {
    // Rows are pixels of all pictures; a transposed convolution has a phase for each stride.
    const [sh, sw] = transposed ? g.strides : [1, 1];
    const phaseRows = g.batch * Math.ceil(output.height / sh) * Math.ceil(output.width / sw);
    const [gx, gy] = grid(Math.ceil(phaseRows / rows) * columnTiles * sh * sw, 1);
    workgroups = [gx, gy, 1];
    invocations = gx * gy * 64;
    channels = Math.ceil(input.channels / 16);
  } else {
    const tiles = Math.ceil(g.batch / rows) * columnTiles;
    const width = widthFor(tiles);
    constants.WIDTH = width;
    workgroups = grid(Math.ceil(tiles / width) * pixels, 1);
    invocations = tiles * pixels;
    channels = name === "texture" ? input.channels / 4 : input.channels;
  }
  // A tiled step stages 16 channels in 16 rounds and multiplies them in 16.
  const perStep = name === "tiled" ? taps * 33 : taps;
  const splits = splitsFor(channels, perStep, invocations, lowering.tuning.parallelism);
  if (splits > 1) constants.SPLITS = splits;
  workgroups[2] = splits;
  const target = splits === 1 ? y : lowering.scratch(splits * y.size, "shares");
  const operands = name === "texture" ? { x: lowering.mirror(x), w: lowering.mirror(w) } : { x, w };
  lowering.dispatch({ kernel, constants, bindings: { ...operands, y: target }, workgroups });
  if (splits > 1) reduceMiddle(lowering, target, y, [1, splits, y.size]);
}

/** dw: the gradient of a convolution's kernel from its large side x and the small side's dy. */
export function lowerFilterGrad(
  lowering: Lowering,
  g: Geometry,
  x: Tensor,
  dy: Tensor,
  dw: Tensor,
): void {
  const name = choose(lowering.tuning.gemm, g);
  const { kernel, rows, columns } = FILTER_GRAD[name];
  const taps = g.kernel[0] * g.kernel[1];
  const columnTiles = Math.ceil(g.small.channels / columns);
  const constants = geometryConstants(g, g.large, g.small);
  let workgroups: [number, number, number];
  let invocations: number;
  if (name === "tiled") {
    workgroups = grid(Math.ceil(taps * g.large.channels / rows) * columnTiles, 1);
    invocations = workgroups[0] * workgroups[1] * 64;
  } else if (name === "texture") {
    const tiles = Math.ceil(g.large.channels / rows) * columnTiles;
    constants.WIDTH = widthFor(tiles);
    workgroups = grid(Math.ceil(tiles / constants.WIDTH) * taps, 1);
    invocations = tiles * taps;
  } else {
    const tiles = Math.ceil(taps * g.large.channels / rows) * columnTiles;
    constants.WIDTH = widthFor(tiles);
    workgroups = grid(tiles, constants.WIDTH);
    invocations = tiles;
  }
  // The sum runs over lines (picture, row) of the small side.
  const lines = g.batch * g.small.height;
  const perLine = name === "tiled" ? 3 * g.small.width + 33 : g.small.width;
  const splits = splitsFor(lines, perLine, invocations, lowering.tuning.parallelism);
  if (splits > 1) constants.SPLITS = splits;
  workgroups[2] = splits;
  const target = splits === 1 ? dw : lowering.scratch(splits * dw.size, "shares");
  const operands = name === "texture"
    ? { x: lowering.mirror(x), dy: lowering.mirror(dy) }
    : { x, dy };
  lowering.dispatch({ kernel, constants, bindings: { ...operands, dw: target }, workgroups });
  if (splits > 1) reduceMiddle(lowering, target, dw, [1, splits, dw.size]);
}
