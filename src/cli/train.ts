/** `train`: the tutorial, from the command line. */

import { basename, dirname, relative } from "node:path";
import { Gpu, trainDCGAN } from "../../mod.ts";
import { SUPERSEDED } from "../files/checkpoints.ts";
import { kindOf } from "../files/kind.ts";
import { CHECKPOINTS } from "../files/run_folder.ts";
import { mostImages } from "../formats/grid.ts";
import { resolveHyperparameters } from "../training/hyperparameters.ts";
import { kernelCacheDir } from "./calibrate.ts";
import { loadData, streamData } from "./data.ts";
import { planRun } from "./dry_run.ts";
import { type Command, Exit, newCommand, PROGRAM, UsageError } from "./flags.ts";
import { RunReport, standardOutput, untilGone } from "./report.ts";
import { chosen, optionsOfRun, PRESETS, presetWidths } from "./train_flags.ts";
import { type RunPlace, type TrainFlags, trainFlags } from "./train_flags.ts";
import { path } from "./values.ts";

async function placeOf(out?: string, resume?: string | true): Promise<RunPlace> {
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

/** Makes the first of `out`, `out-2` ... that is free; runs that begin at once get one each. */
async function claimFolder(): Promise<string> {
  for (let n = 1;; n++) {
    const dir = path(n === 1 ? "out" : `out-${n}`);
    const error = await Deno.mkdir(dir).catch((error) => error);
    // Where it cannot be made, the run fails with the reason and a way out.
    if (!(error instanceof Deno.errors.AlreadyExists)) return dir;
  }
}

/** Images that `--preset quick` trains on, with repetitions: three epochs of MNIST. */
const QUICK_IMAGES = 3 * 60_000;

/** The exit code of a run that was interrupted, by the custom of shells. */
const INTERRUPTED = 130;

/** Signals that ask a run to stop, and its exit code; Windows has no others to listen to. */
const SIGNALS: readonly (readonly [Deno.Signal, code: number])[] = Deno.build.os === "windows"
  ? [["SIGINT", INTERRUPTED], ["SIGBREAK", INTERRUPTED]]
  : [["SIGINT", INTERRUPTED], ["SIGTERM", 143], ["SIGHUP", 129]];

/** Calls back at the first signal that asks a run to stop; the second one ends the process. */
function listen(onSignal: (code: number) => void): Disposable {
  let signaled = false;
  const listeners = SIGNALS.map(([signal, code]) => {
    const listener = () => {
      if (signaled) Deno.exit(code);
      signaled = true;
      onSignal(code);
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  return { [Symbol.dispose]: () => listeners.forEach((remove) => remove()) };
}

/** @param typed the whole command line, for the record of the run */
export function addTrain(program: Command, typed: readonly string[]): void {
  const command = newCommand(program, "train", {
    what: "Train the TensorFlow tutorial's DCGAN on MNIST, or on images of your own.",
    examples: [
      "train",
      "train --preset quick",
      "train --epochs 5 --seed 7 --out runs/seven",
      "train --out runs/seven --epochs 10 --resume",
      "train --data my-images --image-size 64,64",
      "train --data my-images.zip --image-size 64,64 --dry-run",
      `train --json | grep '"type":"epoch"'`,
    ],
    more:
      `Ctrl-C, SIGTERM and SIGHUP (a closed terminal) stop the run after the current step, with a
checkpoint; --resume goes on from there. nohup does not protect a Deno program from SIGHUP:
start it with setsid, or in tmux.`,
  });
  trainFlags(command).action((flags) => train(flags, typed));
}

async function train(flags: TrainFlags, typed: readonly string[]): Promise<void> {
  if (flags.force && flags.resume !== undefined) {
    throw new UsageError("--resume goes on with a run and --force removes it: leave out one");
  }
  if (flags.dryRun && flags.resume !== undefined) {
    throw new UsageError("--dry-run is for a new run: leave out --resume");
  }
  const stop = new AbortController();
  // `| head` has seen enough, or Ctrl-C ended `| tee`, too: there is a checkpoint all the same.
  const out = untilGone(standardOutput(), () => stop.abort());
  const report = new RunReport(out, flags);
  const message = (text: string) => report.message(text);

  const place = await placeOf(flags.out, flags.resume);
  const before = flags.preset
    ? PRESETS[flags.preset]
    : await optionsOfRun(place, flags.maxSteps, message);
  const options = chosen(before, flags);
  resolveHyperparameters(options); // Refuses what does not fit together before the data is loaded.
  // The first is requested before the data is loaded; the library asks for another if it is lost.
  const unused = [await Gpu.request()];
  const { description, vendor, kind } = unused[0].info;
  message(`adapter  ${description || vendor} (${kind})`);
  const say = (text: string) => message(`data     ${text}`);
  using streamed = flags.stream ? await streamData(flags, say) : null;
  const dataset = streamed ?? await loadData(flags, say);
  // The record of a run must not stop it: it may ask for more images than can be made of this data.
  const most = mostImages(dataset.height, dataset.width);
  const imageCount = flags.images ?? (options.imageCount && Math.min(options.imageCount, most));
  let { epochs } = options;
  const command = [...typed];
  if (flags.preset === "quick" && flags.epochs === undefined) {
    epochs = Math.max(1, Math.round(QUICK_IMAGES / dataset.count));
    if (epochs !== options.epochs) {
      const here = `${epochs} epochs of ${
        Math.ceil(dataset.count / options.batchSize!)
      } steps here`;
      message(`preset   quick trains on ${QUICK_IMAGES} images: ${here}`);
      command.push(`--epochs=${epochs}`); // For a resume, which has no data set to count yet.
    }
  }
  report.epochs = epochs ?? 50;
  const networks = { ...presetWidths(flags.preset, dataset), ...options };
  if (flags.dryRun) {
    using gpu = unused.pop()!;
    const { signal } = stop;
    const calibrate = flags.calibrate && {}; // Without a folder to keep measurements in.
    const trained = { dataset, epochs: report.epochs, gpu, calibrate, signal, onMessage: message };
    return report.plan(await planRun({ ...networks, ...trained, imageCount }));
  }
  const outDir = place.outDir ?? await claimFolder();
  message(`out      ${outDir}`);

  let exitCode = INTERRUPTED;
  using _listeners = listen((code) => {
    exitCode = code;
    stop.abort(); // Before anything is written: the terminal may be gone.
    message("stopping after this step; Ctrl-C again to stop at once");
  });
  const { checkpointEvery: everyEpochs, checkpointMinutes: everyMinutes, keep } = flags;
  try {
    using result = await trainDCGAN({
      ...networks,
      ...{ dataset, epochs, imageCount, outDir, command },
      gpu: async () => unused.pop() ?? await Gpu.request(),
      resume: place.resume,
      overwrite: flags.force === true,
      checkpoint: { everyEpochs, everyMinutes, keep },
      calibrate: flags.calibrate && { cacheDir: kernelCacheDir(message) },
      signal: stop.signal,
      onStep: (event) => report.step(event),
      onEpoch: (event) => report.epoch(event),
      onImage: (event) => report.image(event),
      onMessage: message,
    });
    report.end(result, nextSteps(outDir, result.history.length < report.epochs));
    if (result.aborted) throw new Exit(exitCode);
  } finally {
    unused.pop()?.[Symbol.dispose]();
    // A folder that was made for this run stays only if something was written into it.
    if (!place.outDir) await Deno.remove(outDir).catch(() => {});
  }
}

/** Command lines that a person may want after a run. */
function nextSteps(outDir: string, unfinished: boolean): string[] {
  const below = relative(path("."), outDir);
  const run = below.startsWith("..") ? outDir : below;
  const quoted = /^[\w./\\:-]+$/.test(run) ? run : JSON.stringify(run);
  const commands = [...(unfinished ? ["train --resume --out"] : []), "show", "sample"];
  return commands.map((command) => `${PROGRAM} ${command} ${quoted}`);
}
