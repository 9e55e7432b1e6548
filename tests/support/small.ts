/** A device, and a run on it that takes a second or two. */

import { Gpu, type TrainOptions } from "../../mod.ts";
import { SMALL as ENDLESS } from "./dataset.ts";

export const gpu = await Gpu.request();

/** Three epochs of five steps. */
export const SMALL = { ...ENDLESS, gpu, epochs: 3 } satisfies TrainOptions;
