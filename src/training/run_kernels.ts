/** The kernel choices of a run, which its checkpoints keep: other choices give other bits. */

import { plain } from "../formats/json.ts";
import type { Gpu } from "../graph/gpu.ts";
import { requireTuning, type Tuning } from "../graph/tuning.ts";

/** The choices of a device, and on which adapter they were made, as a checkpoint keeps it. */
export function describeKernels(gpu: Gpu): string {
  return JSON.stringify({ adapter: gpu.info.description, tuning: gpu.tuning });
}

/**
 * Takes over the choices of a checkpoint if it is of this adapter, so that the bits stay the same.
 *
 * @param path what the message calls the checkpoint
 * @returns whether the device's choices changed, and what the user should know
 */
export function adoptKernels(
  gpu: Gpu,
  kernels: string,
  path: string,
): { readonly changed: boolean; readonly message?: string } {
  const current = describeKernels(gpu);
  if (kernels === current) return { changed: false };
  const tuning = tuningOf(kernels, gpu.info.description);
  if (tuning) gpu.tune(tuning);
  const message = tuning
    ? `kernels as in ${path}`
    : `${path} was made with other kernels (${plain(kernels, 4000)}, here ${current}): ` +
      "the run goes on, but not with the same bits";
  return { changed: tuning !== undefined, message };
}

/** The choices that a checkpoint names, unless they are of another adapter or invalid. */
function tuningOf(kernels: string, here: string): Tuning | undefined {
  try {
    const { adapter, tuning: { gemm, parallelism, choices } } = JSON.parse(kernels);
    if (adapter !== here || gemm === undefined || parallelism === undefined) return undefined;
    return requireTuning({ gemm, parallelism, choices });
  } catch {
    return undefined;
  }
}
