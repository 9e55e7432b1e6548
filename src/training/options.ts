/** The options of a run and their defaults, resolved here and nowhere else. */

import {
  type Dataset,
  isStreamed,
  labelsOf,
  readInTurn,
  type StreamedDataset,
  validateDataset,
} from "../data/dataset.ts";
import { MOST_IMAGES, mostImages } from "../formats/grid.ts";
import type { FolderHandle } from "../formats/folder_handle.ts";
import { sha256 } from "../formats/sha256.ts";
import type { Source } from "../formats/source.ts";
import type { CompileProgress } from "../gpu/pipelines.ts";
import { Gpu } from "../graph/gpu.ts";
import { requireComparable } from "../metrics/evaluate.ts";
import { FEWEST } from "../metrics/features.ts";
import { requireCount } from "../model/validate.ts";
import type { CalibrateOptions } from "../ops/gemm/calibrate.ts";
import type { EpochEvent, ImageEvent, StepEvent } from "./events.ts";
import { type Hyperparameters, resolveHyperparameters } from "./hyperparameters.ts";
import { type RecipeName, withRecipe } from "./recipes.ts";

/** Options of {@linkcode Trainer.create}; the defaults are the tutorial's. */
export interface TrainerOptions extends Hyperparameters {
  /** A set of hyperparameters, for those that are not given. Default "tutorial". */
  readonly recipe?: RecipeName;
  /** What to train on; `await loadMNIST()` gives the tutorial's. */
  readonly dataset: Dataset | StreamedDataset;
  /**
   * Where to train, or a function that requests a device, which the trainer then owns and frees.
   * Default: requested with `Gpu.request`.
   */
  readonly gpu?: Gpu | (() => Promise<Gpu>);
  /** Default 50. */
  readonly epochs?: number;
  /** Stop after so many steps of the whole run. Default: when the epochs are done. */
  readonly maxSteps?: number;
  /**
   * Measure which kernels are fastest on this adapter before the first step, a few seconds at most
   * (see `calibrate`). Two measurements may choose differently, and then the same seed gives the same
   * training, but not the same bits; a resumed run keeps its choices. The choices stay with `gpu`.
   * Default false: kernels by kind of adapter.
   */
  readonly calibrate?: boolean | CalibrateOptions;
  /**
   * Generated images are compared with real ones after every so many epochs, see
   * {@linkcode Trainer.evaluate}, and after the last one; Infinity: never. Default: as many that 20
   * times as many images are trained in between as are compared, which is every epoch of MNIST; and
   * never with fewer than 65 real images, which cannot be compared.
   */
  readonly evaluateEvery?: number;
  /** Images that are generated to be compared, at least 65. Default 2,048. */
  readonly evaluateCount?: number;
  /**
   * @deprecated Whether epochs get an energy distance, in version 0.1.0. False stands for
   * `evaluateEvery: Infinity`.
   */
  readonly distance?: boolean;
  /**
   * What to do when a loss, weight or moment is NaN or infinite. The trainer checks this whenever it
   * reads losses, about twice a second. "stop" (default): go back to the state of the check before,
   * find the first op and step by training the steps since then again, and throw a `NonFiniteError`;
   * this keeps a copy of all state on the device. "warn": warn once, and go on.
   */
  readonly onNonFinite?: "stop" | "warn";
  /** Called while the kernels of a step are compiled: in a browser that takes seconds. */
  readonly onCompile?: (progress: CompileProgress) => void;
  /** Stops the run after the step under way. */
  readonly signal?: AbortSignal;
  /** Called with what a person should know: losses that are not finite, a network that wins. */
  readonly onMessage?: (text: string) => void;
}

/**
 * When checkpoints are written, besides the one at the end of the run or when the signal stops it. By
 * default after the first epoch, then after every 15 epochs and after every 5 minutes, whichever comes
 * first. Either of the two alone turns the other off.
 */
export interface CheckpointPolicy {
  /** After every so many epochs. */
  readonly everyEpochs?: number;
  /** Whenever so many minutes have passed, in the middle of an epoch, too. */
  readonly everyMinutes?: number;
  /** How many of the newest stay, besides the best. Default 3. */
  readonly keep?: number;
}

/** What a caller may watch. No step, epoch or image is reported twice. */
export interface WatchOptions {
  /** Images after every so many steps, as well as after every epoch. Default: epochs only. */
  readonly imageEverySteps?: number;
  /**
   * Images a grid, at most 4,096; fewer of large ones. A square number looks best. Default 16. The grid
   * of a conditional run has one class in each row: by default 8 images of each class, for up to 32.
   */
  readonly imageCount?: number;
  /** Called for every step in order, some steps late: losses are read from the device in batches. */
  readonly onStep?: (event: StepEvent) => void;
  /** Called after every complete epoch, before the next begins. */
  readonly onEpoch?: (event: EpochEvent) => void | Promise<void>;
  /** Called whenever images were made: every so many steps, after an epoch, after the last step. */
  readonly onImage?: (event: ImageEvent) => void | Promise<void>;
  /** @deprecated The name of {@linkcode WatchOptions.imageEverySteps} in version 0.1.0. */
  readonly pictureEverySteps?: number;
  /** @deprecated The name of {@linkcode WatchOptions.imageCount} in version 0.1.0. */
  readonly pictureCount?: number;
  /** @deprecated The name of {@linkcode WatchOptions.onImage} in version 0.1.0. */
  readonly onPicture?: (
    event: ImageEvent & { readonly pictures: Float32Array },
  ) => void | Promise<void>;
}

/** Options of {@linkcode trainDCGAN}; the defaults are the tutorial's. */
export interface TrainOptions extends TrainerOptions, WatchOptions {
  /**
   * Folder, as a path or as a browser gave it (a `FileSystemDirectoryHandle`), for images, the GIF, checkpoints (`training_checkpoints/`), the log (`metrics.jsonl`,
   * `tensorboard/`), curves (`losses.svg`) and what was run (`run.json`). Default: nothing is written.
   */
  readonly outDir?: string | FolderHandle;
  /** When checkpoints are written to `outDir/training_checkpoints`; `false`: never. */
  readonly checkpoint?: CheckpointPolicy | false;
  /**
   * Continue a run as if it had never stopped, bit for bit: from the newest readable checkpoint in
   * `outDir` (true), or from a file: a path, a URL, or its bytes. Default false.
   */
  readonly resume?: boolean | Source;
  /** Start anew in an `outDir` that holds a run, which is removed. Default false: refused. */
  readonly overwrite?: boolean;
  /**
   * How often the run goes on after it lost its device: it requests another, goes back to the end of
   * the last epoch or to the last checkpoint, and trains on from there, as a resumed run does.
   * Default 3. A `Gpu` that the caller gave is not replaced.
   */
  readonly deviceLosses?: number;
  /** The command that was typed, for `run.json`. */
  readonly command?: readonly string[];
}

/** Images of each class in a grid, and most classes, where nobody says how many images. */
const IMAGES_OF_CLASS = 8;
const MOST_CLASSES = 32;

const ignore = () => {};

/** {@linkcode TrainerOptions} with all defaults. */
export type ResolvedOptions = Readonly<ReturnType<typeof resolveOptions>>;

/** Checks options and adds all defaults. Those that are resolved already stay as they are. */
export function resolveOptions(options: TrainerOptions) {
  const { gpu = () => Gpu.request(), epochs = 50, maxSteps = Infinity } = options;
  const { onNonFinite = "stop", onMessage = ignore } = options;
  const { onCompile = ignore } = options;
  const { signal = new AbortController().signal } = options;
  const calibrate: false | CalibrateOptions = options.calibrate === true
    ? {}
    : options.calibrate ?? false;
  validateDataset(options.dataset);
  const dataset = isStreamed(options.dataset) ? readInTurn(options.dataset) : options.dataset;
  const { evaluateCount = 2048 } = options;
  const { evaluateEvery = defaultInterval(options, evaluateCount) } = options;
  if (evaluateEvery !== Infinity) {
    requireCount("evaluateEvery", evaluateEvery);
    requireComparable(evaluateCount, dataset);
  }
  requireCount("epochs", epochs);
  if (maxSteps !== Infinity) requireCount("maxSteps", maxSteps);
  if (onNonFinite !== "stop" && onNonFinite !== "warn") {
    throw new RangeError(
      `onNonFinite must be "stop" or "warn", got ${JSON.stringify(onNonFinite)}`,
    );
  }
  const hyperparameters = resolveHyperparameters(withRecipe(options), dataset);
  return {
    ...hyperparameters,
    ...{
      dataset,
      gpu,
      epochs,
      maxSteps,
      calibrate,
      evaluateEvery,
      evaluateCount,
      onNonFinite,
      signal,
      onMessage,
      onCompile,
    },
    totalSteps: Math.min(maxSteps, epochs * Math.ceil(dataset.count / hyperparameters.batchSize)),
  };
}

/** Epochs between evaluations such that those take some hundredths of the time. */
function defaultInterval({ dataset, distance }: TrainerOptions, evaluateCount: number): number {
  if (distance === false || dataset.count < FEWEST) return Infinity;
  return Math.ceil(20 * evaluateCount / dataset.count);
}

/** {@linkcode TrainOptions} with all defaults. */
export type ResolvedTrainOptions = Readonly<ReturnType<typeof resolveTrainOptions>>;

/** Checks options and adds all defaults, under the names of this version. */
export function resolveTrainOptions(options: TrainOptions) {
  const resolved = resolveOptions(options);
  const { onPicture, pictureCount, pictureEverySteps = Infinity } = options;
  const onPictures = onPicture &&
    ((event: ImageEvent) => onPicture({ ...event, pictures: event.images }));
  const { imageEverySteps = pictureEverySteps } = options;
  const { onStep = ignore, onEpoch = ignore, onImage = onPictures ?? ignore } = options;
  const { outDir, resume = false, overwrite = false, deviceLosses = 3, command } = options;
  if (imageEverySteps !== Infinity) requireCount("imageEverySteps", imageEverySteps);
  const { height, width } = resolved.dataset;
  const most = mostImages(height, width);
  const classes = resolved.conditional ? labelsOf(resolved.dataset).classes : 0;
  const rows = Math.min(classes, MOST_CLASSES, Math.floor(most / IMAGES_OF_CLASS));
  const given = options.imageCount ?? pictureCount;
  const imageCount = given ?? (rows * IMAGES_OF_CLASS || 16);
  requireCount("imageCount", imageCount, MOST_IMAGES);
  const byClass = given === undefined && classes > 0;
  const imageColumns = byClass ? IMAGES_OF_CLASS : Math.ceil(Math.sqrt(imageCount));
  if (imageCount > most) {
    throw new RangeError(
      `imageCount must be at most ${most} for images of ${width} x ${height}, got ${imageCount}: ` +
        "a grid of them would have more pixels than can be read",
    );
  }
  if (!Number.isSafeInteger(deviceLosses) || deviceLosses < 0) {
    throw new RangeError(`deviceLosses must be a whole number, got ${deviceLosses}`);
  }
  if (resume === true && outDir === undefined) {
    throw new TypeError("resume: true needs an outDir to look in; or give the checkpoint's path");
  }
  return {
    ...resolved,
    ...{ classes, imageCount, imageColumns, imageEverySteps, onStep, onEpoch, onImage },
    ...{ outDir, resume, overwrite, deviceLosses, command },
    checkpoint: resolvePolicy(options.checkpoint),
  };
}

/** A policy with all defaults; times that are infinite never come. */
function resolvePolicy(policy: CheckpointPolicy | false = {}) {
  const { everyEpochs, everyMinutes, keep = 3 } = policy || {};
  requireCount("checkpoint.keep", keep);
  if (everyEpochs !== undefined) requireCount("checkpoint.everyEpochs", everyEpochs);
  if (everyMinutes !== undefined && !(everyMinutes > 0)) {
    throw new RangeError(`checkpoint.everyMinutes must be a number above 0, got ${everyMinutes}`);
  }
  const isDefault = policy !== false && everyEpochs === undefined && everyMinutes === undefined;
  return {
    everyEpochs: everyEpochs ?? (isDefault ? 15 : Infinity),
    everyMinutes: everyMinutes ?? (isDefault ? 5 : Infinity),
    afterFirstEpoch: isDefault,
    atEnd: policy !== false,
    keep,
  };
}

/** What a resumed run must share with the one that it continues: hyperparameters and data. */
export async function configurationOf(
  options: ResolvedOptions,
): Promise<Record<string, unknown>> {
  const { dataset } = options;
  const { count, height, width, channels } = dataset;
  const { labels } = options.conditional ? labelsOf(options.dataset) : {};
  return {
    dataset: [count, height, width, channels],
    images: isStreamed(dataset) ? `id ${dataset.id}` : `sha256 ${await sha256(dataset.images)}`,
    ...labels ? { labels: `sha256 ${await sha256(labels)}` } : {},
    ...resolveHyperparameters(options, options.dataset),
  };
}
