/**
 * The training loop.
 *
 * @module
 */

import { type Dataset, validateDataset } from "./data/dataset.ts";
import { Gpu } from "./graph/gpu.ts";
import type { Program } from "./graph/program.ts";
import { PictureFolder } from "./io/pictures.ts";
import { Discriminator } from "./model/discriminator.ts";
import { Generator } from "./model/generator.ts";
import { Sampler, seedNoise } from "./model/sampler.ts";
import { compileStep, LossRing } from "./model/step.ts";
import { permutation, RandomSequence, STREAM } from "./model/threefry.ts";
import { requireCount } from "./model/validate.ts";
import { Adam } from "./optim/adam.ts";

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
  /** Folder for pictures and the GIF. Default: nothing is written. */
  readonly outDir?: string;
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
  /** Steps trained. */
  readonly steps: number;
  /** Whether the signal stopped it. */
  readonly aborted: boolean;
  /** The GIF of the pictures, if there is an `outDir` and at least one picture. */
  readonly gif?: string;
  /** The device that holds both networks. */
  readonly gpu: Gpu;
  /** Frees what the run allocated: the device, unless it was the caller's. */
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
    if (milliseconds < 300) this.#interval = Math.min(64, this.#interval * 2);
    if (milliseconds > 1200) this.#interval = Math.max(1, this.#interval >> 1);
    this.#since = performance.now();
  }
}

function validate(options: TrainOptions): void {
  validateDataset(options.dataset);
  const counts = [
    "epochs",
    "batchSize",
    "noiseDim",
    "maxSteps",
    "pictureEverySteps",
    "pictureCount",
  ];
  for (const name of counts) {
    const value = options[name as keyof TrainOptions];
    if (value !== undefined) requireCount(name, value as number);
  }
  const { batchSize = 256, dataset } = options;
  if (batchSize > dataset.count) {
    throw new RangeError(
      `batchSize is ${batchSize}, but the data set has only ${dataset.count} pictures: ` +
        `use at most ${dataset.count}`,
    );
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
 * @throws {RangeError} when an option is out of range.
 * @throws {DataError} when the data set is not one.
 * @throws {AdapterError} when no device is given and none is found.
 */
export async function trainDCGAN(options: TrainOptions): Promise<TrainResult> {
  validate(options);
  const { dataset, epochs = 50, batchSize = 256, noiseDim = 100, seed = 0 } = options;
  const { maxSteps = Infinity, pictureEverySteps, pictureCount = 16, signal } = options;
  const { learningRate = 1e-4, beta1, beta2 } = options;
  const { count, height, width, channels } = dataset;

  const owned: Disposable[] = [];
  const gpu = options.gpu ?? await Gpu.request();
  if (!options.gpu) owned.push(gpu);
  try {
    const picture = { height, width, channels, seed };
    const generator = new Generator(gpu, {
      ...picture,
      noiseDim,
      widths: options.generatorWidths,
    });
    const discriminator = new Discriminator(gpu, {
      ...picture,
      widths: options.discriminatorWidths,
      dropout: options.dropout,
    });
    const adam = { learningRate, beta1, beta2 };
    const images = gpu.variable([count, height, width, channels], dataset.images, {
      name: "images",
      dtype: "u8",
      trainable: false,
    });
    const state = {
      generator,
      discriminator,
      generatorOptimizer: new Adam(gpu, generator.trainableVariables, adam),
      discriminatorOptimizer: new Adam(gpu, discriminator.trainableVariables, adam),
      images,
      random: gpu.variable([2], [seed, 0], { name: "random", dtype: "u32", trainable: false }),
      losses: new LossRing(gpu),
    };
    const programs = new Map<number, Program<"indices">>();
    const programFor = (batch: number) => {
      let program = programs.get(batch);
      if (!program) programs.set(batch, program = compileStep(gpu, state, batch));
      return program;
    };
    const sampler = new Sampler(gpu, generator, pictureCount);
    const noise = seedNoise(pictureCount, noiseDim, seed);
    const folder = options.outDir === undefined ? undefined : await PictureFolder.open(
      options.outDir,
      { count: pictureCount, height, width, channels },
    );

    const stepsPerEpoch = Math.ceil(count / batchSize);
    const totalSteps = Math.min(maxSteps, epochs * stepsPerEpoch);
    const history: EpochEvent[] = [];
    const pace = new Pace();
    let steps = 0; // enqueued
    let reported = 0; // read back
    let trainedImages = 0;

    const show = async (epoch: number, name: string) => {
      const pictures = await sampler.sample(noise);
      const path = await folder?.save(name, pictures);
      await options.onPicture?.({ step: steps, epoch, pictures, path });
      return path;
    };

    for (let epoch = 1; epoch <= epochs && steps < totalSteps && !signal?.aborted; epoch++) {
      const begun = performance.now();
      const order = permutation(count, new RandomSequence(seed, STREAM.order + epoch));
      const sums = { steps: 0, generator: 0, discriminator: 0 };

      const report = async () => {
        for (
          const [generatorLoss, discriminatorLoss] of await state.losses.take(steps - reported)
        ) {
          reported++;
          sums.steps++;
          sums.generator += generatorLoss;
          sums.discriminator += discriminatorLoss;
          const inEpoch = Math.min(sums.steps * batchSize, count);
          options.onStep?.({
            step: reported,
            epoch,
            generatorLoss,
            discriminatorLoss,
            images: trainedImages + inEpoch,
            totalSteps,
          });
        }
        pace.tick();
      };

      for (let at = 0; at < count && steps < totalSteps && !signal?.aborted; at += batchSize) {
        const indices = order.subarray(at, Math.min(count, at + batchSize));
        programFor(indices.length).run({ indices });
        steps++;
        if (steps - reported >= pace.interval) await report();
        if (pictureEverySteps && steps % pictureEverySteps === 0) {
          await show(epoch, `image_at_step_${String(steps).padStart(6, "0")}`);
        }
      }
      if (steps > reported) await report();
      trainedImages += Math.min(sums.steps * batchSize, count);
      if (sums.steps === 0) break;
      const event: EpochEvent = {
        epoch,
        steps: sums.steps,
        generatorLoss: sums.generator / sums.steps,
        discriminatorLoss: sums.discriminator / sums.steps,
        picture: await show(epoch, `image_at_epoch_${String(epoch).padStart(4, "0")}`),
        seconds: (performance.now() - begun) / 1000,
      };
      history.push(event);
      await options.onEpoch?.(event);
    }

    const gif = await folder?.writeGIF();
    for (const program of [...programs.values(), sampler]) program[Symbol.dispose]();
    images.dispose();
    return {
      generator,
      discriminator,
      history,
      steps,
      aborted: signal?.aborted ?? false,
      gif,
      gpu,
      [Symbol.dispose]() {
        for (const resource of owned) resource[Symbol.dispose]();
      },
    };
  } catch (error) {
    for (const resource of owned) resource[Symbol.dispose]();
    throw error;
  }
}
