/**
 * Which kernel computes a GEMM-like op. Convolutions, transposed convolutions, filter gradients and
 * matrix products all end here.
 */

import type { Lowering } from "../../graph/lower.ts";
import type { GemmUse, GemmVariant } from "../../graph/tuning.ts";
import {
  type BatchedMatmul,
  batchedMatmul,
  batchedMatmulIterations,
  batchedMatmulTiles,
} from "./batched_matmul.ts";
import { direct } from "./direct.ts";
import type { Geometry, Side } from "./geometry.ts";
import { flopsOf, type Gemm, type Launch, launch, MAX_ITERATIONS } from "./launch.ts";
import { texture } from "./texture.ts";
import { tiled, tilesWaste } from "./tiled.ts";
import { lowerWinograd, winogradFits, winogradTiles } from "./winograd.ts";

/** Emits the dispatches that compute an op, by the kernels that the tuning asks for. */
export function lowerGemm(lowering: Lowering, gemm: Gemm): void {
  const { kind, geometry } = gemm;
  const key = keyOf(kind, geometry);
  lowering.gemms.set(key, { key, kind, geometry, flops: flopsOf(geometry) });
  const { gemm: preset, choices } = lowering.tuning;
  const variant = resolveVariant(choices?.[key] ?? preset, geometry);
  if (variant === "winograd") return lowerWinograd(lowering, gemm);
  const product = variant === "texture" && matrixProductOf(gemm);
  if (product && suitsBatchedMatmul(lowering, product)) {
    return batchedMatmul(lowering, gemm.x, gemm.w, gemm.y, product);
  }
  launch(lowering, gemm, chooseKernel(variant, gemm));
}

/** Below this many operations or tiles, transforms (above all the kernel's) cost what they save. */
const WINOGRAD_FLOPS = 3e8;
const WINOGRAD_TILES = 64;

/** The variant that really computes an op where this one is asked for. */
export function resolveVariant(variant: GemmVariant, g: Geometry): Exclude<GemmVariant, "auto"> {
  if (variant === "tiled" || variant === "direct" || variant === "texture") return variant;
  const wanted = variant === "winograd" ||
    (flopsOf(g) >= WINOGRAD_FLOPS && winogradTiles(g) >= WINOGRAD_TILES);
  return wanted && winogradFits(g) ? "winograd" : "texture";
}

/** The kernel of a variant, or the direct one where that cannot compute the op. */
export function chooseKernel(variant: "texture" | "tiled" | "direct", gemm: Gemm): Launch {
  let how: Launch | undefined;
  if (variant === "texture") how = texture(gemm);
  if (variant === "tiled" && !tilesWaste(gemm)) how = tiled(gemm);
  return how && how.iterations <= MAX_ITERATIONS ? how : direct(gemm);
}

/** The matrix product, of rows in fours, that an op of 1 x 1 images is. */
function matrixProductOf({ kind, geometry: g }: Gemm): BatchedMatmul | undefined {
  const pixels = g.large.height * g.large.width * g.kernel[0] * g.kernel[1];
  const [r, k, n] = [g.batch, g.large.channels, g.small.channels];
  if (pixels !== 1 || kind === "conv2dTranspose" || k % 4 || n % 4) return undefined;
  return { kind: kind === "conv2d" ? "nn" : "tn", r, k, n, flops: flopsOf(g) };
}

/** Whether 16 x 16 tiles keep the adapter busy; where not, the other kernels can split the sum. */
function suitsBatchedMatmul(lowering: Lowering, product: BatchedMatmul): boolean {
  return batchedMatmulTiles(product) >= lowering.tuning.parallelism &&
    batchedMatmulIterations(product) <= MAX_ITERATIONS;
}

/** Names an op and its sizes. */
function keyOf(kind: GemmUse["kind"], g: Geometry): string {
  const side = (s: Side) => `${s.height}x${s.width}x${s.channels}`;
  const pair = ([a, b]: readonly [number, number]) => a === b ? `${a}` : `${a}x${b}`;
  const padding = g.pad[0] + g.pad[1] > 0 ? ` pad ${pair(g.pad)}` : "";
  return `${kind} ${g.batch}x${side(g.large)} ${g.kernel.join("x")} / ${
    pair(g.strides)
  }${padding} -> ${side(g.small)}`;
}
