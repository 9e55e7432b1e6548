/**
 * The kernel choices of a run, as its checkpoints keep them.
 *
 * @module
 */

import type { Gpu } from "../graph/gpu.ts";
import { requireTuning, type Tuning } from "../graph/tuning.ts";

/** The kernel choices of a run: what they are, and where they were made. */
export function describeKernels(gpu: Gpu): string {
  return JSON.stringify({ adapter: gpu.info.description, tuning: gpu.tuning });
}

/** The kernel choices that a checkpoint names; nothing if they are of another adapter, or none. */
export function tuningOf(kernels: string, here: string): Tuning | undefined {
  try {
    const { adapter, tuning: { gemm, parallelism, choices } } = JSON.parse(kernels);
    if (adapter !== here || gemm === undefined || parallelism === undefined) return undefined;
    return requireTuning({ gemm, parallelism, choices });
  } catch {
    return undefined;
  }
}
