/**
 * `train`: the tutorial, from the command line.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { type CheckpointPolicy, Gpu, trainDCGAN, type TrainOptions } from "../../mod.ts";
import { CheckpointFolder, readCheckpoint } from "../io/checkpoints.ts";
import { CHECKPOINTS } from "../run_folder.ts";
import { loadData } from "./data.ts";
import {
  describeCommand,
  type Flag,
  oneOf,
  parseFlags,
  positive,
  real,
  type Values,
  whole,
  wholes,
} from "./flags.ts";
import { kernelCacheDir } from "./kernel_cache.ts";
import { standardOutput } from "./progress.ts";
import { JSONReport, PersonReport, type RunReport, SILENCE } from "./run_report.ts";
import { seed } from "./trained.ts";
import { userPath } from "./user_path.ts";

const FLAGS = {
  preset: {
    value: "NAME",
    help: "tutorial: the network and schedule of the TensorFlow tutorial (default)\n" +
      "quick: a smaller network and schedule; digits in minutes without a GPU",
    parse: oneOf("tutorial", "quick"),
  },
  epochs: { value: "N", help: "passes over the data set (50)", parse: whole(1) },
  "max-steps": { value: "N", help: "stop after N steps", parse: whole(1) },
  "batch-size": { value: "N", help: "pictures a step (256)", parse: whole(1) },
  "noise-dim": { value: "N", help: "length of the noise vector (100)", parse: whole(1) },
  "learning-rate": { value: "X", help: "of both Adams (0.0001)", parse: real(0, Infinity) },
  beta1: { value: "X", help: "decay of Adam's first moment (0.9)", parse: real(0, 1) },
  beta2: { value: "X", help: "decay of Adam's second moment (0.999)", parse: real(0, 1) },
  "generator-widths": {
    value: "A,B,C",
    help: "channels of the generator's hidden layers (256,128,64)",
    parse: wholes(3),
  },
  "discriminator-widths": {
    value: "A,B",
    help: "channels of the discriminator's hidden layers (64,128)",
    parse: wholes(2),
  },
  dropout: { value: "X", help: "share of activations to drop (0.3)", parse: real(0, 1) },
  seed: {
    value: "N",
    help:
      "of weights, order, noise and dropout (0); the same seed on\nthe same adapter with the same kernels gives the same bits",
    parse: seed,
  },
  out: {
    value: "DIR",
    help: "where pictures, the GIF and checkpoints go\n(out, or the next free of out-2, out-3 ...)",
  },
  resume: {
    value: "FILE",
    implied: "latest",
    help: "continue the run in --out (or out) from its newest checkpoint,\n" +
      "or from FILE; as if it had never stopped, to the bit, with its\n" +
      "hyperparameters (--epochs and what is written may change)",
  },
  force: {
    help: "start anew in an --out that holds a run, which is removed",
  },
  "checkpoint-every": { value: "N", help: "epochs between checkpoints (15)", parse: whole(1) },
  "checkpoint-minutes": {
    value: "M",
    help: "minutes between checkpoints, instead of epochs; 0.5 are\n30 seconds",
    parse: positive,
  },
  keep: {
    value: "N",
    help: "checkpoints that stay, the newest; the best stays, too (3)",
    parse: whole(1),
  },
  data: {
    value: "DIR",
    help: "folder with MNIST's IDX files, raw or gzip, or with PNG files\n" +
      "(default: MNIST, found or fetched, and verified)",
  },
  "picture-size": {
    value: "H,W",
    help: "of PNG files: scale and crop them to this height and width,\n" +
      "multiples of 4 (default: all must be of one size)",
    parse: wholes(2),
  },
  "no-calibrate": {
    help: "use the default kernels of this kind of adapter; else they are\n" +
      "measured once, for a few seconds, and remembered",
  },
  pictures: { value: "N", help: "pictures a grid (16)", parse: whole(1) },
  "picture-every": { value: "N", help: "write pictures every N steps, too", parse: whole(1) },
  quiet: { help: "say nothing but errors" },
  json: {
    help: "one JSON object a line, for programs: messages, steps, epochs,\npictures, the end",
  },
  help: { help: "this text" },
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "train",
  what: "Train the TensorFlow tutorial's DCGAN on MNIST, or on pictures of your own.",
  flags: FLAGS,
  examples: [
    "train",
    "train --preset quick",
    "train --epochs 5 --seed 7 --out runs/seven",
    "train --out runs/seven --epochs 10 --resume",
    "train --data my-pictures --picture-size 64,64",
    `train --json | grep '"type":"epoch"'`,
  ],
  more:
    "Ctrl-C stops after the step under way and writes a checkpoint; --resume goes on from there.",
});

type Hyperparameters = Omit<TrainOptions, "dataset">;

const PRESETS: Record<"tutorial" | "quick", Hyperparameters> = {
  tutorial: {},
  // The learning rate and beta1 of the DCGAN paper (Radford et al. 2015) learn faster at this size.
  quick: {
    epochs: 3,
    batchSize: 64,
    generatorWidths: [128, 64, 32],
    discriminatorWidths: [32, 64],
    learningRate: 2e-4,
    beta1: 0.5,
    pictureEverySteps: 50,
  },
};

/** Drops what was not given, so that a preset's or the library's value stays. */
function given<T extends object>(options: T): T {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as T;
}

function reportOf({ quiet, json }: Values<typeof FLAGS>, epochs: number): RunReport {
  if (quiet) return SILENCE;
  return json ? new JSONReport(standardOutput()) : new PersonReport(standardOutput(), epochs);
}

interface Place {
  readonly outDir: string;
  readonly resume?: boolean | string;
}

/** The folder of the run and what it resumes. Without --out, a new run gets a folder of its own. */
async function placeOf(out: string | undefined, resume: string | undefined): Promise<Place> {
  if (resume === "latest") return { outDir: userPath(out ?? "out"), resume: true };
  if (resume !== undefined) {
    const path = userPath(resume);
    const run = dirname(dirname(path));
    const inRun = basename(dirname(path)) === CHECKPOINTS;
    return { outDir: out !== undefined || !inRun ? userPath(out ?? "out") : run, resume: path };
  }
  if (out !== undefined) return { outDir: userPath(out) };
  let outDir = userPath("out");
  for (let n = 2; await exists(outDir); n++) {
    outDir = userPath(`out-${n}`);
  }
  return { outDir };
}

/** Hyperparameters of the run that is resumed: they need not be typed again. */
async function resumed(
  { outDir, resume }: Place,
): Promise<Hyperparameters> {
  if (!resume) return {};
  const folder = new CheckpointFolder(join(outDir, CHECKPOINTS));
  // The trainer says which checkpoints it skips.
  const { configuration } = typeof resume === "string"
    ? await readCheckpoint(resume)
    : (await folder.latest(() => {})).checkpoint;
  // These and no others: a file must not set where pictures go, or what else a run can be told.
  return Object.fromEntries(
    INHERITED.filter((name) => Object.hasOwn(configuration, name))
      .map((name) => [name, configuration[name]]),
  ) as Hyperparameters;
}

const INHERITED = [
  "batchSize",
  "noiseDim",
  "learningRate",
  "beta1",
  "beta2",
  "generatorWidths",
  "discriminatorWidths",
  "dropout",
  "seed",
] as const satisfies readonly (keyof Hyperparameters)[];

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs the command. Returns the exit code. */
export async function train(args: readonly string[]): Promise<number> {
  const flags = parseFlags(FLAGS, args);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const place = await placeOf(flags.out, flags.resume);
  const { preset } = flags;
  const options: Hyperparameters & { outDir: string } = {
    ...(preset ? PRESETS[preset] : await resumed(place)),
    ...given<Hyperparameters>({
      epochs: flags.epochs,
      maxSteps: flags["max-steps"],
      batchSize: flags["batch-size"],
      noiseDim: flags["noise-dim"],
      learningRate: flags["learning-rate"],
      beta1: flags.beta1,
      beta2: flags.beta2,
      generatorWidths: flags["generator-widths"],
      discriminatorWidths: flags["discriminator-widths"],
      dropout: flags.dropout,
      seed: flags.seed,
      pictureCount: flags.pictures,
      pictureEverySteps: flags["picture-every"],
    }),
    ...place,
    overwrite: flags.force === true,
    calibrate: flags["no-calibrate"] ? false : { cacheDir: kernelCacheDir() },
    checkpoint: given<CheckpointPolicy>({
      everyEpochs: flags["checkpoint-every"],
      everyMinutes: flags["checkpoint-minutes"],
      keep: flags.keep,
    }),
    command: ["train", ...args],
  };

  const report = reportOf(flags, options.epochs ?? 50);
  using gpu = await Gpu.request();
  report.message(`adapter  ${gpu.info.description || gpu.info.vendor} (${gpu.kind})`);
  const dataset = await loadData(flags, (text) => report.message(`data     ${text}`));
  report.message(`out      ${options.outDir}`);

  const stop = new AbortController();
  let interrupts = 0;
  const onInterrupt = () => {
    if (++interrupts > 1) Deno.exit(130);
    report.message("stopping after this step; Ctrl-C again to stop at once");
    stop.abort();
  };
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    const result = await trainDCGAN({
      ...options,
      gpu,
      dataset,
      signal: stop.signal,
      onStep: (event) => report.step(event),
      onEpoch: (event) => report.epoch(event),
      onPicture: (event) => report.picture(event),
      onMessage: (text) => report.message(text),
    });
    report.end(result);
    return result.aborted ? 130 : 0;
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}
