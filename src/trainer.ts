/**
 * A run of training in memory: its state, one step or epoch at a time.
 *
 * @module
 */

import { Balance } from "./balance.ts";
import { calibrate, type CalibrateOptions } from "./calibrate.ts";
import { type Dataset, validateDataset } from "./data/dataset.ts";
import { DCGAN } from "./dcgan.ts";
import { Gpu } from "./graph/gpu.ts";
import { requireTuning, type Tuning } from "./graph/lower.ts";
import type { ProgramStats } from "./graph/program.ts";
import { writeFileAtomic } from "./io/atomic.ts";
import {
  type Checkpoint,
  encodeCheckpoint,
  readCheckpoint,
  requireSameConfiguration,
} from "./io/checkpoints.ts";
import { plain } from "./io/json.ts";
import type { Discriminator } from "./model/discriminator.ts";
import { energyDistance } from "./model/distance.ts";
import type { Generator } from "./model/generator.ts";
import { Sampler, seedNoise } from "./model/sampler.ts";
import { permutation, RandomSequence, STREAM } from "./model/threefry.ts";
import { requireCount } from "./model/validate.ts";
import { type EpochEvent, type Position, requirePosition } from "./position.ts";
import { VERSION } from "./version.ts";

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

/** What a {@linkcode Trainer} tells while it trains. At "epoch" and "pause" no later step has begun. */
export type TrainEvent =
  | { readonly type: "step" } & StepEvent
  | { readonly type: "epoch" } & EpochEvent
  | { readonly type: "pause"; readonly step: number; readonly epoch: number };

/** Options of {@linkcode Trainer.create}; the defaults are the tutorial's. */
export interface TrainerOptions {
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
   * Whether epochs and checkpoints get a {@linkcode Trainer.distance}, which takes a few tenths of a
   * second for MNIST. Default true.
   */
  readonly distance?: boolean;
  /** Stops the run after the step under way. */
  readonly signal?: AbortSignal;
  /** Called with what a person should know: losses that are not finite, a network that wins. */
  readonly onMessage?: (text: string) => void;
}

/** All state of a run at one moment. */
export type Snapshot = Checkpoint<Position>;

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

/** Pictures on each side of {@linkcode Trainer.distance}. */
const DISTANCE_PICTURES = 256;

function validate(options: TrainerOptions): void {
  validateDataset(options.dataset);
  const { epochs, batchSize, noiseDim, maxSteps } = options;
  for (const [name, value] of Object.entries({ epochs, batchSize, noiseDim, maxSteps })) {
    if (value !== undefined) requireCount(name, value);
  }
}

/** What a resumed run must share with the one it continues, defaults filled in. */
async function configurationOf(options: TrainerOptions): Promise<Record<string, unknown>> {
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
 * The tutorial's training with the loop in your hands. It writes no files but those that `save` is
 * asked for; `trainDCGAN` is the same training as one call, with pictures and checkpoints.
 *
 * ```ts
 * import { loadMNIST, Trainer } from "@dcgan/webgpu";
 *
 * using trainer = await Trainer.create({ dataset: await loadMNIST(), epochs: 2 });
 * for await (const event of trainer) {
 *   if (event.type === "step") console.log(event.step, event.generatorLoss);
 *   if (event.type === "epoch") await trainer.save(`epoch-${event.epoch}.safetensors`);
 * }
 * const pictures = await trainer.sample({ count: 16 }); // [16, 28, 28, 1] on [-1, 1]
 * ```
 *
 * One thing at a time: a step, an epoch, an iteration, a snapshot or a restore must be over before
 * the next begins; what overlaps is refused.
 */
export class Trainer implements AsyncIterable<TrainEvent>, Disposable {
  readonly #options: TrainerOptions;
  readonly #model: DCGAN;
  readonly #samplers = new Map<number, Sampler>();
  readonly #pace = new Pace();
  #balance = new Balance();
  #position: Position = {
    epoch: 1,
    at: 0,
    steps: 0,
    sums: { steps: 0, generator: 0, discriminator: 0 },
    history: [],
  };
  /** Steps enqueued whose losses are not read yet; all of one epoch. */
  #pending = 0;
  /** Events that no one has taken yet. */
  #events: TrainEvent[] = [];
  #order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;
  /** Kernel choices of this run, once it has begun. */
  #kernels: string | undefined;
  #epochBegun: number | undefined;
  #distance: { readonly steps: number; readonly value: number } | undefined;
  #busy: string | undefined;
  #diverged = false;

  private constructor(
    options: TrainerOptions,
    /** The device that holds everything. */
    readonly gpu: Gpu,
    /** What a checkpoint must share with this run to be restored; see `requireSameConfiguration`. */
    readonly configuration: Readonly<Record<string, unknown>>,
    model: DCGAN,
  ) {
    this.#options = options;
    this.#model = model;
  }

  /**
   * Makes networks, optimizers and the data set on a device.
   *
   * @throws {RangeError} when an option is out of range.
   * @throws {DataError} when the data set is not one.
   * @throws {AdapterError} when no device is given and none is found.
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    validate(options);
    const configuration = await configurationOf(options);
    const gpu = options.gpu ?? await Gpu.request();
    try {
      const model = new DCGAN(gpu, options.dataset, {
        seed: options.seed ?? 0,
        generator: { noiseDim: options.noiseDim, widths: options.generatorWidths },
        discriminator: { widths: options.discriminatorWidths, dropout: options.dropout },
        adam: {
          learningRate: options.learningRate ?? 1e-4,
          beta1: options.beta1,
          beta2: options.beta2,
        },
      });
      return new Trainer(options, gpu, configuration, model);
    } catch (error) {
      if (!options.gpu) gpu[Symbol.dispose]();
      throw error;
    }
  }

  /** The generator under training. */
  get generator(): Generator {
    return this.#model.generator;
  }

  /** The discriminator under training. */
  get discriminator(): Discriminator {
    return this.#model.discriminator;
  }

  /** Steps trained so far; those before a restored checkpoint count, too. */
  get steps(): number {
    return this.#position.steps;
  }

  /** The epoch that the next step belongs to, counted from 1. */
  get currentEpoch(): number {
    return this.#position.epoch;
  }

  /** Whether the last step ended an epoch, or none was trained yet. */
  get betweenEpochs(): boolean {
    return this.#position.at === 0;
  }

  /** Steps of the whole run, by `epochs` and `maxSteps`; they bound the iteration. */
  get totalSteps(): number {
    const { epochs = 50, maxSteps = Infinity, dataset: { count } } = this.#options;
    return Math.min(maxSteps, epochs * Math.ceil(count / this.#batchSize));
  }

  /** One entry an epoch. */
  get history(): readonly EpochEvent[] {
    return this.#position.history;
  }

  /** What one full step costs: dispatches, and memory with and without sharing. */
  get stats(): ProgramStats {
    return this.#model.stats(Math.min(this.#batchSize, this.#options.dataset.count));
  }

  get #batchSize(): number {
    return this.#options.batchSize ?? 256;
  }

  get #noiseDim(): number {
    return this.generator.noiseDim;
  }

  get #seed(): number {
    return this.#options.seed ?? 0;
  }

  #say(text: string): void {
    this.#options.onMessage?.(text);
  }

  /**
   * Chooses the kernels of a run that was not restored: measures them if `calibrate` asks for it. The
   * first step does this if nobody did before.
   */
  async prepare(): Promise<void> {
    if (this.#kernels !== undefined) return;
    const { calibrate: wanted, dataset: { count } } = this.#options;
    if (wanted) {
      const options = wanted === true ? {} : wanted;
      await calibrate(this.gpu, this.#model.gemms(Math.min(this.#batchSize, count)), {
        onMessage: (text) => this.#say(text),
        ...options,
      });
      this.#model.recompile();
      this.#freeSamplers();
    }
    this.#kernels = describeKernels(this.gpu);
  }

  /**
   * Trains one batch and waits for its losses. A wait takes 10 ms or more, however small the network:
   * `epoch` and the iteration read losses in bunches.
   *
   * ```ts
   * import { loadMNIST, Trainer } from "@dcgan/webgpu";
   *
   * using trainer = await Trainer.create({ dataset: await loadMNIST() });
   * const { generatorLoss, discriminatorLoss } = await trainer.step();
   * ```
   *
   * @throws the signal's reason, when it is aborted.
   */
  async step(): Promise<StepEvent> {
    this.#options.signal?.throwIfAborted();
    const events = await this.#exclusively("a step", async () => {
      await this.prepare();
      this.#enqueue();
      return await this.#flush();
    });
    const { type: _, ...event } = events.find((event) => event.type === "step")!;
    return event;
  }

  /**
   * Trains to the end of the epoch under way.
   *
   * @throws the signal's reason, when it is aborted; after the step under way, and everything up to
   *   it can be saved.
   */
  async epoch(): Promise<EpochEvent> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    return await this.#exclusively("an epoch", async () => {
      await this.prepare();
      for (;;) {
        this.#enqueue();
        if (!this.#due && !signal?.aborted) continue;
        for (const event of await this.#flush()) {
          if (event.type !== "epoch") continue;
          const { type: _, ...epoch } = event;
          return epoch;
        }
        signal?.throwIfAborted();
      }
    });
  }

  /**
   * Trains until the epochs or `maxSteps` are done or the signal is aborted, and tells every step and
   * epoch in order. Steps are told some steps late, since losses are read in bunches. Whoever breaks
   * off may iterate again: it goes on where it was.
   */
  [Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void, void> {
    return this.run();
  }

  /**
   * The iteration, with a "pause" event after each step for which `pauseAfter` says so: no later step
   * has begun then, so that pictures and snapshots are of exactly that step.
   */
  async *run(
    { pauseAfter = () => false }: { readonly pauseAfter?: (step: number) => boolean } = {},
  ): AsyncGenerator<TrainEvent, void, void> {
    const { signal, dataset: { count } } = this.#options;
    const running = () => this.steps < this.totalSteps && !signal?.aborted;
    for (;;) {
      for (let event; (event = this.#events.shift());) yield event;
      if (!running()) return;
      await this.#exclusively("an iteration", async () => {
        await this.prepare();
        let pause: boolean;
        do {
          this.#enqueue();
          pause = pauseAfter(this.steps);
        } while (!pause && !this.#due && running());
        const { steps: step, epoch } = this.#position;
        this.#events = await this.#flush();
        if (pause) {
          const at = this.#events.findLastIndex(({ type }) => type === "step") + 1;
          this.#events.splice(at, 0, { type: "pause", step, epoch });
        }
        // An epoch that maxSteps cut is told as far as it came; a resumed run finishes it.
        const { at } = this.#position;
        if (at > 0 && at < count && this.steps >= this.totalSteps && !signal?.aborted) {
          this.#events.push(await this.#endEpoch());
        }
      });
    }
  }

  /**
   * Pictures of the generator as it stands.
   *
   * @param options.count default 16
   * @param options.seed of the noise; default the run's. The same seed gives the same noise.
   * @returns [count, height, width, channels] on [-1, 1]
   */
  async sample(
    { count = 16, seed = this.#seed }: { readonly count?: number; readonly seed?: number } = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    requireCount("count", count);
    let sampler = this.#samplers.get(count);
    if (!sampler) {
      this.#samplers.set(count, sampler = new Sampler(this.gpu, this.generator, count));
    }
    return await sampler.sample(seedNoise(count, this.#noiseDim, seed));
  }

  /**
   * How far generated pictures are from real ones: the energy distance (Székely and Rizzo 2013)
   * between 256 of each, always the same noise and the same real pictures, as vectors of pixels on
   * [-1, 1]. Lower is better, and equal distributions give about 0; NaN for a single picture. Losses do not tell that: they only
   * say which network is ahead.
   */
  async distance(): Promise<number> {
    if (this.#distance?.steps === this.steps) return this.#distance.value;
    const { images, count, height, width, channels } = this.#options.dataset;
    const size = height * width * channels;
    if (count < 2) return NaN; // A single picture has no distribution.
    const pictures = Math.min(DISTANCE_PICTURES, count);
    const real = new Float32Array(pictures * size);
    for (let i = 0; i < pictures; i++) {
      // Evenly over the whole set, which may be sorted.
      const from = Math.floor(i * count / pictures) * size;
      for (let j = 0; j < size; j++) real[i * size + j] = images[from + j] / 127.5 - 1;
    }
    const value = energyDistance(await this.sample({ count: pictures }), real, size);
    this.#distance = { steps: this.steps, value };
    return value;
  }

  /**
   * All state as it stands, in memory: weights, moments, statistics, random state, place in the
   * epoch. `restore` takes it.
   */
  async snapshot(): Promise<Snapshot> {
    return await this.#exclusively("a snapshot", async () => ({
      tensors: await this.#model.save(),
      configuration: this.configuration,
      kernels: this.#kernels ?? describeKernels(this.gpu),
      version: VERSION,
      distance: this.#options.distance === false ? undefined : await this.distance(),
      position: structuredClone(this.#position),
    }));
  }

  /**
   * Writes a checkpoint, whole or not at all. Permissions: read and write for its folder.
   *
   * @returns the path
   */
  async save(path: string): Promise<string> {
    await writeFileAtomic(path, encodeCheckpoint(await this.snapshot()));
    return path;
  }

  /**
   * Goes on with a checkpoint as if training had never stopped, bit for bit on the same adapter.
   * Events that were not taken yet are dropped.
   *
   * @param source a path, or a snapshot
   * @param name what messages call a snapshot
   * @throws {CheckpointError} when it is damaged, or of another configuration. Nothing is changed then.
   */
  async restore(source: string | Snapshot, name = "the snapshot"): Promise<void> {
    await this.#exclusively("a restore", async () => {
      const [path, checkpoint] = typeof source === "string"
        ? [source, await readCheckpoint<Position>(source)]
        : [name, source];
      requireSameConfiguration(path, checkpoint.configuration, this.configuration);
      requirePosition(checkpoint.position, this.#options.dataset.count, path);
      this.#model.restore(checkpoint.tensors, path);
      this.#position = structuredClone(checkpoint.position);
      this.#events = [];
      this.#order = undefined;
      this.#distance = undefined;
      this.#epochBegun = undefined;
      this.#balance = new Balance();
      this.#useKernels(checkpoint.kernels, path);
    });
  }

  /**
   * Frees everything but the networks.
   *
   * @ignore `trainDCGAN` hands the networks on.
   */
  finish(): void {
    this.#freeSamplers();
    this.#model.finish();
  }

  /** Frees everything: networks, optimizers, data set, and the device unless it was the caller's. */
  [Symbol.dispose](): void {
    this.#freeSamplers();
    this.#model[Symbol.dispose]();
    if (!this.#options.gpu) this.gpu[Symbol.dispose]();
  }

  #freeSamplers(): void {
    for (const sampler of this.#samplers.values()) sampler[Symbol.dispose]();
    this.#samplers.clear();
  }

  /** Refuses overlapping calls, which would read each other's losses. */
  async #exclusively<T>(what: string, body: () => Promise<T>): Promise<T> {
    if (this.#busy) {
      throw new Error(`Cannot begin ${what} while ${this.#busy} is under way: await it first`);
    }
    this.#busy = what;
    try {
      return await body();
    } finally {
      this.#busy = undefined;
    }
  }

  /** Goes on with a checkpoint's kernels, so that the bits stay the same, if the adapter did. */
  #useKernels(kernels: string, path: string): void {
    this.#kernels = describeKernels(this.gpu);
    if (kernels === this.#kernels) return;
    const tuning = tuningOf(kernels, this.gpu.info.description);
    if (!tuning) {
      return this.#say(
        `${path} was made with other kernels (${plain(kernels, 4000)}, here ${this.#kernels}): ` +
          "the run goes on, but not with the same bits",
      );
    }
    this.gpu.tune(tuning);
    this.#model.recompile();
    this.#freeSamplers();
    this.#kernels = describeKernels(this.gpu);
    this.#say(`kernels as in ${path}`);
  }

  /** Enqueues one step. */
  #enqueue(): void {
    const { dataset: { count } } = this.#options;
    const { epoch, at, steps } = this.#position;
    if (this.#order?.epoch !== epoch) {
      const random = new RandomSequence(this.#seed, STREAM.order + epoch);
      this.#order = { epoch, indices: permutation(count, random) };
    }
    this.#epochBegun ??= performance.now();
    const end = Math.min(count, at + this.#batchSize);
    this.#model.step(this.#order.indices.subarray(at, end));
    this.#position = { ...this.#position, at: end, steps: steps + 1 };
    this.#pending++;
  }

  /** Whether losses should be read before the next step. */
  get #due(): boolean {
    return this.#pending >= this.#pace.interval ||
      this.#position.at >= this.#options.dataset.count;
  }

  /** Reads the losses of the steps enqueued since the last time, and ends an epoch that is through. */
  async #flush(): Promise<TrainEvent[]> {
    const { dataset: { count } } = this.#options;
    const { sums, epoch, steps } = this.#position;
    const { totalSteps } = this;
    const losses = await this.#model.losses.take(this.#pending);
    const events = losses.map(([generatorLoss, discriminatorLoss], i): TrainEvent => {
      const step = steps - losses.length + i + 1;
      sums.steps++;
      sums.generator += generatorLoss;
      sums.discriminator += discriminatorLoss;
      this.#watch(step, generatorLoss, discriminatorLoss);
      const images = (epoch - 1) * count + Math.min(sums.steps * this.#batchSize, count);
      return { type: "step", step, epoch, generatorLoss, discriminatorLoss, images, totalSteps };
    });
    this.#pending = 0;
    this.#pace.tick();
    if (this.#position.at >= count) events.push(await this.#endEpoch());
    return events;
  }

  #watch(step: number, generatorLoss: number, discriminatorLoss: number): void {
    if (!Number.isFinite(generatorLoss + discriminatorLoss)) {
      if (this.#diverged) return;
      this.#diverged = true;
      return this.#say(
        `the losses are no longer finite at step ${step}: try a lower learning rate`,
      );
    }
    const warning = this.#balance.add(step, generatorLoss, discriminatorLoss);
    if (warning) this.#say(warning);
  }

  async #endEpoch(): Promise<TrainEvent> {
    const { epoch, at, steps: step, sums, history } = this.#position;
    const seconds = (performance.now() - this.#epochBegun!) / 1000;
    const distance = this.#options.distance === false ? {} : { distance: await this.distance() };
    const event: EpochEvent = {
      epoch,
      step,
      steps: sums.steps,
      generatorLoss: sums.generator / sums.steps,
      discriminatorLoss: sums.discriminator / sums.steps,
      seconds,
      ...distance,
    };
    const through = at >= this.#options.dataset.count;
    this.#position = {
      // One that maxSteps had cut is replaced when it is finished.
      history: [...history.filter((old) => old.epoch !== epoch), event],
      steps: step,
      epoch: through ? epoch + 1 : epoch,
      at: through ? 0 : at,
      sums: through ? { steps: 0, generator: 0, discriminator: 0 } : sums,
    };
    if (through) this.#epochBegun = undefined;
    return { type: "epoch", ...event };
  }
}

/** The kernel choices of a run: what they are, and where they were made. */
function describeKernels(gpu: Gpu): string {
  return JSON.stringify({ adapter: gpu.info.description, tuning: gpu.tuning });
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
