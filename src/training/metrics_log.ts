/** The log of a run's losses, and reading it back. */

import {
  encodeRow,
  type EpochMetrics,
  evaluationIn,
  type MetricsRow,
  type RowOrder,
  type StepMetrics,
} from "../formats/metrics.ts";
import { type EntryFile, EntryLog } from "./entry_log.ts";

/** Options of {@linkcode MetricsLog.open}. */
export interface MetricsLogOptions {
  /**
   * The step of the checkpoint that a resumed run goes on from: lines of later steps are cut off.
   * Default 0, a new run: whatever the file holds is gone.
   */
  readonly afterStep?: number;
  /** Called with every line that is kept, in order. */
  readonly onRow?: (row: MetricsRow) => void;
}

/**
 * Reads a metrics log line by line, so that a long one takes no memory. A last line that was cut off
 * when its process was killed is left out. Lines have at most 1 MiB.
 *
 * Array buffers made: 64 KiB, and twice the file's bytes, of which those of one line are held.
 *
 * @throws {DataError} when a line is not as it should be, naming its number and what is wrong; and when
 *   it is not a file.
 * @throws {Deno.errors.NotFound} when there is no such file.
 */
export async function* readMetrics(path: string): AsyncGenerator<MetricsRow> {
  const { readLines } = await import("../files/metrics.ts");
  for await (const { row } of readLines(path)) yield row;
}

/** Writes the log of a run, a line for each step and epoch. */
export class MetricsLog extends EntryLog {
  /** The epoch that the file's last line is of when a run is resumed. */
  readonly #kept: Readonly<{ epoch: number; step: number }>;

  private constructor(file: EntryFile, private readonly order: RowOrder) {
    super(file);
    this.#kept = { epoch: order.epoch, step: order.epochStep };
  }

  /**
   * Begins a log, or goes on with that of a run that is resumed. What lies beyond the step, and a
   * torn last line, is cut off in one go.
   *
   * @throws {DataError} when a line that should be kept is damaged.
   * @throws {Error} when the file cannot be opened, naming the path, the reason and a way out.
   */
  static async open(path: string, options: MetricsLogOptions = {}): Promise<MetricsLog> {
    const { openMetrics } = await import("../files/metrics.ts");
    const { file, order } = await openMetrics(path, options);
    return new MetricsLog(file, order);
  }

  /** @throws {RangeError} when it is not the step after the last, or a number is not of its kind. */
  step(event: Omit<StepMetrics, "type" | "time">): void {
    const { step, epoch, images, generatorLoss, discriminatorLoss } = event;
    if (step !== this.order.step + 1) {
      throw new RangeError(
        `Cannot log step ${step} to ${this.path}: the next one is ${this.order.step + 1}`,
      );
    }
    const time = new Date().toISOString();
    this.#add({ type: "step", time, step, epoch, images, generatorLoss, discriminatorLoss });
  }

  /**
   * Logs the end of an epoch. The line that a file has of the very same epoch and step, from before
   * a resume, stays.
   *
   * @throws {RangeError} when its step is not the last one logged, or the epoch was logged already.
   */
  epoch(event: Omit<EpochMetrics, "type" | "time">): void {
    const { step, epoch, steps, generatorLoss, discriminatorLoss, seconds } = event;
    if (step !== this.order.step) {
      throw new RangeError(
        `Cannot log epoch ${epoch} at step ${step} to ${this.path}: the last step is ` +
          this.order.step,
      );
    }
    if (epoch === this.#kept.epoch && step === this.#kept.step) return;
    const time = new Date().toISOString();
    const losses = { generatorLoss, discriminatorLoss };
    const evaluation = evaluationIn(event);
    this.#add({ type: "epoch", time, step, epoch, steps, ...losses, seconds, ...evaluation });
  }

  #add(row: MetricsRow): void {
    const objection = this.order.objection(row);
    if (objection) throw new RangeError(`Cannot log to ${this.path}: ${objection}`);
    let line: string;
    try {
      line = encodeRow(row);
    } catch (cause) {
      throw new RangeError(`Cannot log to ${this.path}: ${(cause as Error).message}`, { cause });
    }
    this.file.add(new TextEncoder().encode(line));
    this.order.accept(row);
  }
}
