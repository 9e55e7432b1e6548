/**
 * Which kernel computes a GEMM-like op, and how it is launched. Convolutions, transposed
 * convolutions, filter gradients and matrix products all end here.
 *
 * @module
 */

import convDirect from "../../kernels/conv_direct.wgsl" with { type: "text" };
import convPixels from "../../kernels/conv_pixels.wgsl" with { type: "text" };
import convTexture from "../../kernels/conv_texture.wgsl" with { type: "text" };
import convTiled from "../../kernels/conv_tiled.wgsl" with { type: "text" };
import filterGradDirect from "../../kernels/filter_grad_direct.wgsl" with { type: "text" };
import filterGradPixels from "../../kernels/filter_grad_pixels.wgsl" with { type: "text" };
import filterGradTexture from "../../kernels/filter_grad_texture.wgsl" with { type: "text" };
import filterGradTiled from "../../kernels/filter_grad_tiled.wgsl" with { type: "text" };
import { type Kernel, kernel } from "../../gpu/shader.ts";
import { grid, type Lowering, type TextureCopy } from "../../graph/lower.ts";
import type { GemmUse, GemmVariant } from "../../graph/tuning.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { copyBox } from "../copy.ts";
import type { Geometry, Side } from "./geometry.ts";
import {
  type BatchedMatmul,
  batchedMatmul,
  batchedMatmulIterations,
  batchedMatmulTiles,
} from "./batched_matmul.ts";
import { reduceMiddle } from "../reduce.ts";
import { lowerWinograd, lowerWinogradFilterGrad, winogradFits, winogradTiles } from "./winograd.ts";

/** A kernel with the tile that one invocation (of a tiled one: one workgroup) computes. */
interface Variant {
  readonly kernel: Kernel;
  readonly entryPoint?: string;
  readonly rows: number;
  readonly columns: number;
}

const convTextureKernel = kernel("conv_texture", convTexture);

/** Kernels for convolutions; "texture" has two more for sides of few channels. */
const CONV = {
  texture: { kernel: convTextureKernel, rows: 8, columns: 16 },
  narrow: { kernel: convTextureKernel, entryPoint: "narrow", rows: 8, columns: 1 },
  pixels: { kernel: kernel("conv_pixels", convPixels), rows: 8, columns: 16 },
  direct: { kernel: kernel("conv_direct", convDirect), rows: 4, columns: 4 },
  tiled: { kernel: kernel("conv_tiled", convTiled), rows: 64, columns: 64 },
} satisfies Record<string, Variant>;

const FILTER_GRAD = {
  texture: { kernel: kernel("filter_grad_texture", filterGradTexture), rows: 16, columns: 16 },
  pixels: { kernel: kernel("filter_grad_pixels", filterGradPixels), rows: 8, columns: 4 },
  direct: { kernel: kernel("filter_grad_direct", filterGradDirect), rows: 4, columns: 4 },
  tiled: { kernel: kernel("filter_grad_tiled", filterGradTiled), rows: 64, columns: 64 },
} satisfies Record<string, Variant>;

/**
 * Most loop iterations of one invocation. Some software adapters stop an invocation after 65,535,
 * silently; larger sums are split.
 */
const MAX_ITERATIONS = 16000;

/** The loop of one invocation: so many steps can be shared out, each of so many iterations. */
interface Work {
  readonly steps: number;
  readonly iterations: number;
}

const fours = (n: number) => n % 4 === 0;

/** What one invocation of a kernel for convolutions sums, from `input`. */
function convWork(name: keyof typeof CONV, { kernel: [kh, kw] }: Geometry, input: Side): Work {
  const { channels } = input;
  switch (name) {
    case "texture":
    case "narrow":
      return { steps: channels / 4, iterations: kh * kw };
    case "pixels":
      return { steps: 1, iterations: kh * kw * channels };
    case "direct":
      return { steps: kh * channels, iterations: kw + 1 };
    case "tiled":
      // 16 channels are staged in 16 rounds and multiplied in 16.
      return { steps: Math.ceil(channels / 16), iterations: kh * kw * 33 };
  }
}

function filterGradWork(name: keyof typeof FILTER_GRAD, { batch, small }: Geometry): Work {
  const { height, width } = small;
  switch (name) {
    case "texture":
      return { steps: batch * height, iterations: width + 1 };
    case "pixels":
      return { steps: height * width, iterations: batch / 4 + 1 };
    case "direct":
      return { steps: batch * height * width, iterations: 1 };
    case "tiled":
      return { steps: batch * height * width, iterations: 3 };
  }
}

/** Below this many operations or tiles, transforms (of the kernel above all) cost what they save. */
const WINOGRAD_FLOPS = 3e8;
const WINOGRAD_TILES = 64;

/** Names an op and its sizes. */
function keyOf(kind: GemmUse["kind"], g: Geometry): string {
  const side = (s: Side) => `${s.height}x${s.width}x${s.channels}`;
  const pair = ([a, b]: readonly [number, number]) => a === b ? `${a}` : `${a}x${b}`;
  const padding = g.pad[0] + g.pad[1] > 0 ? ` pad ${pair(g.pad)}` : "";
  return `${kind} ${g.batch}x${side(g.large)} ${g.kernel.join("x")} / ${
    pair(g.strides)
  }${padding} ` +
    `-> ${side(g.small)}`;
}

/** The variant for an op, and a note that the program has it. */
function choose(lowering: Lowering, kind: GemmUse["kind"], g: Geometry): GemmVariant {
  const key = keyOf(kind, g);
  const { gemm, choices } = lowering.tuning;
  lowering.gemms.set(key, { key, kind, geometry: g, flops: flopsOf(g) });
  return resolveVariant(choices?.[key] ?? gemm, g);
}

/** The variant that really computes an op where this one is asked for. */
export function resolveVariant(variant: GemmVariant, g: Geometry): GemmVariant {
  if (winogradFits(g, MAX_ITERATIONS)) {
    const pays = flopsOf(g) >= WINOGRAD_FLOPS && winogradTiles(g) >= WINOGRAD_TILES;
    if (variant === "winograd" || (variant === "auto" && pays)) return "winograd";
  }
  return variant === "auto" || variant === "winograd" ? "texture" : variant;
}

/** Texture kernels read four values at once, so that some size must be a multiple of four. */
function chooseConv(
  variant: GemmVariant,
  g: Geometry,
  transposed: boolean,
): keyof typeof CONV {
  const { large, small, batch } = g;
  const aligned = fours(small.channels);
  const wanted = variant === "tiled" || variant === "direct"
    ? variant
    : aligned && fours(large.channels)
    ? "texture"
    : aligned && transposed
    ? "narrow"
    : aligned && fours(batch)
    ? "pixels"
    : "direct";
  const input = transposed ? small : large;
  const fits = convWork(wanted, g, input).iterations <= MAX_ITERATIONS;
  return fits ? wanted : "direct";
}

function chooseFilterGrad(variant: GemmVariant, g: Geometry): keyof typeof FILTER_GRAD {
  const { large, small, batch } = g;
  const aligned = fours(small.channels);
  const wanted = variant === "tiled" || variant === "direct"
    ? variant
    : aligned && fours(large.channels)
    ? "texture"
    : aligned && fours(batch)
    ? "pixels"
    : "direct";
  return filterGradWork(wanted, g).iterations <= MAX_ITERATIONS ? wanted : "direct";
}

/** x [batch, ...] with the batch innermost, in a texture. */
function batchInnermost(lowering: Lowering, x: Tensor): TextureCopy {
  const rest = x.size / x.shape[0];
  const turned = lowering.scratch(x.size, "batch innermost");
  const from = { strides: [1, rest] };
  copyBox(lowering, [rest, x.shape[0]], x, from, turned, { strides: [x.shape[0], 1] });
  return lowering.texture(turned);
}

/** Operations of the dense definition, a multiply-add counted as two: the same for all three ops. */
function flopsOf({ batch, large, small, kernel: [kh, kw] }: Geometry): number {
  return 2 * batch * small.height * small.width * kh * kw * large.channels * small.channels;
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

/** How many shares a loop is split into: for the loop limit, and to keep the adapter busy. */
function splitsFor({ steps, iterations }: Work, invocations: number, lowering: Lowering): number {
  if (iterations > MAX_ITERATIONS) {
    throw new RangeError(
      `Cannot compute ${lowering.label}: its kernel is ${iterations - 1} wide, at most ` +
        `${MAX_ITERATIONS - 1} are supported. Split the kernel and add the results`,
    );
  }
  const forLimit = Math.ceil(steps * iterations / MAX_ITERATIONS);
  const { parallelism } = lowering.tuning;
  const forBusy = Math.min(Math.floor(parallelism / invocations), Math.floor(steps / 16));
  // With the share rounded down to fit the limit, and no share left empty.
  const most = Math.floor(MAX_ITERATIONS / iterations);
  const share = Math.min(most, Math.ceil(steps / Math.max(1, forLimit, forBusy)));
  return Math.ceil(steps / share);
}

/**
 * Whether 16 x 16 tiles keep the adapter busy with a matrix product from textures; where they do
 * not, its sum is split, which the other kernels can.
 */
function suitsBatchedMatmul(lowering: Lowering, g: Geometry, sizes: BatchedMatmul): boolean {
  return g.large.height * g.large.width * g.kernel[0] * g.kernel[1] === 1 &&
    batchedMatmulTiles(sizes) >= lowering.tuning.parallelism &&
    batchedMatmulIterations(sizes) <= MAX_ITERATIONS;
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
  const variant = choose(lowering, transposed ? "conv2dTranspose" : "conv2d", g);
  if (variant === "winograd") {
    return lowerWinograd(lowering, g, x, w, y, transposed, flopsOf(g));
  }
  const name = chooseConv(variant, g, transposed);
  const { kernel, entryPoint, rows, columns }: Variant = CONV[name];
  const [input, output] = transposed ? [g.small, g.large] : [g.large, g.small];
  if (name === "texture" && !transposed) {
    const [k, n] = [input.channels, output.channels];
    const sizes = { kind: "nn", r: g.batch, k, n, flops: flopsOf(g) } as const;
    if (suitsBatchedMatmul(lowering, g, sizes)) return batchedMatmul(lowering, x, w, y, sizes);
  }
  const pixels = output.height * output.width;
  const columnTiles = Math.ceil(output.channels / columns);
  const constants = geometryConstants(g, input, output);
  if (transposed) constants.TRANSPOSED = 1;

  let workgroups: [number, number, number];
  let invocations: number;
  if (name === "tiled") {
    // Rows are pixels of all images; a transposed convolution has a phase for each stride.
    const [sh, sw] = transposed ? g.strides : [1, 1];
    const phaseRows = g.batch * Math.ceil(output.height / sh) * Math.ceil(output.width / sw);
    const [gx, gy] = grid(Math.ceil(phaseRows / rows) * columnTiles * sh * sw, 1);
    workgroups = [gx, gy, 1];
    invocations = gx * gy * 64;
  } else {
    const tiles = Math.ceil(g.batch / rows) * columnTiles;
    const width = widthFor(tiles);
    constants.WIDTH = width;
    workgroups = grid(Math.ceil(tiles / width) * pixels, 1);
    invocations = tiles * pixels;
  }
  const splits = splitsFor(convWork(name, g, input), invocations, lowering);
  if (splits > 1) constants.SPLITS = splits;
  workgroups[2] = splits;
  const target = splits === 1 ? y : lowering.scratch(splits * y.size, "shares");
  const buffers = name === "direct" || name === "tiled";
  const bindings = {
    x: buffers ? x : name === "pixels" ? batchInnermost(lowering, x) : lowering.texture(x),
    w: buffers ? w : lowering.texture(w),
    [name === "narrow" ? "y_narrow" : "y"]: target,
  };
  lowering.dispatch({ kernel, entryPoint, constants, bindings, workgroups, flops: flopsOf(g) });
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
  const variant = choose(lowering, "conv2dFilterGrad", g);
  if (variant === "winograd") {
    return lowerWinogradFilterGrad(lowering, g, x, dy, dw, flopsOf(g));
  }
  const name = chooseFilterGrad(variant, g);
  const { kernel, rows, columns }: Variant = FILTER_GRAD[name];
  if (name === "texture") {
    const [k, n] = [g.large.channels, g.small.channels];
    const sizes = { kind: "tn", r: g.batch, k, n, flops: flopsOf(g) } as const;
    if (suitsBatchedMatmul(lowering, g, sizes)) return batchedMatmul(lowering, x, dy, dw, sizes);
  }
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
  const splits = splitsFor(filterGradWork(name, g), invocations, lowering);
  if (splits > 1) constants.SPLITS = splits;
  workgroups[2] = splits;
  const target = splits === 1 ? dw : lowering.scratch(splits * dw.size, "shares");
  const buffers = name === "direct" || name === "tiled";
  const bindings = {
    x: buffers ? x : name === "pixels" ? batchInnermost(lowering, x) : lowering.texture(x),
    dy: buffers ? dy : lowering.texture(dy),
    dw: target,
  };
  lowering.dispatch({ kernel, constants, bindings, workgroups, flops: flopsOf(g) });
  if (splits > 1) reduceMiddle(lowering, target, dw, [1, splits, dw.size]);
}
