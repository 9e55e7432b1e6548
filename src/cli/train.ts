/**
 * `train`: the tutorial, from the command line.
 *
 * @module
 */

import { relative } from "node:path";
import { Gpu, trainDCGAN } from "../../mod.ts";
import { mostImages } from "../formats/grid.ts";
import { kernelCacheDir } from "./calibrate.ts";
import { loadData } from "./data.ts";
import { type Command, Exit, newCommand, PROGRAM, UsageError } from "./flags.ts";
import { RunReport, standardOutput, untilGone } from "./report.ts";
import { claimFolder, optionsOfRun, placeOf } from "./resume.ts";
import { optionsIn, PRESETS, type RunOptions, type TrainFlags, trainFlags } from "./train_flags.ts";
import { path } from "./values.ts";

/** Images that `--preset quick` trains on, with repetitions: three epochs of MNIST. */
const QUICK_IMAGES = 3 * 60_000;

/** Exit codes of runs that were stopped, by the custom of shells. */
const STOPPED = { SIGINT: 130, SIGBREAK: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Signals that ask a run to stop; Windows has no others to listen to. */
const SIGNALS: readonly (keyof typeof STOPPED)[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Calls back at the first signal that asks a run to stop; the second one ends the process.
 *
 * @returns what the listeners are removed with
 */
function listen(onSignal: (code: number) => void): Disposable {
  let signaled = false;
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      if (signaled) Deno.exit(STOPPED[signal]);
      signaled = true;
      onSignal(STOPPED[signal]);
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  return { [Symbol.dispose]: () => listeners.forEach((remove) => remove()) };
}

/**
 * Adds the command.
 *
 * @param typed the whole command line, for the record of the run
 */
export function addTrain(program: Command, typed: readonly string[]): void {
  const command = newCommand(program, "train", {
    what: "Train the TensorFlow tutorial's DCGAN on MNIST, or on images of your own.",
    examples: [
      "train",
      "train --preset quick",
      "train --epochs 5 --seed 7 --out runs/seven",
      "train --out runs/seven --epochs 10 --resume",
      "train --data my-images --image-size 64,64",
      `train --json | grep '"type":"epoch"'`,
    ],
    more:
      "Ctrl-C, SIGTERM and SIGHUP (a closed terminal) stop the run after the current step, with a\n" +
      "checkpoint; --resume goes on from there. nohup does not protect a Deno program from SIGHUP:\n" +
      "start it with setsid, or in tmux.",
  });
  trainFlags(command).action((flags) => train(flags, typed));
}

async function train(flags: TrainFlags, typed: readonly string[]): Promise<void> {
  if (flags.force && flags.resume !== undefined) {
    throw new UsageError("--resume goes on with a run and --force removes it: leave out one");
  }
  const stop = new AbortController();
  // `| head` has seen enough, or Ctrl-C ended `| tee`, too: there is a checkpoint all the same.
  const out = untilGone(standardOutput(), () => stop.abort());
  const report = new RunReport(out, flags);
  const message = (text: string) => report.message(text);

  const place = await placeOf(flags.out, flags.resume);
  const preset = flags.preset && PRESETS[flags.preset];
  const options: RunOptions = {
    ...(preset ?? await optionsOfRun(place, flags.maxSteps, message)),
    ...optionsIn(flags),
  };
  // The first is requested before the data is loaded; the library asks for another if it is lost.
  let first: Gpu | undefined = await Gpu.request();
  message(`adapter  ${first.info.description || first.info.vendor} (${first.info.kind})`);
  const gpu = async () => {
    const next = first ?? await Gpu.request();
    first = undefined;
    return next;
  };
  const dataset = await loadData(flags, (text) => message(`data     ${text}`));
  // The record of a run must not stop it: it may ask for more images than can be made of this data.
  const most = mostImages(dataset.height, dataset.width);
  const imageCount = flags.images ?? Math.min(options.imageCount ?? 16, most);
  const command = [...typed];
  let { epochs } = options;
  if (flags.preset === "quick" && flags.epochs === undefined) {
    epochs = Math.max(1, Math.round(QUICK_IMAGES / dataset.count));
    if (epochs !== options.epochs) {
      const steps = Math.ceil(dataset.count / options.batchSize!);
      message(
        `preset   quick trains on ${QUICK_IMAGES} images: ${epochs} epochs of ${steps} steps here`,
      );
      command.push(`--epochs=${epochs}`); // For a resume, which has no data set to count yet.
    }
  }
  report.epochs = epochs ?? 50;
  const outDir = place.outDir ?? await claimFolder();
  message(`out      ${outDir}`);

  let stopped: number = STOPPED.SIGINT;
  using _listeners = listen((code) => {
    stopped = code;
    stop.abort(); // Before anything is written: the terminal may be gone.
    message("stopping after this step; Ctrl-C again to stop at once");
  });
  try {
    using result = await trainDCGAN({
      ...options,
      epochs,
      imageCount,
      outDir,
      resume: place.resume,
      overwrite: flags.force === true,
      checkpoint: {
        everyEpochs: flags.checkpointEvery,
        everyMinutes: flags.checkpointMinutes,
        keep: flags.keep,
      },
      command,
      calibrate: flags.calibrate && { cacheDir: kernelCacheDir(message) },
      gpu,
      dataset,
      signal: stop.signal,
      onStep: (event) => report.step(event),
      onEpoch: (event) => report.epoch(event),
      onImage: (event) => report.image(event),
      onMessage: message,
    });
    report.end(result, nextSteps(outDir, result.history.length < report.epochs));
    if (result.aborted) throw new Exit(stopped);
  } finally {
    first?.[Symbol.dispose]();
    // A folder that was made for this run stays only if something was written into it.
    if (!place.outDir) await Deno.remove(outDir).catch(() => {});
  }
}

/** Commands that a person may want after a run. */
function nextSteps(outDir: string, unfinished: boolean): string[] {
  const below = relative(path("."), outDir);
  const run = below.startsWith("..") ? outDir : below;
  const quoted = /^[\w./\\:-]+$/.test(run) ? run : JSON.stringify(run);
  return [
    ...(unfinished ? [`${PROGRAM} train --resume --out ${quoted}`] : []),
    `${PROGRAM} show ${quoted}`,
    `${PROGRAM} sample ${quoted}`,
  ];
}
