/**
 * A small run in a process of its own, to be killed:
 *
 *   deno run tests/support/train_worker.ts DIR MAX_STEPS [resume|overwrite]
 *
 * Writes a checkpoint after every step, and prints its path; images after every third.
 */

import { trainDCGAN } from "../../mod.ts";
import { SMALL } from "./dataset.ts";

const [outDir, maxSteps, how] = Deno.args;
console.log("began");
using _run = await trainDCGAN({
  ...SMALL,
  maxSteps: Number(maxSteps),
  outDir,
  checkpoint: { everyMinutes: 1e-9, keep: 3 },
  imageEverySteps: 3,
  resume: how === "resume",
  overwrite: how === "overwrite",
  onMessage: (text) => console.log(text),
});
console.log("done");
