/** The loop that trains a run. */

import { DeviceLostError } from "../errors.ts";
import type { Gpu } from "../graph/gpu.ts";
import type { DCGAN } from "./dcgan.ts";
import type { EpochEvent, StepEvent } from "./events.ts";
import { evaluationIn, type EvaluationMetrics } from "../formats/metrics.ts";
import { FiniteCheck } from "./finite_check.ts";
import { LossMonitor } from "./loss_monitor.ts";
import type { ResolvedOptions } from "./options.ts";
import { Order } from "./order.ts";
import { afterEpoch, afterLosses, BEGINNING, type Position } from "./position.ts";
import { ReadInterval } from "./read_interval.ts";
import type { Samples } from "./samples.ts";
import type { Turns } from "./turns.ts";

/** Enqueues steps, and reads and checks the losses of several at once. */
export class Loop implements Disposable {
  readonly #finite: FiniteCheck;
  readonly #order: Order;
  readonly #interval = new ReadInterval();
  #monitor: LossMonitor;
  #position = BEGINNING;
  /** Where the copy on the device stands that `FiniteCheck` goes back to. */
  #backedUp: Position | undefined;
  /** Batches of the steps enqueued whose losses are not read yet; all of one epoch. */
  #pending: Uint32Array[] = [];
  /** Milliseconds that the epoch under way has taken, as far as its losses are read. */
  #taken = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly model: DCGAN,
    private readonly samples: Samples,
    private readonly turns: Turns,
    private readonly options: ResolvedOptions,
  ) {
    const { seed, batchSize, dataset } = options;
    this.#finite = new FiniteCheck(gpu, model);
    this.#order = new Order(seed, dataset.count, batchSize);
    this.#monitor = newMonitor(options);
  }

  /** Where the run stands, with the steps enqueued so far. */
  get position(): Position {
    return this.#position;
  }

  /** Whether steps are counted whose losses are not read: they may not have been trained. */
  get isOpen(): boolean {
    return this.#pending.length > 0;
  }

  /** Goes on from another position, whose state the model has already. */
  moveTo(position: Position): void {
    this.#position = position;
    this.#backedUp = undefined;
    this.#pending = [];
    this.#taken = 0;
    this.#monitor = newMonitor(this.options);
  }

  /**
   * Enqueues steps until losses are due to be read, the epoch ends or `stop` returns true after a
   * step; then reads the losses. If the images of a step cannot be read, the steps before it end as
   * usual, and the next call tries again.
   *
   * @throws {DataError} when the images of the first step cannot be read. Nothing is changed then.
   * @returns the steps' events, and the epoch's if it ended
   */
  async train(
    stop: (step: number) => boolean,
  ): Promise<{ readonly steps: readonly StepEvent[]; readonly epoch?: EpochEvent }> {
    const { count } = this.options.dataset;
    const begun = performance.now();
    const failures = this.gpu.context.errors.count;
    do {
      if (!await this.#enqueue()) break;
      if (stop(this.#position.steps)) break;
    } while (this.#pending.length < this.#interval.steps && this.#position.at < count);
    const steps = await this.#read(failures);
    this.#taken += performance.now() - begun;
    this.#interval.adapt();
    const epoch = this.#position.at === count ? await this.#endEpoch() : undefined;
    this.#backUp();
    this.#pending = [];
    return { steps, epoch };
  }

  /** @returns false if there is no step because its images cannot be read, and others are pending */
  async #enqueue(): Promise<boolean> {
    this.turns.requireUsable();
    if (!this.#backedUp) this.#backUp();
    const { epoch, at, steps } = this.#position;
    const batch = this.#order.batch(epoch, at);
    const places = await this.model.feed.load(batch, this.#batchAfter(batch)).catch((error) => {
      if (!this.isOpen) throw error;
      return undefined;
    });
    this.turns.requireUsable();
    if (!places) return false;
    this.model.step(places, steps + 1);
    this.#position = { ...this.#position, at: at + batch.length, steps: steps + 1 };
    this.#pending.push(batch);
    return true;
  }

  /** The batch after the one at the position, which may be the next epoch's. */
  #batchAfter({ length }: Uint32Array): Uint32Array | undefined {
    const { epoch, at, steps } = this.#position;
    if (steps + 1 >= this.options.totalSteps) return undefined;
    const inEpoch = at + length < this.options.dataset.count;
    return inEpoch ? this.#order.batch(epoch, at + length) : this.#order.batch(epoch + 1, 0);
  }

  /**
   * Reads and checks the losses of the pending steps.
   *
   * @param failures errors of the device before the first of them
   */
  async #read(failures: number): Promise<StepEvent[]> {
    // Both reads share one wait.
    const [losses, notFinite] = await Promise.all([
      this.model.losses.take(this.#pending.length),
      this.#monitor.diverged ? undefined : this.#finite.first(),
    ]);
    this.turns.requireUsable();
    // A step may have failed with an error that another call has thrown already.
    this.gpu.context.errors.check(failures);
    const finite = notFinite === undefined && losses.flat().every(Number.isFinite);
    if (this.options.onNonFinite === "stop" && !finite) await this.#goBack(notFinite);
    const { position, events } = afterLosses(this.#position, losses, this.options);
    this.#position = position;
    for (const { step, generatorLoss, discriminatorLoss } of events) {
      this.#monitor.add(step, generatorLoss, discriminatorLoss);
    }
    if (notFinite !== undefined) {
      this.#monitor.diverge(`${notFinite} is not finite`, position.steps);
    }
    return events;
  }

  async #endEpoch(): Promise<EpochEvent> {
    const evaluation = this.#isEvaluationDue() ? await this.#evaluate() : {};
    const { position, event } = afterEpoch(this.#position, this.#taken / 1000, evaluation);
    this.#position = position;
    this.#taken = 0;
    return event;
  }

  #isEvaluationDue(): boolean {
    const { evaluateEvery, totalSteps } = this.options;
    const { epoch, steps } = this.#position;
    if (evaluateEvery === Infinity || this.#monitor.diverged) return false;
    return epoch % evaluateEvery === 0 || steps === totalSteps;
  }

  /** The numbers of an evaluation. One that fails costs its numbers, not the run. */
  async #evaluate(): Promise<Partial<EvaluationMetrics>> {
    try {
      return evaluationIn(await this.turns.share(() => this.samples.evaluate()));
    } catch (error) {
      this.turns.requireUsable(error);
      if (error instanceof DeviceLostError) throw error;
      const { message } = error as Error;
      this.options.onMessage(`epoch ${this.#position.epoch} is not evaluated: ${message}`);
      return {};
    }
  }

  #backUp(): void {
    if (this.options.onNonFinite !== "stop") return;
    this.turns.requireUsable();
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

  [Symbol.dispose](): void {
    this.#finite[Symbol.dispose]();
  }
}

const newMonitor = ({ onMessage, objective, labelSmoothing }: ResolvedOptions) =>
  new LossMonitor(onMessage, objective, labelSmoothing);
