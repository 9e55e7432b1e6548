/**
 * Training as one call: the trainer's loop, with images, checkpoints and logs.
 *
 * @module
 */

import { join } from "node:path";
import { CheckpointError, DeviceLostError, NonFiniteError } from "./errors.ts";
import type { Gpu } from "./graph/gpu.ts";
import type { ProgramStats } from "./graph/program.ts";
import { isSystemError } from "./files/atomic.ts";
import { CheckpointFolder, readCheckpoint } from "./files/checkpoints.ts";
import { type Checkpoint, requireFinite } from "./training/checkpoint.ts";
import { MOST_IMAGES, mostImages } from "./formats/grid.ts";
import type { Discriminator } from "./model/discriminator.ts";
import type { Generator } from "./model/generator.ts";
import { requireCount } from "./model/validate.ts";
import type { EpochEvent, Position } from "./training/position.ts";
import { CHECKPOINTS, RunFolder } from "./files/run_folder.ts";
import { type Snapshot, Trainer } from "./training/trainer.ts";
import type { StepEvent, TrainerOptions } from "./training/options.ts";

/** Images made on the way from the same noise. */
export interface ImageEvent {
  /** Steps trained so far. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** [count, height, width, channels] on [-1, 1]. */
  readonly images: Float32Array;
  /** The file, if there is an `outDir` and it could be written. */
  readonly path?: string;
}

/** When checkpoints are written, apart from the end of the run and its abortion. */
export interface CheckpointPolicy {
  /** After every so many epochs. Default 15, as in the tutorial; none if there are `everyMinutes`. */
  readonly everyEpochs?: number;
  /** Whenever so many minutes have passed, in the middle of an epoch, too. */
  readonly everyMinutes?: number;
  /** How many of the newest stay, besides the best. Default 3. */
  readonly keep?: number;
}

/** What a caller may watch. */
export interface WatchOptions {
  /** Images after every so many steps, as well as after every epoch. Default: epochs only. */
  readonly imageEverySteps?: number;
  /** Images a grid, at most 4,096; fewer of large ones. A square number looks best. Default 16. */
  readonly imageCount?: number;
  /** Called for every step in order, some steps late: losses are read from the device in bunches. */
  readonly onStep?: (event: StepEvent) => void;
  /** Called after every epoch, before the next begins. */
  readonly onEpoch?: (event: EpochEvent) => void | Promise<void>;
  /** Called whenever images were made. */
  readonly onImage?: (event: ImageEvent) => void | Promise<void>;
}

/** Options of {@linkcode trainDCGAN}; the defaults are the tutorial's. */
export interface TrainOptions extends TrainerOptions, WatchOptions {
  /**
   * Folder for images, the GIF, checkpoints (`training_checkpoints/`), the log (`metrics.jsonl`,
   * `tensorboard/`), curves (`losses.svg`) and what was run (`run.json`). Default: nothing is written.
   */
  readonly outDir?: string;
  /**
   * Checkpoints in `outDir/training_checkpoints`: every 15 epochs, at the end and when the signal
   * stops the run, unless this says otherwise; `false`: none.
   */
  readonly checkpoint?: CheckpointPolicy | false;
  /**
   * Continue a run as if it had never stopped, bit for bit: from the newest readable checkpoint in
   * `outDir` (true), or from a file. Default false.
   */
  readonly resume?: boolean | string;
  /** Start anew in an `outDir` that holds a run, which is removed. Default false: refused. */
  readonly overwrite?: boolean;
  /** The command that was typed, for `run.json`. */
  readonly command?: readonly string[];
}

/**
 * Makes a compile error of what only shows when it runs otherwise: an option that does not exist, and
 * one that means nothing without an `outDir`.
 */
export type Checked<O> =
  & { readonly [K in Exclude<keyof O, keyof TrainOptions>]: never }
  & (O extends { readonly outDir: string } ? unknown
    : O extends
      | { readonly resume: true }
      | { readonly overwrite: true }
      | { readonly checkpoint: CheckpointPolicy } ? { readonly outDir: string }
    : unknown);

/** What {@linkcode trainDCGAN} gives. */
export interface TrainResult {
  /** The trained generator. */
  readonly generator: Generator;
  /** The trained discriminator. */
  readonly discriminator: Discriminator;
  /** One entry an epoch. */
  readonly history: readonly EpochEvent[];
  /** Steps of the whole run; those before a resume count, too. */
  readonly steps: number;
  /** Whether the signal stopped it. */
  readonly aborted: boolean;
  /** The GIF of the images, if there is an `outDir` and at least one image. */
  readonly gif?: string;
  /** What one full step costs: dispatches, and memory with and without sharing; if one was trained. */
  readonly stats?: ProgramStats;
  /** The newest checkpoint, if this call wrote one. */
  readonly checkpoint?: string;
  /** The device that holds both networks. */
  readonly gpu: Gpu;
  /** Frees what the run allocated: both networks, and the device unless it was the caller's. */
  [Symbol.dispose](): void;
}

function validate(options: TrainOptions): void {
  const { checkpoint, resume, outDir, imageEverySteps, imageCount } = options;
  const policy = checkpoint || {};
  const counts = {
    imageEverySteps,
    "checkpoint.everyEpochs": policy.everyEpochs,
    "checkpoint.keep": policy.keep,
  };
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined) requireCount(name, value);
  }
  if (imageCount !== undefined) requireCount("imageCount", imageCount, MOST_IMAGES);
  const { everyMinutes } = policy;
  if (everyMinutes !== undefined && !(everyMinutes > 0)) {
    throw new RangeError(`checkpoint.everyMinutes must be a number above 0, got ${everyMinutes}`);
  }
  if (resume === true && outDir === undefined) {
    throw new TypeError("resume: true needs an outDir to look in; or give the checkpoint's path");
  }
}

/**
 * Trains the tutorial's DCGAN.
 *
 * ```ts
 * import { loadMNIST, trainDCGAN } from "@dcgan/webgpu";
 *
 * using run = await trainDCGAN({
 *   dataset: await loadMNIST(),
 *   epochs: 1,
 *   outDir: "out",
 *   onEpoch: ({ epoch, generatorLoss }) => console.log(epoch, generatorLoss),
 * });
 * ```
 *
 * Permissions: none without `outDir`; with it, read and write for that folder.
 *
 * What cannot be written to `outDir` when the run begins is thrown. Later, `onMessage` hears of it and
 * the run goes on, without that image or with an older checkpoint; only the checkpoint at the end is
 * an error again.
 *
 * @throws {RangeError} when an option is out of range.
 * @throws {DataError} when the data set is not one.
 * @throws {AdapterError} when no device is given and none is found.
 * @throws {CheckpointError} when there is nothing to resume, or it is damaged or of another
 *   configuration; or when `outDir` holds a run that is neither resumed nor overwritten.
 * @throws {Error} when `outDir` cannot be written to, naming the path, the reason and a way out.
 */
export async function trainDCGAN<const O extends TrainOptions>(
  options: O & Checked<O>,
): Promise<TrainResult> {
  validate(options);
  const trainer = await Trainer.create(options);
  try {
    const outcome = await run(trainer, options);
    const { generator, discriminator, gpu } = trainer;
    trainer.finish();
    return {
      ...outcome,
      generator,
      discriminator,
      gpu,
      [Symbol.dispose]: () => trainer[Symbol.dispose](),
    };
  } catch (error) {
    trainer[Symbol.dispose]();
    throw error;
  }
}

type Outcome = Omit<
  TrainResult,
  "generator" | "discriminator" | "gpu" | typeof Symbol.dispose
>;

async function run(trainer: Trainer, options: TrainOptions): Promise<Outcome> {
  const { imageEverySteps, imageCount = 16, signal, outDir } = options;
  const { height, width, channels } = options.dataset;
  const say = options.onMessage ?? (() => {});

  // What is refused is refused before anything is written.
  if (imageCount > mostImages(height, width)) {
    throw new RangeError(
      `imageCount must be at most ${mostImages(height, width)} for images of ${width} x ` +
        `${height}, got ${imageCount}: a grid of them would have more pixels than can be read`,
    );
  }
  const source = await sourceOf(options);
  if (source) await trainer.restore(source.checkpoint, source.path);
  await using folder = outDir === undefined ? undefined : await RunFolder.open(outDir, {
    images: { count: imageCount, height, width, channels },
    keep: options.checkpoint ? options.checkpoint.keep : undefined,
    onMessage: say,
  });
  const policy = policyOf(options.checkpoint);
  await begin(trainer, options, source, folder);

  const begunAt = trainer.steps;
  const told = new Map<number, EpochEvent>();
  let saved: { path?: string; steps: number } = { steps: begunAt };
  let savedAt = performance.now();
  let unsaved = false;

  const show = async (step: number, epoch: number, ofEpoch: boolean) => {
    const images = await trainer.sample({ count: imageCount });
    const path = await folder?.image(images, { step, epoch, ofEpoch });
    await options.onImage?.({ step, epoch, images, path });
    return path;
  };

  /** At the end of the run, a checkpoint that cannot be written is an error; before, it is said. */
  const save = async (atEnd = false) => {
    savedAt = performance.now();
    if (folder && policy.atEnd && saved.steps !== trainer.steps) {
      await write(await trainer.snapshot(), folder, atEnd);
    }
  };

  const write = async (snapshot: Snapshot, folder: RunFolder, atEnd: boolean) => {
    const { epoch, at, steps } = snapshot.position;
    // After an epoch's last step the position is the beginning of the next.
    const writing = at === 0
      ? folder.save(epoch - 1, undefined, snapshot)
      : folder.save(epoch, steps, snapshot);
    const written = await writing.catch((error) => {
      if (atEnd || !isSystemError(error)) throw error;
      say(`${error.message}. The run goes on, and tries again after this epoch or the next`);
      return undefined;
    });
    unsaved = !written;
    if (!written) return;
    const { path, best } = written;
    saved = { path, steps };
    const { distance } = snapshot;
    const quality = distance === undefined
      ? ""
      : ` (energy distance ${distance.toFixed(3)}${best ? ", the best so far" : ""})`;
    say(`wrote ${path}${quality}`);
  };

  const imageDue = (step: number) => !!imageEverySteps && step % imageEverySteps === 0;
  const saveDue = () => performance.now() - savedAt >= policy.everyMinutes * 60_000;

  const train = async () => {
    for await (const event of trainer.run({ pauseAfter: (n) => imageDue(n) || saveDue() })) {
      if (event.type === "step") {
        await folder?.step(event);
        options.onStep?.(event);
      } else if (event.type === "pause") {
        if (imageDue(event.step)) await show(event.step, event.epoch, false);
        // At an epoch's end its image and its line in the log come first: a run that is killed after
        // the checkpoint would lack them for good.
        if (saveDue() && !trainer.betweenEpochs) await save();
      } else {
        const { type: _, ...rest } = event;
        const image = await show(event.step, event.epoch, true);
        const epoch = image === undefined ? rest : { ...rest, image };
        told.set(epoch.epoch, epoch);
        await folder?.epoch(epoch);
        await options.onEpoch?.(epoch);
        const due = unsaved || epoch.epoch % policy.everyEpochs === 0 || saveDue();
        if (trainer.betweenEpochs && due) await save();
      }
    }
  };
  try {
    await train();
  } catch (error) {
    const last = async () => {
      // The trainer stands before the first such number: that state is worth keeping.
      if (error instanceof NonFiniteError) return await save(true);
      // What is on the device is gone, but not what was in memory.
      const { kept } = trainer;
      if (!(error instanceof DeviceLostError) || !folder || !policy.atEnd || !kept) return;
      if (kept.position.steps > saved.steps) await write(kept, folder, true);
    };
    await last().catch((failed) => say(failed.message));
    throw error;
  }
  await save(true);
  return {
    history: trainer.history.map((event) => told.get(event.epoch) ?? event),
    steps: trainer.steps,
    aborted: signal?.aborted === true && trainer.steps < trainer.totalSteps,
    stats: trainer.steps > begunAt ? trainer.stats : undefined,
    checkpoint: saved.path,
    gif: await folder?.writeGIF({
      step: trainer.steps,
      epoch: trainer.history.at(-1)?.epoch ?? 0,
    }),
  };
}

/** When checkpoints are due. */
function policyOf(checkpoint: CheckpointPolicy | false | undefined) {
  if (checkpoint === false) return { everyEpochs: Infinity, everyMinutes: Infinity, atEnd: false };
  const { everyMinutes = Infinity } = checkpoint ?? {};
  const { everyEpochs = everyMinutes === Infinity ? 15 : Infinity } = checkpoint ?? {};
  return { everyEpochs, everyMinutes, atEnd: true };
}

interface Source {
  readonly path: string;
  readonly checkpoint: Checkpoint<Position>;
}

/** The checkpoint to go on from, if that is asked for. */
async function sourceOf(
  { resume, outDir, onMessage, onNonFinite }: TrainOptions,
): Promise<Source | undefined> {
  if (!resume) return undefined;
  if (typeof resume === "string") {
    return { path: resume, checkpoint: await readCheckpoint<Position>(resume) };
  }
  const folder = new CheckpointFolder(join(outDir!, CHECKPOINTS));
  return await folder.latest<Position>(
    (error) => onMessage?.(`skipped: ${error.message}`),
    ({ tensors }, path) => {
      if (onNonFinite !== "warn") requireFinite(tensors, path);
    },
  );
}

/** Makes the folder ready for a new run, or goes on with an old one. */
async function begin(
  trainer: Trainer,
  { overwrite = false, command, onMessage }: TrainOptions,
  source: Source | undefined,
  folder: RunFolder | undefined,
): Promise<void> {
  if (source) {
    // Another run's folder must not get a part of this one.
    const objection = await folder?.objection(trainer.configuration);
    if (objection !== undefined && !overwrite) throw new CheckpointError(objection);
    if (objection !== undefined) await folder!.clear(overwrite);
    onMessage?.(`resumed ${source.path} at epoch ${trainer.currentEpoch}, step ${trainer.steps}`);
  } else {
    await folder?.clear(overwrite);
  }
  await trainer.prepare();
  await folder?.begin(trainer, command);
}
