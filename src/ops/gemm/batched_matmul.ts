/**
 * A batch of matrix products of the same sizes, operands in storage textures: one product, or one
 * for each point of Winograd's transform.
 */

import code from "../../kernels/batched_matmul.wgsl" with { type: "text" };
import { kernel } from "../../gpu/shader.ts";
import { grid, type Lowering, type Storage } from "../../graph/lower.ts";
import type { Tensor } from "../../graph/tensor.ts";

const matmulKernel = kernel("batched_matmul", code);

/** Rows and columns that one invocation computes. */
const TILE = 16;

/** Sizes of the products. */
export interface BatchedMatmul {
  /** Which products: of [r, k] with [k, n], or of [r, k] transposed with [r, n]. */
  readonly kind: "nn" | "tn";
  /** How many products. Default 1. */
  readonly batch?: number;
  readonly r: number;
  /** A multiple of four, as n is. */
  readonly k: number;
  readonly n: number;
  /** With "tn": whether the products are added to what y holds. Default false. */
  readonly accumulate?: boolean;
  /** Operations of the dense definition, for the profiler. */
  readonly flops: number;
}

/** Tiles of the results: one invocation computes one. */
export function batchedMatmulTiles({ kind, batch = 1, r, k, n }: BatchedMatmul): number {
  return batch * Math.ceil((kind === "tn" ? k : r) / TILE) * Math.ceil(n / TILE);
}

/** Iterations of one invocation's loop. */
export function batchedMatmulIterations({ kind, r, k }: BatchedMatmul): number {
  return kind === "tn" ? Math.ceil(r / 4) : k / 4;
}

/** Emits y = x * w for each product of the batch. */
export function batchedMatmul(
  lowering: Lowering,
  x: Tensor | Storage,
  w: Tensor | Storage,
  y: Tensor | Storage,
  sizes: BatchedMatmul,
): void {
  const { kind, batch = 1, r, k, n, accumulate = false, flops } = sizes;
  lowering.dispatch({
    kernel: matmulKernel,
    entryPoint: kind,
    constants: {},
    bindings: {
      x: lowering.texture(x),
      w: lowering.texture(w),
      y,
      sizes: lowering.constant([batch, r, k, n, Number(accumulate)], "sizes"),
    },
    workgroups: grid(batchedMatmulTiles(sizes), 64),
    flops,
    detail: batch > 1 ? "at points" : undefined,
  });
}
