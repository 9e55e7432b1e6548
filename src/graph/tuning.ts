/**
 * A setting of `Gpu` that says how GEMM-like ops are computed there. The graph only checks it and
 * carries it to the ops: `ops/gemm/choose.ts` chooses the kernels by it. It stands in this room
 * because `Gpu` refuses a wrong setting at once, and nothing here imports from `ops/`.
 */

import type { AdapterKind } from "../gpu/adapter.ts";

/**
 * Variants of the kernels for GEMM-like ops: "direct" suits any shape, "tiled" is for GPUs,
 * "texture" for software adapters, "winograd" is "texture" with fewer multiplications where the
 * shape allows it, and "auto" is "winograd" where that pays and "texture" elsewhere.
 */
export type GemmVariant = "auto" | "winograd" | "texture" | "tiled" | "direct";

/** Choices that do not change what is computed, only how: results differ by rounding. */
export interface Tuning {
  /** The variant for all GEMM-like ops. */
  readonly gemm: GemmVariant;
  /** Other variants for single ops, by {@linkcode GemmUse.key}; `calibrate` measures them. */
  readonly choices?: Readonly<Record<string, GemmVariant>>;
  /** Invocations that keep the adapter busy: long sums are split to reach it. */
  readonly parallelism: number;
}

/** A GEMM-like op of a program. */
export interface GemmUse {
  /** Names the op and its sizes: `conv2d 256x14x14x64 5x5 / 2 -> 7x7x128`. */
  readonly key: string;
  /** What it computes. */
  readonly kind: "conv2d" | "conv2dTranspose" | "conv2dFilterGrad";
  /** Its sizes, a `Geometry` of `ops/gemm/geometry.ts`. */
  readonly geometry: unknown;
  /** Operations of the dense definition. */
  readonly flops: number;
}

/** Good settings for each kind of adapter; docs/kernels.md says why. */
export const TUNING: Readonly<Record<AdapterKind, Tuning>> = {
  software: { gemm: "auto", parallelism: 1024 },
  gpu: { gemm: "tiled", parallelism: 65536 },
};

const VARIANTS: readonly unknown[] = ["auto", "winograd", "texture", "tiled", "direct"];

/**
 * Refuses invalid settings: they may come from a file.
 *
 * @throws {RangeError} naming the value.
 */
export function requireTuning<T extends Partial<Tuning>>(tuning: T): T {
  const { gemm, parallelism, choices = {} } = tuning;
  const refuse = (what: string, value: unknown) => {
    throw new RangeError(`Kernel choices cannot have ${what} ${JSON.stringify(value)}`);
  };
  if (gemm !== undefined && !VARIANTS.includes(gemm)) refuse("the variant", gemm);
  if (parallelism !== undefined && !(Number.isInteger(parallelism) && parallelism > 0)) {
    refuse("a parallelism of", parallelism);
  }
  if (typeof choices !== "object" || choices === null) refuse("the choices", choices);
  for (const choice of Object.values(choices)) {
    if (!VARIANTS.includes(choice)) refuse("the choice", choice);
  }
  return tuning;
}
