/**
 * How a kernel is launched for a GEMM-like op: `direct.ts`, `tiled.ts` and `texture.ts` describe
 * it, and `launch` splits the sum where it must and dispatches.
 */

import type { Kernel } from "../../gpu/shader.ts";
import { grid, type Lowering, type Operand } from "../../graph/lower.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { GemmUse } from "../../graph/tuning.ts";
import { reduceMiddle } from "../reduce.ts";
import type { Geometry, Side } from "./geometry.ts";

/** One of the three ops of `ops/conv.ts`, to be computed. */
export interface Gemm {
  readonly kind: GemmUse["kind"];
  readonly geometry: Geometry;
  /** The images that are read: the large side, or for a transposed convolution the small side. */
  readonly x: Tensor;
  /** The kernel, or for a filter gradient the images of the small side. */
  readonly w: Tensor;
  /** The result. */
  readonly y: Tensor;
}

/** A kernel and how it computes an op. */
export interface Launch {
  readonly kernel: Kernel;
  readonly entryPoint?: string;
  readonly constants: Readonly<Record<string, number>>;
  /** Workgroups along x and y of one split; splits count along z. */
  readonly workgroups: readonly [number, number, number];
  /** Invocations of one split. */
  readonly invocations: number;
  /** The loop of one invocation: steps that may be split ... */
  readonly steps: number;
  /** ... and the iterations of one step. */
  readonly iterations: number;
  /** Binds what the kernel reads; this may emit copies. */
  readonly operands: (lowering: Lowering) => Readonly<Record<string, Operand>>;
  /** The binding of the result. */
  readonly result: string;
}

/**
 * Most loop iterations of one invocation. Some software adapters stop an invocation after 65,535
 * without a word; longer sums are split.
 */
export const MAX_ITERATIONS = 16000;

/** Dispatches a kernel; where it splits the sum, adds the splits up in a fixed order. */
export function launch(lowering: Lowering, gemm: Gemm, how: Launch): void {
  const { kernel, entryPoint, workgroups: [columns, rows], result } = how;
  const splits = splitsFor(how, lowering);
  const { y } = gemm;
  const target = splits === 1 ? y : lowering.scratch(splits * y.size, "splits");
  lowering.dispatch({
    kernel,
    entryPoint,
    constants: splits === 1 ? how.constants : { ...how.constants, SPLITS: splits },
    bindings: { ...how.operands(lowering), [result]: target },
    workgroups: [columns, rows, splits],
    flops: flopsOf(gemm.geometry),
  });
  if (splits > 1) reduceMiddle(lowering, target, y, [1, splits, y.size]);
}

/** How many splits a sum needs: for the loop limit, and to keep the adapter busy. */
function splitsFor({ steps, iterations, invocations }: Launch, lowering: Lowering): number {
  if (iterations > MAX_ITERATIONS) {
    throw new RangeError(
      `Cannot compute ${lowering.label}: its kernel is ${iterations - 1} wide, at most ` +
        `${MAX_ITERATIONS - 1} are supported. Split the kernel and add the results`,
    );
  }
  const forLimit = Math.ceil(steps * iterations / MAX_ITERATIONS);
  const { parallelism } = lowering.tuning;
  const forBusy = Math.min(Math.floor(parallelism / invocations), Math.floor(steps / 16));
  // A split is as long as the limit allows at most, and none is empty.
  const most = Math.floor(MAX_ITERATIONS / iterations);
  const length = Math.min(most, Math.ceil(steps / Math.max(1, forLimit, forBusy)));
  return Math.ceil(steps / length);
}

/** Operations of the dense definition, a multiply-add counted as two: the same for all three ops. */
export function flopsOf({ batch, large, small, kernel: [kh, kw] }: Geometry): number {
  return 2 * batch * small.height * small.width * kh * kw * large.channels * small.channels;
}

/** The side that an op reads as x, and the one that it writes, or reads as w. */
export function sidesOf({ kind, geometry: { large, small } }: Gemm): { input: Side; output: Side } {
  return kind === "conv2dTranspose"
    ? { input: small, output: large }
    : { input: large, output: small };
}

/** The constants that all kernels of convolutions and filter gradients declare. */
export function constantsOf(gemm: Gemm): Record<string, number> {
  const { batch, kernel, strides, pad } = gemm.geometry;
  const { input, output } = sidesOf(gemm);
  return {
    BATCH: batch,
    IN_H: input.height,
    IN_W: input.width,
    IN_C: input.channels,
    OUT_H: output.height,
    OUT_W: output.width,
    OUT_C: output.channels,
    KERNEL_H: kernel[0],
    KERNEL_W: kernel[1],
    STRIDE_H: strides[0],
    STRIDE_W: strides[1],
    PAD_H: pad[0],
    PAD_W: pad[1],
    ...(gemm.kind === "conv2dTranspose" ? { TRANSPOSED: 1 } : {}),
  };
}

/**
 * A grid in which each workgroup's tiles belong to one of `places`: WIDTH tiles a workgroup, a
 * multiple of 16, at most 64.
 */
export function tilesPerPlace(gemm: Gemm, tiles: number, places: number) {
  const WIDTH = Math.min(64, Math.ceil(tiles / 16) * 16);
  return {
    constants: { ...constantsOf(gemm), WIDTH },
    workgroups: grid(Math.ceil(tiles / WIDTH) * places, 1),
    invocations: tiles * places,
  };
}
