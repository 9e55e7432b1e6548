/**
 * A run of training in memory: its state, one step or epoch at a time.
 *
 * @module
 */

import { Balance } from "./balance.ts";
import { calibrate } from "../ops/gemm/calibrate.ts";
import { DCGAN } from "./dcgan.ts";
import { DeviceLostError, NonFiniteError } from "../errors.ts";
import { Gpu } from "../graph/gpu.ts";
import type { ProgramStats } from "../graph/program.ts";
import { writeFileAtomic } from "../files/atomic.ts";
import { readCheckpoint } from "../files/checkpoints.ts";
import {
  type Checkpoint,
  encodeCheckpoint,
  requireFinite,
  requireSameConfiguration,
} from "./checkpoint.ts";
import { plain } from "../formats/json.ts";
import type { Discriminator } from "../model/discriminator.ts";
import { energyDistance } from "../metrics/distance.ts";
import type { Generator } from "../model/generator.ts";
import { Sampler, seedNoise } from "../model/sampler.ts";
import { permutation, RandomSequence, STREAM } from "../model/threefry.ts";
import { requireCount } from "../model/validate.ts";
import { Pace } from "./read_interval.ts";
import { type EpochEvent, type Position, requirePosition } from "./position.ts";
import { describeKernels, tuningOf } from "./run_kernels.ts";
import { Succession } from "./succession.ts";
import {
  configurationOf,
  type StepEvent,
  type TrainerOptions,
  type TrainEvent,
  validateTrainerOptions,
} from "./options.ts";
import { VERSION } from "../version.ts";

/** All state of a run at one moment. */
export type Snapshot = Checkpoint<Position>;

/** Where a run begins. */
const BEGINNING: Position = {
  epoch: 1,
  at: 0,
  steps: 0,
  sums: { steps: 0, generator: 0, discriminator: 0 },
  history: [],
};

const RESTORE = "a restore";

/** Images on each side of {@linkcode Trainer.distance}. */
const DISTANCE_IMAGES = 256;

/** Numbers of images whose samplers stay compiled, and on the device: grids, distances, two more. */
const SAMPLERS = 4;

/**
 * The tutorial's training with the loop in your hands. It writes no files but those that `save` is
 * asked for; `trainDCGAN` is the same training as one call, with images and checkpoints.
 *
 * ```ts
 * import { loadMNIST, Trainer } from "@dcgan/webgpu";
 *
 * using trainer = await Trainer.create({ dataset: await loadMNIST(), epochs: 2 });
 * for await (const event of trainer) {
 *   if (event.type === "step") console.log(event.step, event.generatorLoss);
 *   if (event.type === "epoch") await trainer.save(`epoch-${event.epoch}.safetensors`);
 * }
 * const images = await trainer.sample({ count: 16 }); // [16, 28, 28, 1] on [-1, 1]
 * ```
 *
 * One thing at a time: a step, an epoch, an iteration, a snapshot or a restore must be over before
 * the next begins; what overlaps is refused with an `Error`, and changes nothing. Images and
 * distances may be asked for at any time: they are of the state after the steps enqueued so far. What
 * is asked of a trainer that is disposed is refused with a `TypeError`. So are steps and epochs that
 * wait then; images, distances and snapshots that were asked for before are refused, or still come.
 *
 * When its own device is lost, the trainer requests another and goes on; `gpu`, `generator` and
 * `discriminator` are then other ones than before.
 */
export class Trainer implements AsyncIterable<TrainEvent>, Disposable {
  readonly #options: TrainerOptions;
  #gpu: Gpu;
  #model: DCGAN;
  /** By number of images; the one that was used last comes last. */
  readonly #samplers = new Map<number, Sampler>();
  #sampling = 0;
  readonly #pace = new Pace();
  #balance = new Balance();
  #position: Position = structuredClone(BEGINNING);
  /** Steps enqueued whose losses are not read yet; all of one epoch. */
  #pending = 0;
  /** Events that no one has taken yet. */
  #events: TrainEvent[] = [];
  #order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;
  /** Kernel choices of this run, once it has begun. */
  #kernels: string | undefined;
  /** When the first of the steps enqueued began. */
  #begun: number | undefined;
  /** Milliseconds that the epoch under way has taken, as far as its losses are read. */
  #taken = 0;
  /** The last distance measured, and which weights it is of. */
  #distance: { readonly weights: string; readonly value: number } | undefined;
  #busy: string | undefined;
  #disposed = false;
  #diverged = false;
  /** What came in the way of steps that are counted but may not have been trained. */
  #broken: Error | undefined;
  /** Errors of the device before the first step whose losses are not read yet. */
  #failures = 0;
  /** Where the copy of the state on the device stands; all of it is finite. */
  #good: Position | undefined;
  #newest: Snapshot | undefined;
  #lost = 0;
  readonly #succession = new Succession({
    device: () => this.#gpu.context.errors,
    isBusy: () => this.#busy !== undefined,
    requireUsable: (cause) => this.#requireUsable(cause),
    replace: (lost) => this.#replaceDevice(lost),
  });

  private constructor(
    options: TrainerOptions,
    gpu: Gpu,
    /** What a checkpoint must share with this run to be restored; see `requireSameConfiguration`. */
    readonly configuration: Readonly<Record<string, unknown>>,
    model: DCGAN,
  ) {
    this.#options = options;
    this.#gpu = gpu;
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
    validateTrainerOptions(options);
    const configuration = await configurationOf(options);
    const { gpu, model } = await place(options);
    return new Trainer(options, gpu, configuration, model);
  }

  /** The device that holds everything. */
  get gpu(): Gpu {
    return this.#gpu;
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
    this.#requireUsable();
    if (this.#kernels === undefined) {
      await this.#exclusively("a preparation", () => this.#prepare());
    }
  }

  async #prepare(): Promise<void> {
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
      await this.#prepare();
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
      await this.#prepare();
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
   * has begun then, so that images and snapshots are of exactly that step.
   */
  async *run(
    { pauseAfter = () => false }: { readonly pauseAfter?: (step: number) => boolean } = {},
  ): AsyncGenerator<TrainEvent, void, void> {
    const { signal } = this.#options;
    this.#requireUsable();
    const running = () => this.steps < this.totalSteps && !signal?.aborted;
    for (;;) {
      for (let event; (event = this.#events.shift());) yield event;
      if (!running()) {
        if (!this.#cut) return;
        await this.#exclusively("an iteration", async () => {
          this.#events.push(await this.#endEpoch());
        });
        continue;
      }
      await this.#exclusively("an iteration", async () => {
        await this.#prepare();
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
      });
    }
  }

  /**
   * Whether `maxSteps` cut the epoch under way, and that was not told. It is told as far as it came; a
   * resumed run finishes it. A run that was killed before it was told, tells it when it is resumed.
   */
  get #cut(): boolean {
    const { at, steps, history } = this.#position;
    const within = at > 0 && at < this.#options.dataset.count;
    return within && steps === this.totalSteps && history.at(-1)?.step !== steps;
  }

  /**
   * Images of the generator as it stands.
   *
   * @param options.count default 16
   * @param options.seed of the noise; default the run's. The same seed gives the same noise.
   * @returns [count, height, width, channels] on [-1, 1]
   */
  async sample(
    { count = 16, seed = this.#seed }: { readonly count?: number; readonly seed?: number } = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    requireCount("count", count);
    return await this.#succession.survive(() => this.#sample(count, seed), true);
  }

  async #sample(count: number, seed: number): Promise<Float32Array<ArrayBuffer>> {
    this.#requireUsable();
    const sampler = this.#samplers.get(count) ?? new Sampler(this.gpu, this.generator, count);
    this.#samplers.delete(count);
    this.#samplers.set(count, sampler); // as the newest
    this.#sampling++;
    try {
      return await sampler.sample(seedNoise(count, this.#noiseDim, seed));
    } finally {
      // One that is still read from must not go.
      if (--this.#sampling === 0) this.#freeSamplers(SAMPLERS);
    }
  }

  /**
   * How far generated images are from real ones: the energy distance (Székely and Rizzo 2013)
   * between 256 of each, always the same noise and the same real images, as vectors of pixels on
   * [-1, 1]. Lower is better, and equal distributions give about 0; NaN for a single image. Losses
   * do not tell that: they only say which network is ahead.
   */
  async distance(): Promise<number> {
    return await this.#succession.survive(() => this.#measure(), true);
  }

  async #measure(): Promise<number> {
    // Whatever writes a weight counts on; that may happen before the images are there.
    const weights = this.generator.variables.map(({ view }) => view.buffer.version).join();
    if (this.#distance?.weights === weights) return this.#distance.value;
    const { images, count, height, width, channels } = this.#options.dataset;
    const size = height * width * channels;
    if (count < 2) return NaN; // A single image has no distribution.
    const samples = Math.min(DISTANCE_IMAGES, count);
    const real = new Float32Array(samples * size);
    for (let i = 0; i < samples; i++) {
      // Evenly over the whole set, which may be sorted.
      const from = Math.floor(i * count / samples) * size;
      for (let j = 0; j < size; j++) real[i * size + j] = images[from + j] / 127.5 - 1;
    }
    const value = energyDistance(await this.#sample(samples, this.#seed), real, size);
    this.#distance = { weights, value };
    return value;
  }

  /**
   * All state as it stands, in memory: weights, moments, statistics, random state, place in the
   * epoch. `restore` takes it.
   */
  async snapshot(): Promise<Snapshot> {
    return await this.#exclusively("a snapshot", () => this.#take());
  }

  async #take(): Promise<Snapshot> {
    const snapshot = {
      tensors: await this.#model.save(),
      configuration: this.configuration,
      kernels: this.#kernels ?? describeKernels(this.gpu),
      version: VERSION,
      distance: this.#options.distance === false ? undefined : await this.#measure(),
      position: this.#standing(),
    };
    if (this.#keepsNewest) this.#newest = snapshot;
    return snapshot;
  }

  /**
   * The newest state in memory: of the last epoch's end, snapshot or restore. Another device begins
   * from it, and it is still there when no device is; none where `deviceLosses` is 0 or nothing was
   * trained to an epoch's end.
   */
  get kept(): Snapshot | undefined {
    return this.#newest;
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
    await this.#exclusively(RESTORE, async () => {
      const [path, checkpoint] = typeof source === "string"
        ? [source, await readCheckpoint<Position>(source)]
        : [name, source];
      requireSameConfiguration(path, checkpoint.configuration, this.configuration);
      requirePosition(checkpoint.position, this.#options.dataset.count, path);
      if (this.#stops) requireFinite(checkpoint.tensors, path);
      this.#put(checkpoint, path);
      this.#events = [];
      this.#diverged = false;
      this.#broken = undefined;
      this.#balance = new Balance();
      this.#useKernels(checkpoint.kernels, path);
      if (this.#keepsNewest) this.#newest = checkpoint;
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
    if (this.#disposed) return;
    this.#disposed = true;
    this.#freeSamplers();
    this.#model[Symbol.dispose]();
    if (!(this.#options.gpu instanceof Gpu)) this.gpu[Symbol.dispose]();
  }

  /** Frees all samplers but the newest. */
  #freeSamplers(keep = 0): void {
    const surplus = Math.max(0, this.#samplers.size - keep);
    for (const [count, sampler] of [...this.#samplers].slice(0, surplus)) {
      sampler[Symbol.dispose]();
      this.#samplers.delete(count);
    }
  }

  /** Makes the state that of a checkpoint, which fits. */
  #put({ tensors, position }: Snapshot, name: string): void {
    this.#requireUsable();
    this.#model.restore(tensors, name);
    this.#stand(position);
  }

  #stand(position: Position): void {
    this.#position = structuredClone(position);
    this.#pending = 0;
    this.#begun = undefined;
    this.#distance = undefined;
    this.#taken = 0;
    this.#good = undefined;
  }

  get #deviceLosses(): number {
    return this.#options.deviceLosses ?? 3;
  }

  /** Whether the state of each epoch's end is kept in memory, in case the device is lost. */
  get #keepsNewest(): boolean {
    return this.#deviceLosses > 0;
  }

  /** @throws {TypeError} when it was disposed. */
  #requireUsable(cause?: unknown): void {
    if (this.#disposed) throw new TypeError("The trainer was disposed", { cause });
  }

  /** Requests another device and trains up to the step where the lost one was; nothing is told again. */
  async #replaceDevice(lost: DeviceLostError): Promise<void> {
    const target = this.#position.steps - this.#pending;
    for (let failure = lost;;) {
      // A caller's device is the caller's to replace.
      if (this.#options.gpu instanceof Gpu || this.#lost >= this.#deviceLosses) throw failure;
      this.#lost++;
      try {
        return await this.#startAnew(this.#newest, failure, target);
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        failure = error;
      }
    }
  }

  async #startAnew(newest: Snapshot | undefined, lost: Error, target: number): Promise<void> {
    const from = newest?.position.steps ?? 0;
    const [what] = lost.message.split(". ");
    this.#say(
      `${what}: requesting another and going on from step ${from} ` +
        `(${this.#lost} of ${this.#deviceLosses} times)`,
    );
    const { tuning } = this.#gpu;
    this.#freeSamplers();
    this.#model[Symbol.dispose]();
    this.#gpu[Symbol.dispose]();
    const { gpu, model } = await place(this.#options).catch(async (cause) => {
      if (cause instanceof DeviceLostError) throw cause;
      // A driver that starts anew takes a while.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      throw new DeviceLostError(`${what}. No other took its place: ${cause.message}`, { cause });
    });
    if (this.#disposed) gpu[Symbol.dispose]();
    this.#requireUsable();
    [this.#gpu, this.#model] = [gpu, model];
    gpu.tune(tuning);
    if (newest) this.#put(newest, "the snapshot");
    else this.#stand(BEGINNING);
    while (this.#position.steps < target) {
      this.#enqueue();
      if (this.#due || this.#position.steps === target) await this.#flush(true);
    }
  }

  /** Refuses overlapping calls, which would read each other's losses. */
  async #exclusively<T>(what: string, body: () => Promise<T>): Promise<T> {
    this.#requireUsable();
    if (this.#busy) {
      throw new Error(`Cannot begin ${what} while ${this.#busy} is under way: await it first`);
    }
    if (this.#broken && what !== RESTORE) {
      throw new Error(
        `Cannot begin ${what}: the steps before may not have been trained ` +
          `(${this.#broken.message}). Restore a snapshot or checkpoint first`,
        { cause: this.#broken },
      );
    }
    this.#busy = what;
    try {
      return await this.#succession.survive(body);
    } catch (error) {
      if (this.#pending > 0 && !this.#disposed) this.#broken = error as Error;
      throw error;
    } finally {
      this.#busy = undefined;
      this.#succession.next();
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
    this.#requireUsable();
    const { dataset: { count } } = this.#options;
    const { epoch, at, steps } = this.#position;
    if (this.#order?.epoch !== epoch) {
      const random = new RandomSequence(this.#seed, STREAM.order + epoch);
      this.#order = { epoch, indices: permutation(count, random) };
    }
    this.#begun ??= performance.now();
    if (this.#pending === 0) this.#failures = this.gpu.context.errors.count;
    if (!this.#good && this.#stops) this.#keep();
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

  /**
   * Reads the losses of the steps enqueued since the last time, and ends an epoch that is through.
   *
   * @param again whether they were told before, on a device that was lost
   */
  async #flush(again = false): Promise<TrainEvent[]> {
    const { dataset: { count } } = this.#options;
    const { sums, epoch, steps } = this.#position;
    const { totalSteps } = this;
    // Both reads share one wait.
    const [losses, sick] = await Promise.all([
      this.#model.losses.take(this.#pending),
      this.#diverged ? undefined : this.#model.health(),
    ]);
    this.#requireUsable();
    // An error that another one was told of may have been a step's.
    this.gpu.context.errors.check(this.#failures);
    const finite = sick === undefined && losses.flat().every(Number.isFinite);
    if (this.#stops && !finite) await this.#stop(sick);
    const events = losses.map(([generatorLoss, discriminatorLoss], i): TrainEvent => {
      const step = steps - losses.length + i + 1;
      sums.steps++;
      sums.generator += generatorLoss;
      sums.discriminator += discriminatorLoss;
      if (!again) this.#watch(step, generatorLoss, discriminatorLoss);
      const images = (epoch - 1) * count + Math.min(sums.steps * this.#batchSize, count);
      return { type: "step", step, epoch, generatorLoss, discriminatorLoss, images, totalSteps };
    });
    if (sick !== undefined && !again) this.#sayDiverged(`${sick} is not finite`, steps);
    this.#taken += performance.now() - (this.#begun ?? performance.now());
    this.#begun = undefined;
    this.#pace.tick();
    const through = this.#position.at >= count;
    if (through) events.push(await this.#endEpoch());
    if (this.#stops) this.#keep();
    if (through && this.#keepsNewest) await this.#take();
    this.#pending = 0; // Last: until here a device that is lost means that nothing of it was told.
    return events;
  }

  get #stops(): boolean {
    return this.#options.onNonFinite !== "warn";
  }

  /** Keeps a copy of the state as it stands, to come back to. */
  #keep(): void {
    this.#requireUsable();
    this.#model.backUp();
    this.#good = this.#standing();
  }

  /** A copy of the position; not a deep one, since a long run has a long history, which is only added to. */
  #standing(): Position {
    const { sums, history } = this.#position;
    return { ...this.#position, sums: { ...sums }, history: [...history] };
  }

  /** Goes back to the last finite state, and says what the first number was that is not finite. */
  async #stop(sick: string | undefined): Promise<never> {
    const good = this.#good!;
    const { steps } = this.#position;
    const batches = Array.from({ length: this.#pending }, (_, i) => {
      const at = good.at + i * this.#batchSize;
      return this.#order!.indices.subarray(at, at + this.#batchSize);
    });
    this.#model.rollBack();
    let found: Awaited<ReturnType<DCGAN["findNonFinite"]>>;
    let cause: unknown;
    try {
      found = await this.#model.findNonFinite(batches);
    } catch (error) {
      // Not for this may the finite state be lost; but on a lost device there is none.
      cause = await this.gpu.context.errors.explain(error);
      if (cause instanceof DeviceLostError) throw cause;
    }
    this.#model.rollBack();
    this.#position = good;
    this.#pending = 0;
    this.#begun = undefined;
    const first = good.steps + 1;
    const step = found ? first + found.batch : steps;
    const where = found?.where ?? sick ?? "a loss";
    const when = found || first === steps
      ? `in step ${step} (NaN or infinite), for the first time`
      : `in one of the steps ${first} to ${steps} (NaN or infinite)`;
    throw new NonFiniteError(
      `${where} is not finite ${when}: the run stands at step ${good.steps} again. Try a lower ` +
        "learning rate, or look at the data",
      { step, where, cause },
    );
  }

  #watch(step: number, generatorLoss: number, discriminatorLoss: number): void {
    if (!Number.isFinite(generatorLoss + discriminatorLoss)) {
      return this.#sayDiverged("the losses are no longer finite", step);
    }
    const warning = this.#balance.add(step, generatorLoss, discriminatorLoss);
    if (warning) this.#say(warning);
  }

  #sayDiverged(what: string, step: number): void {
    if (!this.#diverged) this.#say(`${what} at step ${step}: try a lower learning rate`);
    this.#diverged = true;
  }

  async #endEpoch(): Promise<TrainEvent> {
    const { epoch, at, steps: step, sums, history } = this.#position;
    const distance = this.#options.distance === false ? {} : { distance: await this.#measure() };
    const event: EpochEvent = {
      epoch,
      step,
      steps: sums.steps,
      generatorLoss: sums.generator / sums.steps,
      discriminatorLoss: sums.discriminator / sums.steps,
      seconds: this.#taken / 1000,
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
    if (through) this.#taken = 0;
    return { type: "epoch", ...event };
  }
}

/** Makes the networks of a run on its device. */
async function place(options: TrainerOptions): Promise<{ gpu: Gpu; model: DCGAN }> {
  const { gpu: given = () => Gpu.request(), learningRate = 1e-4, beta1, beta2 } = options;
  const gpu = given instanceof Gpu ? given : await given();
  try {
    const model = new DCGAN(gpu, options.dataset, {
      seed: options.seed ?? 0,
      generator: { noiseDim: options.noiseDim, widths: options.generatorWidths },
      discriminator: { widths: options.discriminatorWidths, dropout: options.dropout },
      adam: { learningRate, beta1, beta2 },
    });
    return { gpu, model };
  } catch (error) {
    if (gpu !== given) gpu[Symbol.dispose]();
    throw error;
  }
}
