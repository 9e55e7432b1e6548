/**
 * A run of training in memory: its state, and the loop that trains it.
 *
 * @module
 */

import type { Timing } from "../gpu/commands.ts";
import { Gpu } from "../graph/gpu.ts";
import type { Program, ProgramStats } from "../graph/program.ts";
import type { Discriminator } from "../model/discriminator.ts";
import type { Generator } from "../model/generator.ts";
import { requireCount } from "../model/validate.ts";
import { calibrate } from "../ops/gemm/calibrate.ts";
import { VERSION } from "../version.ts";
import { encodeCheckpoint, requireFinite, requireSameConfiguration } from "./checkpoint.ts";
import { DCGAN } from "./dcgan.ts";
import type { EpochEvent, StepEvent, TrainEvent } from "./events.ts";
import { FiniteCheck } from "./finite_check.ts";
import { LossMonitor } from "./loss_monitor.ts";
import {
  configurationOf,
  type ResolvedOptions,
  resolveOptions,
  type TrainerOptions,
} from "./options.ts";
import { Order } from "./order.ts";
import {
  afterEpoch,
  afterLosses,
  BEGINNING,
  type Position,
  readSnapshot,
  requirePosition,
  type Snapshot,
} from "./position.ts";
import { ReadInterval } from "./read_interval.ts";
import { adoptKernels, describeKernels } from "./run_kernels.ts";
import { Samples } from "./samples.ts";
import { Turns } from "./turns.ts";

/**
 * The tutorial's training with the loop in your hands. It writes no files except where `save` asks for
 * one; `trainDCGAN` is the same training as one call, with images and checkpoints.
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
 * A step, an epoch, an iteration, a snapshot or a restore must end before the next one begins: a call
 * that overlaps another throws an `Error` and changes nothing. Only `sample` and `distance` may be
 * called at any time: they are of the state after the steps enqueued so far.
 *
 * After it is disposed, every call throws a `TypeError`, and those still waiting do, too. After the
 * device is lost, every call throws a `DeviceLostError`: make another trainer and restore a snapshot,
 * as `trainDCGAN` does.
 */
export class Trainer implements AsyncIterable<TrainEvent>, Disposable {
  /** What a checkpoint must share with this run to be restored. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** The device that holds everything. */
  readonly gpu: Gpu;
  readonly #options: ResolvedOptions;
  readonly #model: DCGAN;
  readonly #samples: Samples;
  readonly #finite: FiniteCheck;
  readonly #order: Order;
  readonly #turns: Turns;
  readonly #interval = new ReadInterval();
  #monitor: LossMonitor;
  /** The run's kernel choices, once they are made; see `describeKernels`. */
  #kernels: string | undefined;
  #position = BEGINNING;
  /** Where the copy on the device stands that `FiniteCheck` goes back to. */
  #backedUp: Position | undefined;
  /** Batches of the steps enqueued whose losses are not read yet; all of one epoch. */
  #pending: Uint32Array[] = [];
  /** Errors of the device before the first of those steps. */
  #failures = 0;
  /** When the first of those steps began. */
  #begun = 0;
  /** Milliseconds that the epoch under way has taken, as far as its losses are read. */
  #taken = 0;
  /** Events that the iteration has still to emit. */
  #events: TrainEvent[] = [];

  private constructor(
    options: ResolvedOptions,
    configuration: Readonly<Record<string, unknown>>,
    gpu: Gpu,
  ) {
    const { dataset, seed, batchSize } = options;
    this.#options = options;
    this.configuration = configuration;
    this.gpu = gpu;
    this.#model = new DCGAN(gpu, dataset, options);
    this.#samples = new Samples(gpu, this.generator, dataset);
    this.#finite = new FiniteCheck(gpu, this.#model);
    this.#monitor = new LossMonitor(options.onMessage);
    this.#order = new Order(seed, dataset.count, batchSize);
    this.#turns = new Turns(gpu, () => this.#pending.length > 0);
  }

  /**
   * Makes networks, optimizers and the data set on a device.
   *
   * @throws {RangeError} when an option is out of range.
   * @throws {DataError} when the data set is invalid.
   * @throws {AdapterError} when no device is given and none is found.
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    const resolved = resolveOptions(options);
    const configuration = await configurationOf(resolved);
    const given = resolved.gpu;
    const gpu = given instanceof Gpu ? given : await given();
    try {
      return new Trainer(resolved, configuration, gpu);
    } catch (error) {
      if (gpu !== given) gpu[Symbol.dispose]();
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
    const { epochs, maxSteps, batchSize, dataset: { count } } = this.#options;
    return Math.min(maxSteps, epochs * Math.ceil(count / batchSize));
  }

  /** One entry for each complete epoch. */
  get history(): readonly EpochEvent[] {
    return this.#position.history;
  }

  /** What one full step costs: dispatches, and memory with and without sharing. */
  get stats(): ProgramStats {
    return this.#fullStep.stats;
  }

  get #fullStep(): Program {
    return this.#model.program(Math.min(this.#options.batchSize, this.#options.dataset.count));
  }

  /**
   * Chooses the kernels of a run that was not restored: measures them if `calibrate` asks for it. The
   * first step does this if nobody did before.
   */
  async prepare(): Promise<void> {
    this.#turns.requireUsable();
    if (this.#kernels === undefined) await this.#turns.take("a preparation", () => this.#prepare());
  }

  async #prepare(): Promise<void> {
    if (this.#kernels !== undefined) return;
    const { calibrate: options, onMessage } = this.#options;
    if (options) {
      await calibrate(this.gpu, this.#fullStep.gemms, { onMessage, ...options });
      this.#recompile();
    }
    this.#kernels = describeKernels(this.gpu);
  }

  #recompile(): void {
    this.#model.recompile();
    this.#samples[Symbol.dispose]();
  }

  /**
   * Trains one batch and waits for its losses. A wait takes 10 ms or more, however small the network:
   * `epoch` and the iteration read the losses of many steps with one wait.
   *
   * @throws the signal's reason, when it is aborted.
   */
  async step(): Promise<StepEvent> {
    this.#options.signal.throwIfAborted();
    const [{ type: _, ...event }] = await this.#turns.take("a step", () => this.#train(() => true));
    return event as StepEvent;
  }

  /**
   * Trains to the end of the epoch under way, whatever `maxSteps` is.
   *
   * @throws the signal's reason, when it is aborted; after the step under way, and everything up to
   *   it can be saved.
   */
  async epoch(): Promise<EpochEvent> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    return await this.#turns.take("an epoch", async () => {
      for (;;) {
        const { type, ...event } = (await this.#train(() => signal.aborted)).at(-1)!;
        if (type === "epoch") return event as EpochEvent;
        signal.throwIfAborted();
      }
    });
  }

  /** The same as {@linkcode Trainer.run} without a pause. */
  [Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void, void> {
    return this.run();
  }

  /**
   * Trains until the epochs or `maxSteps` are done or the signal is aborted, and emits every step and
   * complete epoch in order. Steps are emitted some steps late, since the losses of many are read at
   * once. After a `break`, another iteration goes on where this one was.
   *
   * @param options.pauseAfter emit a "pause" event after each step for which it returns true: no later
   *   step has begun then, so that images and snapshots are of exactly that step
   */
  async *run(
    { pauseAfter = () => false }: { readonly pauseAfter?: (step: number) => boolean } = {},
  ): AsyncGenerator<TrainEvent, void, void> {
    const { signal } = this.#options;
    this.#turns.requireUsable();
    const running = () => this.steps < this.totalSteps && !signal.aborted;
    for (;;) {
      for (let event; (event = this.#events.shift());) yield event;
      if (!running()) return;
      await this.#turns.take("an iteration", async () => {
        let pause = false;
        const { epoch } = this.#position;
        this.#events = await this.#train((step) => (pause = pauseAfter(step)) || !running());
        if (!pause) return;
        const at = this.#events.findLastIndex(({ type }) => type === "step") + 1;
        this.#events.splice(at, 0, { type: "pause", step: this.steps, epoch });
      });
    }
  }

  /**
   * The loop: enqueues steps until losses are due to be read, the epoch ends or `stop` returns true
   * after a step; then reads the losses.
   *
   * @returns the steps' events; the epoch's is the last, if it ended
   */
  async #train(stop: (step: number) => boolean): Promise<TrainEvent[]> {
    await this.#prepare();
    const { count } = this.#options.dataset;
    do {
      this.#enqueue();
      if (stop(this.steps)) break;
    } while (this.#pending.length < this.#interval.steps && this.#position.at < count);
    return await this.#read();
  }

  #enqueue(): void {
    this.#turns.requireUsable();
    const { epoch, at, steps } = this.#position;
    if (this.#pending.length === 0) {
      this.#begun = performance.now();
      this.#failures = this.gpu.context.errors.count;
    }
    if (!this.#backedUp) this.#backUp();
    const batch = this.#order.batch(epoch, at);
    this.#model.step(batch);
    this.#position = { ...this.#position, at: at + batch.length, steps: steps + 1 };
    this.#pending.push(batch);
  }

  /** Reads and checks the losses of the steps enqueued since the last time, and ends a complete epoch. */
  async #read(): Promise<TrainEvent[]> {
    const { batchSize, dataset: { count }, onNonFinite } = this.#options;
    // Both reads share one wait.
    const [losses, notFinite] = await Promise.all([
      this.#model.losses.take(this.#pending.length),
      this.#monitor.diverged ? undefined : this.#finite.first(),
    ]);
    this.#turns.requireUsable();
    // A step may have failed with an error that another call has thrown already.
    this.gpu.context.errors.check(this.#failures);
    const finite = notFinite === undefined && losses.flat().every(Number.isFinite);
    if (onNonFinite === "stop" && !finite) return await this.#goBack(notFinite);
    const sizes = { batchSize, count, totalSteps: this.totalSteps };
    const { position, events: steps } = afterLosses(this.#position, losses, sizes);
    this.#position = position;
    for (const { step, generatorLoss, discriminatorLoss } of steps) {
      this.#monitor.add(step, generatorLoss, discriminatorLoss);
    }
    if (notFinite !== undefined) this.#monitor.diverge(`${notFinite} is not finite`, this.steps);
    const events: TrainEvent[] = steps.map((event) => ({ type: "step", ...event }));
    this.#taken += performance.now() - this.#begun;
    this.#interval.adapt();
    if (this.#position.at === count) events.push(await this.#endEpoch());
    this.#backUp();
    this.#pending = [];
    return events;
  }

  async #endEpoch(): Promise<TrainEvent> {
    const distance = await this.#measure();
    const { position, event } = afterEpoch(this.#position, this.#taken / 1000, distance);
    this.#position = position;
    this.#taken = 0;
    return { type: "epoch", ...event };
  }

  async #measure(): Promise<number | undefined> {
    return this.#options.distance ? await this.#samples.distance(this.#options.seed) : undefined;
  }

  #backUp(): void {
    if (this.#options.onNonFinite !== "stop") return;
    this.#turns.requireUsable();
    this.#finite.backUp();
    this.#backedUp = this.#position;
  }

  /** Goes back to the last finite state. @throws {NonFiniteError} always */
  async #goBack(holder: string | undefined): Promise<never> {
    const backedUp = this.#backedUp!;
    const error = await this.#finite.rollBack(this.#pending, backedUp.steps + 1, holder);
    this.#position = backedUp;
    this.#pending = [];
    throw error;
  }

  /**
   * Images of the generator as it stands.
   *
   * @param options.count default 16
   * @param options.seed of the noise; default the run's. The same seed gives the same noise.
   * @returns [count, height, width, channels] on [-1, 1]
   */
  async sample(
    options: { readonly count?: number; readonly seed?: number } = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    const { count = 16, seed = this.#options.seed } = options;
    requireCount("count", count);
    return await this.#turns.share(() => this.#samples.sample(count, seed));
  }

  /**
   * How far generated images are from real ones: the energy distance (Székely and Rizzo 2013)
   * between 256 of each, always the same noise and the same real images, as vectors of pixels on
   * [-1, 1]. Lower is better, and equal distributions give about 0; NaN for a single image. Losses
   * do not show that, only which network is ahead.
   */
  async distance(): Promise<number> {
    return await this.#turns.share(() => this.#samples.distance(this.#options.seed));
  }

  /**
   * Measures each dispatch of one full step. Afterwards all state is what it was before.
   *
   * @throws {TypeError} when the device has no `timestamp-query`.
   */
  async profile(): Promise<Timing[]> {
    const { batchSize, dataset: { count } } = this.#options;
    return await this.#turns.take("a profile", async () => {
      const state = await this.#model.save();
      try {
        return await this.#model.profile(
          Uint32Array.from({ length: Math.min(batchSize, count) }, (_, i) => i),
        );
      } finally {
        this.#model.restore(state, "the state before the profile");
      }
    });
  }

  /**
   * All state as it stands, in memory: weights, moments, statistics, random state, place in the
   * epoch. `restore` takes it.
   */
  async snapshot(): Promise<Snapshot> {
    return await this.#turns.take("a snapshot", async () => ({
      tensors: await this.#model.save(),
      configuration: this.configuration,
      kernels: this.#kernels ?? describeKernels(this.gpu),
      version: VERSION,
      distance: await this.#measure(),
      position: this.#position,
    }));
  }

  /**
   * Writes a checkpoint, whole or not at all. Permissions: read and write for its folder.
   *
   * @returns the path
   */
  async save(path: string): Promise<string> {
    const snapshot = await this.snapshot();
    const { writeFileAtomic } = await import("../files/atomic.ts");
    await writeFileAtomic(path, encodeCheckpoint(snapshot));
    return path;
  }

  /**
   * Goes on with a checkpoint as if training had never stopped, bit for bit on the same adapter.
   * Events that were not emitted yet are dropped.
   *
   * @param source a path, or a snapshot
   * @param name what messages call a snapshot
   * @throws {CheckpointError} when it is damaged, or of another configuration. Nothing is changed then.
   */
  async restore(source: string | Snapshot, name = "the snapshot"): Promise<void> {
    const { dataset: { count }, onNonFinite, onMessage } = this.#options;
    await this.#turns.take("a restore", async () => {
      const [path, snapshot] = typeof source === "string"
        ? [source, await readSnapshot(source)]
        : [name, source];
      requireSameConfiguration(path, snapshot.configuration, this.configuration);
      const position = requirePosition(snapshot.position, count, path);
      if (onNonFinite === "stop") requireFinite(snapshot.tensors, path);
      this.#turns.requireUsable();
      this.#model.restore(snapshot.tensors, path);
      this.#position = position;
      this.#backedUp = undefined;
      this.#taken = 0;
      this.#pending = [];
      this.#events = [];
      this.#monitor = new LossMonitor(onMessage);
      const { changed, message } = adoptKernels(this.gpu, snapshot.kernels, path);
      if (changed) this.#recompile();
      this.#kernels = describeKernels(this.gpu);
      if (message !== undefined) onMessage(message);
    }, { repairs: true });
  }

  /**
   * Frees everything but the networks.
   *
   * @ignore `trainDCGAN` hands the networks on.
   */
  finish(): void {
    this.#samples[Symbol.dispose]();
    this.#finite[Symbol.dispose]();
    this.#model.finish();
  }

  /** Frees everything: networks, optimizers, data set, and the device unless it was the caller's. */
  [Symbol.dispose](): void {
    this.#turns.end();
    this.finish();
    this.#model[Symbol.dispose]();
    if (!(this.#options.gpu instanceof Gpu)) this.gpu[Symbol.dispose]();
  }
}
