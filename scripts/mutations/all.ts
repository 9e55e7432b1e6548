/**
 * Every fault that is planted.
 *
 * @module
 */

import type { Fault } from "./fault.ts";
import { FILES } from "./files.ts";
import { GRAPH } from "./graph.ts";
import { KERNELS } from "./kernels.ts";
import { OPERATIONS } from "./ops.ts";
import { TRAINING } from "./training.ts";

/** By subject, as `docs/testing.md` lists them. */
export const FAULTS: Readonly<Record<string, readonly Fault[]>> = {
  "Convolutions and products": KERNELS,
  "Other kernels, and gradients": OPERATIONS,
  "Recording, fusion, planning and replay": GRAPH,
  "Networks, training, stopping and resuming": TRAINING,
  "Files": FILES,
};
