/**
 * `train`: the tutorial, from the command line.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { type CheckpointPolicy, Gpu, trainDCGAN, type TrainOptions } from "../../mod.ts";
import { hyperparametersOf } from "../training/hyperparameters.ts";
import { CheckpointFolder, readCheckpoint, SUPERSEDED } from "../files/checkpoints.ts";
import { MOST_IMAGES, mostImages } from "../formats/grid.ts";
import { readRunRecord } from "../files/run_record.ts";
import { commandsIn } from "../formats/run_record.ts";
import { CHECKPOINTS } from "../files/run_folder.ts";
import { loadData } from "./data.ts";
import {
  describeCommand,
  type Flag,
  oneOf,
  parseFlags,
  positive,
  real,
  UsageError,
  type Values,
  whole,
  wholes,
} from "./flags.ts";
import { kernelCacheDir } from "./kernel_cache.ts";
import { type Output, standardOutput, untilGone } from "./progress.ts";
import { JSONReport, PersonReport, type RunReport, SILENCE } from "./run_report.ts";
import { seed } from "./trained.ts";
import { exists, userPath } from "./user_path.ts";

const FLAGS = {
  preset: {
    value: "NAME",
    help: "tutorial: the network and schedule of the TensorFlow tutorial (default)\n" +
      "quick: a smaller network and schedule; digits in minutes without a GPU",
    parse: oneOf("tutorial", "quick"),
  },
  epochs: { value: "N", help: "passes over the data set (50)", parse: whole(1) },
  "max-steps": { value: "N", help: "stop after N steps", parse: whole(1) },
  "batch-size": { value: "N", help: "images a step (256)", parse: whole(1) },
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
    help: "where images, the GIF and checkpoints go\n(out, or the next free of out-2, out-3 ...)",
  },
  resume: {
    value: "FILE",
    implied: "latest",
    help: "continue the run in --out (or out) from its newest checkpoint,\n" +
      "or from FILE, a checkpoint or the folder of a run; as if it had\n" +
      "never stopped, to the bit, with its hyperparameters, epochs and\n" +
      "images (--epochs and what is written may change)",
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
  "image-size": {
    value: "H,W",
    help: "of PNG files: scale and crop them to this height and width,\n" +
      "multiples of 4 (default: all must be of one size)",
    parse: wholes(2),
  },
  "non-finite": {
    value: "WHAT",
    help: "when a loss or weight is NaN or infinite: stop, saying where it\n" +
      "began (default), or warn",
    parse: oneOf("stop", "warn"),
  },
  "no-calibrate": {
    help: "use the default kernels of this kind of adapter; else they are\n" +
      "measured once, for a few seconds, and remembered",
  },
  images: { value: "N", help: "images a grid (16)", parse: whole(1, MOST_IMAGES) },
  "image-every": { value: "N", help: "write images every N steps, too", parse: whole(1) },
  quiet: { help: "say nothing but errors" },
  json: {
    help: "one JSON object a line, for programs: messages, steps, epochs,\nimages, the end",
  },
  help: { help: "this text" },
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "train",
  what: "Train the TensorFlow tutorial's DCGAN on MNIST, or on images of your own.",
  flags: FLAGS,
  examples: [
    "train",
    "train --preset quick",
    "train --epochs 5 --seed 7 --out runs/seven",
    "train --out runs/seven --epochs 10 --resume",
    "train --data my-images --image-size 64,64",
    `train --json | grep '"type":"epoch"'`,
  ],
  more:
    "Ctrl-C stops after the step under way and writes a checkpoint; --resume goes on from there. So do\n" +
    "SIGTERM and the end of the terminal (SIGHUP), from which nohup does not keep a Deno program: begin\n" +
    "it with setsid, or in tmux.",
});

type RunOptions = Omit<TrainOptions, "dataset">;

const PRESETS: Record<"tutorial" | "quick", RunOptions> = {
  tutorial: {},
  // The learning rate and beta1 of the DCGAN paper (Radford et al. 2015) learn faster at this size.
  quick: {
    epochs: 3,
    batchSize: 64,
    generatorWidths: [128, 64, 32],
    discriminatorWidths: [32, 64],
    learningRate: 2e-4,
    beta1: 0.5,
    imageEverySteps: 50,
  },
};

/** Drops what was not given, so that a preset's or the library's value stays. */
function given<T extends object>(options: T): T {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as T;
}

function reportOf({ quiet, json }: Values<typeof FLAGS>, epochs: number, out: Output): RunReport {
  if (quiet) return SILENCE;
  return json ? new JSONReport(out) : new PersonReport(out, epochs);
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
    if (await isFolder(path)) {
      if (out === undefined) return { outDir: path, resume: true };
      throw new UsageError(`--resume ${resume} is the folder of a run: leave out --out`);
    }
    let folder = dirname(path);
    if (basename(folder) === SUPERSEDED) folder = dirname(folder);
    const inRun = basename(folder) === CHECKPOINTS;
    const outDir = out !== undefined || !inRun ? userPath(out ?? "out") : dirname(folder);
    return { outDir, resume: path };
  }
  if (out !== undefined) return { outDir: userPath(out) };
  let outDir = userPath("out");
  for (let n = 2; await exists(outDir); n++) {
    outDir = userPath(`out-${n}`);
  }
  return { outDir };
}

async function isFolder(path: string): Promise<boolean> {
  return await exists(path) && (await Deno.stat(path)).isDirectory;
}

/** Options of the run that is resumed: they need not be typed again. */
async function resumed({ outDir, resume }: Place): Promise<RunOptions> {
  if (!resume) return {};
  const folder = new CheckpointFolder(join(outDir, CHECKPOINTS));
  // The trainer says which checkpoints it skips.
  const { path, checkpoint } = typeof resume === "string"
    ? { path: resume, checkpoint: await readCheckpoint(resume) }
    : await folder.latest(() => {});
  return { ...await scheduleOf(outDir), ...hyperparametersOf(checkpoint.configuration, path) };
}

/**
 * How long the run was to go on and how often it was to show images, by the commands in its record:
 * a checkpoint does not say, and a run of three epochs that is resumed is not one of fifty.
 */
async function scheduleOf(outDir: string): Promise<RunOptions> {
  let schedule: RunOptions = {};
  const record = await readRunRecord(outDir);
  for (const [name, ...args] of record ? commandsIn(record) : []) {
    if (name !== "train") continue;
    let flags: Values<typeof FLAGS>;
    try {
      flags = parseFlags(FLAGS, args);
    } catch {
      continue; // Of another version, or nobody's.
    }
    const { epochs, imageEverySteps } = flags.preset ? PRESETS[flags.preset] : schedule;
    schedule = given({
      epochs: flags.epochs ?? epochs,
      imageCount: flags.images ?? schedule.imageCount,
      imageEverySteps: flags["image-every"] ?? imageEverySteps,
    });
  }
  return schedule;
}

/** Exit codes of runs that were stopped, by the custom of shells. */
const STOPPED = { SIGINT: 130, SIGBREAK: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Signals that ask a run to stop; Windows has no others to listen to. */
const SIGNALS: readonly (keyof typeof STOPPED)[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Calls back at the first signal that asks a run to stop; at the second the process ends.
 *
 * @returns what the listeners are removed with
 */
function listen(onSignal: (code: number) => void): Disposable {
  let heard = false;
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      if (heard) Deno.exit(STOPPED[signal]);
      heard = true;
      onSignal(STOPPED[signal]);
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  return { [Symbol.dispose]: () => listeners.forEach((remove) => remove()) };
}

/** Runs the command. Returns the exit code. */
export async function train(args: readonly string[]): Promise<number> {
  const flags = parseFlags(FLAGS, args);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  if (flags.force && flags.resume !== undefined) {
    throw new UsageError("--resume goes on with a run and --force removes it: leave out one");
  }
  const place = await placeOf(flags.out, flags.resume);
  const { preset } = flags;
  const options: RunOptions & { outDir: string; imageCount?: number } = {
    ...(preset ? PRESETS[preset] : await resumed(place)),
    ...given<RunOptions>({
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
      imageCount: flags.images,
      imageEverySteps: flags["image-every"],
      onNonFinite: flags["non-finite"],
    }),
    ...place,
    overwrite: flags.force === true,
    checkpoint: given<CheckpointPolicy>({
      everyEpochs: flags["checkpoint-every"],
      everyMinutes: flags["checkpoint-minutes"],
      keep: flags.keep,
    }),
    command: ["train", ...args],
  };

  const stop = new AbortController();
  // `| head` has seen enough, or Ctrl-C ended `| tee`, too: there is a checkpoint all the same.
  const out = untilGone(standardOutput(), () => stop.abort());
  const report = reportOf(flags, options.epochs ?? 50, out);
  // The first is requested before the data is loaded; the trainer asks for another if it is lost.
  let first: Gpu | undefined = await Gpu.request();
  report.message(`adapter  ${first.info.description || first.info.vendor} (${first.info.kind})`);
  const gpu = async () => {
    const next = first ?? await Gpu.request();
    first = undefined;
    return next;
  };
  const dataset = await loadData(flags, (text) => report.message(`data     ${text}`));
  // A record must not stop the run: what it says of images counts as far as they can be made.
  const most = mostImages(dataset.height, dataset.width);
  if (flags.images === undefined && (options.imageCount ?? 0) > most) {
    options.imageCount = most;
  }
  report.message(`out      ${options.outDir}`);

  let stopped: number = STOPPED.SIGINT;
  using _listeners = listen((code) => {
    stopped = code;
    stop.abort(); // Before anything is written: the terminal may be gone.
    report.message("stopping after this step; Ctrl-C again to stop at once");
  });
  try {
    using result = await trainDCGAN({
      ...options,
      calibrate: flags["no-calibrate"]
        ? false
        : { cacheDir: kernelCacheDir((text) => report.message(text)) },
      gpu,
      dataset,
      signal: stop.signal,
      onStep: (event) => report.step(event),
      onEpoch: (event) => report.epoch(event),
      onImage: (event) => report.image(event),
      onMessage: (text) => report.message(text),
    });
    report.end(result);
    return result.aborted ? stopped : 0;
  } finally {
    first?.[Symbol.dispose]();
  }
}
