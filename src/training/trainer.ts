/** A run of training in memory: what a caller may ask of it, one call at a time. */

import type { Source } from "../formats/source.ts";
import type { Timing } from "../gpu/commands.ts";
import { Gpu } from "../graph/gpu.ts";
import type { Program, ProgramStats } from "../graph/program.ts";
import type { Evaluation } from "../metrics/evaluator.ts";
import type { Discriminator } from "../model/discriminator.ts";
import type { Generator } from "../model/generator.ts";
import { requireCount } from "../model/validate.ts";
import { calibrate } from "../ops/gemm/calibrate.ts";
import { VERSION } from "../version.ts";
import { encodeCheckpoint, requireFinite, requireSameConfiguration } from "./checkpoint.ts";
import { DCGAN } from "./dcgan.ts";
import type { EpochEvent, StepEvent, TrainEvent } from "./events.ts";
import { withDefaults } from "./hyperparameters.ts";
import { Loop } from "./loop.ts";
import {
  configurationOf,
  type ResolvedOptions,
  resolveOptions,
  type TrainerOptions,
} from "./options.ts";
import { readSnapshot, requirePosition, type Snapshot } from "./position.ts";
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
 * A step, an epoch, an iteration, an evaluation, a snapshot or a restore must end before the next one begins: a call
 * that overlaps another throws an `Error` and changes nothing. Only `sample` may be called at any time:
 * it is of the state after the steps enqueued so far.
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
  readonly #turns: Turns;
  readonly #loop: Loop;
  /** The run's kernel choices, once they are made; see `describeKernels`. */
  #kernels: string | undefined;
  /** Events that the iteration has still to emit. */
  #events: TrainEvent[] = [];

  private constructor(
    options: ResolvedOptions,
    configuration: Readonly<Record<string, unknown>>,
    gpu: Gpu,
  ) {
    this.#options = options;
    this.configuration = configuration;
    this.gpu = gpu;
    this.#model = new DCGAN(gpu, options.dataset, options);
    this.#samples = new Samples(gpu, () => this.#model.shown, options);
    this.#turns = new Turns(gpu, () => this.#loop.isOpen);
    this.#loop = new Loop(gpu, this.#model, this.#samples, this.#turns, options);
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

  /**
   * The moving average of the generator's weights as it stands, if the option `ema` asks for one. Each
   * reading of this property brings its batch statistics up to date; `trainer.generator` and `average`
   * are two networks.
   */
  get average(): Generator | undefined {
    return this.#model.average?.settle();
  }

  /** The discriminator under training. */
  get discriminator(): Discriminator {
    return this.#model.discriminator;
  }

  /** Steps trained so far; those before a restored checkpoint count, too. */
  get steps(): number {
    return this.#loop.position.steps;
  }

  /** The epoch that the next step belongs to, counted from 1. */
  get currentEpoch(): number {
    return this.#loop.position.epoch;
  }

  /** Whether the last step ended an epoch, or none was trained yet. */
  get betweenEpochs(): boolean {
    return this.#loop.position.at === 0;
  }

  /** Steps of the whole run, by `epochs` and `maxSteps`; they bound the iteration. */
  get totalSteps(): number {
    return this.#options.totalSteps;
  }

  /** One entry for each complete epoch. */
  get history(): readonly EpochEvent[] {
    return this.#loop.position.history;
  }

  /** What one full step costs: dispatches, and memory with and without sharing. */
  get stats(): ProgramStats {
    return this.#fullStep.stats;
  }

  /** Whether kernels are chosen and a full step is compiled with them. */
  get #prepared(): boolean {
    return this.#kernels !== undefined && this.#model.isCompiled(this.#batch);
  }

  get #fullStep(): Program {
    return this.#model.program(this.#batch);
  }

  /** Images of a full step. */
  get #batch(): number {
    return Math.min(this.#options.batchSize, this.#options.dataset.count);
  }

  /**
   * Chooses the kernels of a run that was not restored, by measuring if `calibrate` asks for it, and
   * compiles them. The first step does this if nobody did before.
   */
  async prepare(): Promise<void> {
    this.#turns.requireUsable();
    if (!this.#prepared) await this.#turns.take("a preparation", () => this.#prepare());
  }

  async #prepare(): Promise<void> {
    const { calibrate: options, onMessage, onCompile } = this.#options;
    if (this.#kernels === undefined && options) {
      await calibrate(this.gpu, this.#fullStep.gemms, { onMessage, ...options });
      this.#recompile();
    }
    this.#kernels ??= describeKernels(this.gpu);
    await this.#model.prepare(this.#batch, onCompile);
  }

  #recompile(): void {
    this.#model.recompile();
    this.#samples[Symbol.dispose]();
  }

  async #train(stop: (step: number) => boolean): ReturnType<Loop["train"]> {
    if (!this.#prepared) await this.#prepare();
    return await this.#loop.train(stop);
  }

  /**
   * Trains one batch and waits for its losses. A wait takes 10 ms or more, however small the network:
   * `epoch` and the iteration read the losses of many steps with one wait.
   *
   * @throws the signal's reason, when it is aborted.
   */
  async step(): Promise<StepEvent> {
    this.#options.signal.throwIfAborted();
    const { steps: [event] } = await this.#turns.take("a step", () => this.#train(() => true));
    return event;
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
        const { epoch } = await this.#train(() => signal.aborted);
        if (epoch) return epoch;
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
    const { signal, totalSteps } = this.#options;
    this.#turns.requireUsable();
    const isOver = () => this.steps >= totalSteps || signal.aborted;
    for (;;) {
      for (let event; (event = this.#events.shift());) yield event;
      if (isOver()) return;
      await this.#turns.take("an iteration", async () => {
        let pause = false;
        const trained = await this.#train((step) => (pause = pauseAfter(step)) || isOver());
        this.#events = trained.steps.map((event) => ({ type: "step", ...event }));
        const { step, epoch } = trained.steps.at(-1)!;
        if (pause) this.#events.push({ type: "pause", step, epoch });
        if (trained.epoch) this.#events.push({ type: "epoch", ...trained.epoch });
      });
    }
  }

  /**
   * Images of the generator as it stands: of its average, if there is one.
   *
   * @param options.count default 16, or as many as there are labels
   * @param options.seed of the noise; default the run's. The same seed gives the same noise.
   * @param options.labels the class of each image, for conditional networks; by default a row of one
   *   class each in a square grid, one class after another
   * @returns [count, height, width, channels] on [-1, 1]
   * @throws {RangeError} when a label is no class of the data set, or the networks are not conditional.
   * @throws {TypeError} when there are not as many labels as images.
   */
  async sample(
    options: {
      readonly count?: number;
      readonly seed?: number;
      readonly labels?: ArrayLike<number>;
    } = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    const { labels, count = labels?.length ?? 16, seed = this.#options.seed } = options;
    requireCount("count", count);
    return await this.#turns.share(() => this.#samples.sample(count, seed, labels));
  }

  /**
   * How generated images compare with real ones: `evaluateCount` of each, always of the same noise and
   * the same real images, in the features of the classifier that ships for MNIST or Fashion-MNIST, or
   * else of a fixed random network. Losses do not show that, only which network is ahead. It changes no
   * bit of the training. The function `evaluate` measures more.
   *
   * @throws {RangeError} when there are fewer than 65 real images, or generated ones are not finite.
   */
  async evaluate(): Promise<Evaluation> {
    return await this.#turns.take("an evaluation", () => this.#samples.evaluate());
  }

  /**
   * Measures each dispatch of one full step. Afterwards all state is what it was before.
   *
   * @throws {TypeError} when the device has no `timestamp-query`.
   */
  async profile(): Promise<Timing[]> {
    return await this.#turns.take("a profile", async () => {
      if (!this.#prepared) await this.#prepare();
      const state = await this.#model.save();
      try {
        return await this.#model.profile(Uint32Array.from({ length: this.#batch }, (_, i) => i));
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
      ...distanceIn(this.#samples.evaluation),
      position: this.#loop.position,
    }));
  }

  /** The bytes of a checkpoint file. */
  async toBytes(): Promise<Uint8Array<ArrayBuffer>> {
    return encodeCheckpoint(await this.snapshot());
  }

  /**
   * Writes a checkpoint, whole or not at all. Permissions: read and write for its folder.
   *
   * @returns the path
   */
  async save(path: string): Promise<string> {
    const bytes = await this.toBytes();
    const { writeFileAtomic } = await import("../files/atomic.ts");
    await writeFileAtomic(path, bytes);
    return path;
  }

  /**
   * Goes on with a checkpoint as if training had never stopped, bit for bit on the same adapter.
   * Events that were not emitted yet are dropped.
   *
   * @param source a snapshot, or a checkpoint file: a path, a URL, or its bytes
   * @param name what messages call a snapshot
   * @throws {CheckpointError} when it is damaged, or of another configuration. Nothing is changed then.
   */
  async restore(source: Source | Snapshot, name = "the snapshot"): Promise<void> {
    const { dataset: { count }, onNonFinite, onMessage } = this.#options;
    await this.#turns.take("a restore", async () => {
      const { snapshot, name: path } = typeof source === "object" && "tensors" in source
        ? { snapshot: source, name }
        : await readSnapshot(source);
      requireSameConfiguration(
        path,
        withDefaults(snapshot.configuration),
        this.configuration,
      );
      const position = requirePosition(snapshot.position, count, path);
      if (onNonFinite === "stop") requireFinite(snapshot.tensors, path);
      this.#turns.requireUsable();
      this.#model.restore(snapshot.tensors, path);
      this.#loop.moveTo(position);
      this.#events = [];
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
    this.#loop[Symbol.dispose]();
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

/** The distance that a checkpoint has, and what it compares. */
function distanceIn(evaluation: Evaluation | undefined) {
  if (!evaluation) return {};
  const { frechetDistance, count, realCount, features } = evaluation;
  const compared = `${count} generated and ${realCount} real images, through ${features}`;
  return { frechetDistance, compared };
}
