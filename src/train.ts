/**
 * The training loop.
 *
 * @module
 */

import { join } from "node:path";
import { type Dataset, validateDataset } from "./data/dataset.ts";
import { calibrate, type CalibrateOptions } from "./calibrate.ts";
import { Gpu } from "./graph/gpu.ts";
import { requireTuning, type Tuning } from "./graph/lower.ts";
import type { ProgramStats } from "./graph/program.ts";
import { CheckpointFolder, readCheckpoint, requireSameConfiguration } from "./io/checkpoints.ts";
import { PictureFolder } from "./io/pictures.ts";
import { DCGAN } from "./dcgan.ts";
import type { Discriminator } from "./model/discriminator.ts";
import type { Generator } from "./model/generator.ts";
import { Sampler, seedNoise } from "./model/sampler.ts";
import { permutation, RandomSequence, STREAM } from "./model/threefry.ts";
import { requireCount } from "./model/validate.ts";

/** One trained batch. */
export interface StepEvent {
  /** Counted from 1 over the whole run. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** Mean binary cross-entropy over the batch. */
  readonly generatorLoss: number;
  /** Sum of those on real and on generated pictures. */
  readonly discriminatorLoss: number;
  /** Pictures trained so far. */
  readonly images: number;
  /** Steps of the whole run. */
  readonly totalSteps: number;
}

/** One trained epoch. */
export interface EpochEvent {
  /** Counted from 1. */
  readonly epoch: number;
  /** Steps trained in it; fewer than the data set gives where the run was cut. */
  readonly steps: number;
  /** Mean over its steps. */
  readonly generatorLoss: number;
  /** Mean over its steps. */
  readonly discriminatorLoss: number;
  /** Wall-clock time, pictures included. */
  readonly seconds: number;
  /** The picture that was written, if one was. */
  readonly picture?: string;
}

/** Pictures made on the way from the same noise. */
export interface PictureEvent {
  /** Steps trained so far. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** [count, height, width, channels] on [-1, 1]. */
  readonly pictures: Float32Array;
  /** The file, if there is an `outDir`. */
  readonly path?: string;
}

/** Options of {@linkcode trainDCGAN}; the defaults are the tutorial's. */
export interface TrainOptions {
  /** What to train on; `await loadMNIST()` gives the tutorial's. */
  readonly dataset: Dataset;
  /** Where to train. Default: a device of its own. */
  readonly gpu?: Gpu;
  /** Default 50. */
  readonly epochs?: number;
  /** Default 256. The last, smaller batch of an epoch is trained too. */
  readonly batchSize?: number;
  /** Length of the noise vector. Default 100. */
  readonly noiseDim?: number;
  /** Of both Adams. Default 1e-4. */
  readonly learningRate?: number;
  /** Of both Adams. Default 0.9. */
  readonly beta1?: number;
  /** Of both Adams. Default 0.999. */
  readonly beta2?: number;
  /** Channels of the generator's hidden layers. Default [256, 128, 64]. */
  readonly generatorWidths?: readonly [number, number, number];
  /** Channels of the discriminator's hidden layers. Default [64, 128]. */
  readonly discriminatorWidths?: readonly [number, number];
  /** Share of the discriminator's activations dropped in training. Default 0.3. */
  readonly dropout?: number;
  /** Of weights, order, noise and dropout, 0 to 2^32 - 1. Default 0. Same seed, same adapter: same bits. */
  readonly seed?: number;
  /** Stop after so many steps. Default: when the epochs are done. */
  readonly maxSteps?: number;
  /** Folder for pictures, the GIF and checkpoints. Default: nothing is written. */
  readonly outDir?: string;
  /**
   * Checkpoints in `outDir/training_checkpoints`: every so many epochs (default 15, as in the
   * tutorial), at the end and when the signal stops the run; the newest `keep` (default 3) stay.
   * `false`: none.
   */
  readonly checkpoint?: { readonly everyEpochs?: number; readonly keep?: number } | false;
  /**
   * Continue a run as if it had never stopped, bit for bit: from the newest readable checkpoint in
   * `outDir` (true), or from a file. Default false.
   */
  readonly resume?: boolean | string;
  /**
   * Start anew in an `outDir` that holds a run; its checkpoints and pictures are removed. Default
   * false: refused.
   */
  readonly overwrite?: boolean;
  /**
   * Measure which kernels are fastest on this adapter before the first step, a few seconds at most
   * (see `calibrate`). Two measurements may choose differently, and then the same seed gives the same
   * training, but not the same bits; a resumed run keeps its choices. The choices stay with `gpu`.
   * Default false: kernels by kind of adapter.
   */
  readonly calibrate?: boolean | CalibrateOptions;
  /** Pictures after every so many steps, as well as after every epoch. Default: epochs only. */
  readonly pictureEverySteps?: number;
  /** Pictures a grid; a square number looks best. Default 16. */
  readonly pictureCount?: number;
  /** Stops the run after the step under way. */
  readonly signal?: AbortSignal;
  /** Called for every step in order, some steps late: losses are read from the device in bunches. */
  readonly onStep?: (event: StepEvent) => void;
  /** Called after every epoch, before the next begins. */
  readonly onEpoch?: (event: EpochEvent) => void | Promise<void>;
  /** Called with what a person should know: a checkpoint was written, read or skipped. */
  readonly onMessage?: (text: string) => void;
  /** Called whenever pictures were made. */
  readonly onPicture?: (event: PictureEvent) => void | Promise<void>;
}

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
  /** The GIF of the pictures, if there is an `outDir` and at least one picture. */
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

/** How often losses are read: about twice a second, since a wait costs 10 ms whatever its size. */
class Pace {
  #interval = 1;
  #since = performance.now();

  /** Steps to enqueue before the next read. It bounds how far the queue runs ahead, too. */
  get interval(): number {
    return this.#interval;
  }

  /** Says that a read is done. */
  tick(): void {
    const milliseconds = performance.now() - this.#since;
    // After the first step, which a person waits for, no step waits for its own losses.
    if (milliseconds < 300 || this.#interval === 1) {
      this.#interval = Math.min(64, this.#interval * 2);
    }
    if (milliseconds > 1200) this.#interval = Math.max(2, this.#interval >> 1);
    this.#since = performance.now();
  }
}

/** Where a run stands, kept in its checkpoints. */
interface Position {
  /** The epoch under way, counted from 1. */
  epoch: number;
  /** Pictures of it that are trained. */
  at: number;
  /** Steps of the whole run. */
  steps: number;
  /** Steps of the epoch under way, and the sums of their losses. */
  sums: { steps: number; generator: number; discriminator: number };
  history: EpochEvent[];
}

function validate(options: TrainOptions): void {
  validateDataset(options.dataset);
  const { checkpoint, resume, outDir } = options;
  const counts = {
    epochs: options.epochs,
    batchSize: options.batchSize,
    noiseDim: options.noiseDim,
    maxSteps: options.maxSteps,
    pictureEverySteps: options.pictureEverySteps,
    pictureCount: options.pictureCount,
    "checkpoint.everyEpochs": checkpoint ? checkpoint.everyEpochs : undefined,
    "checkpoint.keep": checkpoint ? checkpoint.keep : undefined,
  };
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined) requireCount(name, value);
  }
  if (resume === true && outDir === undefined) {
    throw new TypeError("resume: true needs an outDir to look in; or give the checkpoint's path");
  }
}

/** What a resumed run must share with the one it continues, defaults filled in. */
async function configurationOf(options: TrainOptions): Promise<Record<string, unknown>> {
  const { images, count, height, width, channels } = options.dataset;
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(images));
  return {
    dataset: [count, height, width, channels],
    images: `sha256 ${new Uint8Array(digest).toHex()}`,
    batchSize: options.batchSize ?? 256,
    noiseDim: options.noiseDim ?? 100,
    learningRate: options.learningRate ?? 1e-4,
    beta1: options.beta1 ?? 0.9,
    beta2: options.beta2 ?? 0.999,
    generatorWidths: options.generatorWidths ?? [256, 128, 64],
    discriminatorWidths: options.discriminatorWidths ?? [64, 128],
    dropout: options.dropout ?? 0.3,
    seed: options.seed ?? 0,
  };
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
 * @throws {RangeError} when an option is out of range.
 * @throws {DataError} when the data set is not one.
 * @throws {AdapterError} when no device is given and none is found.
 * @throws {CheckpointError} when there is nothing to resume, or it is damaged or of another
 *   configuration; or when `outDir` holds a run that is neither resumed nor overwritten.
 */
export async function trainDCGAN(options: TrainOptions): Promise<TrainResult> {
  validate(options);
  const gpu = options.gpu ?? await Gpu.request();
  let model: DCGAN | undefined;
  const dispose = () => {
    model?.[Symbol.dispose]();
    if (!options.gpu) gpu[Symbol.dispose]();
  };
  try {
    model = new DCGAN(gpu, options.dataset, {
      seed: options.seed ?? 0,
      generator: { noiseDim: options.noiseDim, widths: options.generatorWidths },
      discriminator: { widths: options.discriminatorWidths, dropout: options.dropout },
      adam: {
        learningRate: options.learningRate ?? 1e-4,
        beta1: options.beta1,
        beta2: options.beta2,
      },
    });
    const result = await run(options, gpu, model);
    model.finish();
    const { generator, discriminator } = model;
    return { ...result, generator, discriminator, gpu, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The kernel choices of a checkpoint: what they are, and where they were made. */
function describeKernels(gpu: Gpu): string {
  return JSON.stringify({ adapter: gpu.info.description, tuning: gpu.tuning });
}

/** Goes on with a checkpoint's kernels, so that the bits stay the same, if the adapter did. */
function useKernels(gpu: Gpu, kernels: string, path: string, say: (text: string) => void): void {
  const here = describeKernels(gpu);
  if (kernels === here) return;
  const tuning = tuningOf(kernels, gpu.info.description);
  if (tuning) {
    gpu.tune(tuning);
    say(`kernels as in ${path}`);
  } else {
    say(
      `${path} was made with other kernels (${kernels}, here ${here}): ` +
        "the run goes on, but not with the same bits",
    );
  }
}

/** The kernel choices that a checkpoint names; nothing if they are of another adapter, or none. */
function tuningOf(kernels: string, here: string): Tuning | undefined {
  try {
    const { adapter, tuning: { gemm, parallelism, choices } } = JSON.parse(kernels);
    if (adapter !== here || gemm === undefined || parallelism === undefined) return undefined;
    return requireTuning({ gemm, parallelism, choices });
  } catch {
    return undefined;
  }
}

type Outcome = Omit<
  TrainResult,
  "generator" | "discriminator" | "gpu" | typeof Symbol.dispose
>;

async function run(options: TrainOptions, gpu: Gpu, model: DCGAN): Promise<Outcome> {
  const { dataset, epochs = 50, batchSize = 256, noiseDim = 100, seed = 0 } = options;
  const { maxSteps = Infinity, pictureEverySteps, pictureCount = 16, signal, outDir } = options;
  const { count, height, width, channels } = dataset;
  const say = options.onMessage ?? (() => {});

  using sampler = new Sampler(gpu, model.generator, pictureCount);
  const noise = seedNoise(pictureCount, noiseDim, seed);
  const pictures = outDir === undefined
    ? undefined
    : await PictureFolder.open(outDir, { count: pictureCount, height, width, channels });

  const policy = options.checkpoint === false ? undefined : options.checkpoint ?? {};
  const checkpoints = outDir === undefined
    ? undefined
    : new CheckpointFolder(join(outDir, "training_checkpoints"), policy?.keep ?? 3);
  if (!options.resume) {
    await checkpoints?.begin(options.overwrite ?? false);
    await pictures?.begin(options.overwrite ?? false);
  }
  const configuration = await configurationOf(options);
  let position: Position = {
    epoch: 1,
    at: 0,
    steps: 0,
    sums: { steps: 0, generator: 0, discriminator: 0 },
    history: [],
  };
  if (options.resume) {
    const { path, checkpoint } = typeof options.resume === "string"
      ? { path: options.resume, checkpoint: await readCheckpoint<Position>(options.resume) }
      : await checkpoints!.latest<Position>((error) => say(`skipped: ${error.message}`));
    requireSameConfiguration(path, checkpoint.configuration, configuration);
    model.restore(checkpoint.tensors, path);
    position = checkpoint.position;
    useKernels(gpu, checkpoint.kernels, path, say);
    say(`resumed ${path} at epoch ${position.epoch}, step ${position.steps}`);
  } else if (options.calibrate) {
    const wanted = options.calibrate === true ? {} : options.calibrate;
    await calibrate(gpu, model.gemms(Math.min(batchSize, count)), { onMessage: say, ...wanted });
    model.recompile();
  }
  const kernels = describeKernels(gpu);

  const totalSteps = Math.min(maxSteps, epochs * Math.ceil(count / batchSize));
  const pace = new Pace();
  const begunAt = position.steps;
  let reported = begunAt; // read back
  let diverged = false;
  let saved: { path?: string; steps: number } = { steps: position.steps };

  const report = async () => {
    const { sums, epoch } = position;
    for (
      const [generatorLoss, discriminatorLoss] of await model.losses.take(
        position.steps - reported,
      )
    ) {
      reported++;
      if (!diverged && !Number.isFinite(generatorLoss + discriminatorLoss)) {
        diverged = true;
        say(`the losses are no longer finite at step ${reported}: try a lower learning rate`);
      }
      sums.steps++;
      sums.generator += generatorLoss;
      sums.discriminator += discriminatorLoss;
      const images = (epoch - 1) * count + Math.min(sums.steps * batchSize, count);
      options.onStep?.({
        step: reported,
        epoch,
        generatorLoss,
        discriminatorLoss,
        images,
        totalSteps,
      });
    }
    pace.tick();
  };

  const show = async (epoch: number, name: string) => {
    const sample = await sampler.sample(noise);
    const path = await pictures?.save(name, sample);
    await options.onPicture?.({ step: position.steps, epoch, pictures: sample, path });
    return path;
  };

  const save = async () => {
    if (!checkpoints || !policy || saved.steps === position.steps) return;
    const { epoch, at, steps } = position;
    // After an epoch's last step the position is the next one's beginning.
    const path = await checkpoints.save(
      at === 0 ? epoch - 1 : epoch,
      at === 0 ? undefined : steps,
      { tensors: await model.save(), configuration, kernels, position },
    );
    saved = { path, steps };
    say(`wrote ${path}`);
  };

  const running = () => position.steps < totalSteps && !signal?.aborted;

  while (position.epoch <= epochs && running()) {
    const begun = performance.now();
    const { epoch } = position;
    const order = permutation(count, new RandomSequence(seed, STREAM.order + epoch));
    while (position.at < count && running()) {
      const end = Math.min(count, position.at + batchSize);
      model.step(order.subarray(position.at, end));
      position.at = end;
      position.steps++;
      if (position.steps - reported >= pace.interval) await report();
      if (pictureEverySteps && position.steps % pictureEverySteps === 0) {
        await show(epoch, `image_at_step_${String(position.steps).padStart(6, "0")}`);
      }
    }
    if (position.steps > reported) await report();
    // An epoch that was stopped in the middle goes on when the run is resumed.
    if (position.at < count && signal?.aborted) break;

    const { sums } = position;
    const event: EpochEvent = {
      epoch,
      steps: sums.steps,
      generatorLoss: sums.generator / sums.steps,
      discriminatorLoss: sums.discriminator / sums.steps,
      picture: await show(epoch, `image_at_epoch_${String(epoch).padStart(4, "0")}`),
      seconds: (performance.now() - begun) / 1000,
    };
    // An epoch that maxSteps had cut is finished by the resumed run.
    position.history = [...position.history.filter((e) => e.epoch !== epoch), event];
    if (position.at >= count) {
      position.epoch++;
      position.at = 0;
      position.sums = { steps: 0, generator: 0, discriminator: 0 };
    }
    await options.onEpoch?.(event);
    if (position.at === 0 && policy && epoch % (policy.everyEpochs ?? 15) === 0) await save();
    if (position.at > 0) break; // maxSteps cut the epoch
  }
  await save();

  const gif = await pictures?.writeGIF();
  return {
    history: position.history,
    steps: position.steps,
    aborted: signal?.aborted ?? false,
    stats: reported > begunAt ? model.stats(Math.min(batchSize, count)) : undefined,
    checkpoint: saved.path,
    gif,
  };
}
