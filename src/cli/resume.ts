/**
 * Which run `train` begins or resumes, and with which options.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import type { Position } from "../../mod.ts";
import { readCheckpoint, SUPERSEDED } from "../files/checkpoints.ts";
import { kindOf } from "../files/kind.ts";
import { CHECKPOINTS, checkpointsOf } from "../files/run_folder.ts";
import { readRunRecord } from "../files/run_record.ts";
import { commandsIn } from "../formats/run_record.ts";
import { hyperparametersOf } from "../training/hyperparameters.ts";
import { newProgram, UsageError } from "./flags.ts";
import {
  given,
  optionsIn,
  PRESETS,
  type RunOptions,
  type TrainFlags,
  trainFlags,
} from "./train_flags.ts";
import { path } from "./values.ts";

/** Where a run is written, and what it resumes. */
export interface Place {
  /** Undefined for a new run that gets a folder of its own. */
  readonly outDir?: string;
  readonly resume?: boolean | string;
}

/** The folder of the run and what it resumes, by the flags of those names. */
export async function placeOf(out?: string, resume?: string | true): Promise<Place> {
  if (resume === undefined) return { outDir: out };
  if (resume === true) return { outDir: out ?? path("out"), resume };
  if (await kindOf(resume) === "directory") {
    if (out === undefined) return { outDir: resume, resume: true };
    throw new UsageError(`--resume ${resume} is the folder of a run: leave out --out`);
  }
  let folder = dirname(resume);
  if (basename(folder) === SUPERSEDED) folder = dirname(folder);
  const run = basename(folder) === CHECKPOINTS ? dirname(folder) : path("out");
  return { outDir: out ?? run, resume };
}

/** Makes the first of `out`, `out-2`, `out-3` ... that is free; runs that begin at once get one each. */
export async function claimFolder(): Promise<string> {
  for (let n = 1;; n++) {
    const dir = path(n === 1 ? "out" : `out-${n}`);
    try {
      await Deno.mkdir(dir);
      return dir;
    } catch (error) {
      // Where it cannot be made, the run fails with the reason and a way out.
      if (!(error instanceof Deno.errors.AlreadyExists)) return dir;
    }
  }
}

/** Old names of flags of `train`. */
export function renamed(args: readonly string[]): string[] {
  return args.map((arg) => arg.replace(/^--picture(s|-every|-size)(?==|$)/, "--image$1"));
}

/**
 * Options of the run that is resumed: they need not be typed again.
 *
 * @param maxSteps the limit that was given anew
 */
export async function optionsOfRun(
  { outDir, resume }: Place,
  maxSteps: number | undefined,
  say: (text: string) => void,
): Promise<RunOptions> {
  if (!resume) return {};
  // The library reports which checkpoints it skips.
  const { path, checkpoint } = typeof resume === "string"
    ? { path: resume, checkpoint: await readCheckpoint<Position>(resume) }
    : await checkpointsOf(outDir!).latest<Position>(() => {});
  const { maxSteps: limit, ...schedule } = await scheduleOf(outDir!);
  const { steps } = checkpoint.position;
  const reached = limit !== undefined && steps >= limit;
  if (reached && maxSteps === undefined) {
    say(
      `limit    the run has reached its --max-steps ${limit}: it goes on to the end of its epochs`,
    );
  }
  return {
    ...schedule,
    ...(reached ? {} : given({ maxSteps: limit })),
    ...hyperparametersOf(checkpoint.configuration, path),
  };
}

/**
 * How long the run was to go on and how often it was to show images, by the commands in its record:
 * a checkpoint does not have that, and a run of three epochs that is resumed is not one of fifty.
 */
async function scheduleOf(outDir: string): Promise<RunOptions> {
  let schedule: RunOptions = {};
  const record = await readRunRecord(outDir);
  for (const [name, ...args] of record ? commandsIn(record) : []) {
    if (name !== "train") continue;
    const command = trainFlags(
      newProgram().configureOutput({ writeOut: () => {}, writeErr: () => {} }),
    );
    let flags: TrainFlags;
    try {
      flags = command.parse(renamed(args), { from: "user" }).opts();
    } catch {
      continue; // Of another version, or not a command of this program.
    }
    const { epochs, imageEverySteps } = flags.preset ? PRESETS[flags.preset] : schedule;
    schedule = { ...schedule, epochs, imageEverySteps, ...optionsIn(flags) };
  }
  const { epochs, maxSteps, imageCount, imageEverySteps } = schedule;
  return given<RunOptions>({ epochs, maxSteps, imageCount, imageEverySteps });
}
