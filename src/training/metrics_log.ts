/**
 * The log of a run's losses, and reading it back.
 *
 * @module
 */

import {
  encodeRow,
  type EpochMetrics,
  type MetricsRow,
  type RowOrder,
  type StepMetrics,
} from "../formats/metrics.ts";

/** A file that grows by whole entries; see `AppendFile`. */
export interface EntryFile {
  readonly path: string;
  readonly lost: number;
  /** @throws {Error} when it is closed. */
  add(entry: Uint8Array): void;
  flush(options?: { readonly sync?: boolean }): Promise<void>;
  close(): Promise<void>;
}

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
 * Permissions: read for the file.
 *
 * ```ts
 * import { readMetrics } from "@dcgan/webgpu";
 *
 * for await (const row of readMetrics("out/metrics.jsonl")) {
 *   if (row.type === "epoch") console.log(row.epoch, row.generatorLoss, row.distance);
 * }
 * ```
 *
 * @throws {DataError} when a line is not as it should be, naming its number and what is wrong; and when
 *   it is not a file.
 * @throws {Deno.errors.NotFound} when there is no such file.
 */
export async function* readMetrics(path: string): AsyncGenerator<MetricsRow> {
  const { readLines } = await import("../files/metrics.ts");
  for await (const { row } of readLines(path)) yield row;
}

/**
 * Writes the log of a run. Lines are held back until {@linkcode MetricsLog.flush}, and what a flush
 * could not write, the next one does. While none succeeds, 16 MiB are held; beyond, the oldest lines
 * are lost.
 *
 * ```ts
 * import { MetricsLog } from "@dcgan/webgpu";
 *
 * await using log = await MetricsLog.open("metrics.jsonl");
 * log.step({ step: 1, epoch: 1, images: 256, generatorLoss: 0.69, discriminatorLoss: 1.39 });
 * ```
 */
export class MetricsLog {
  /** The epoch that the file's last line is of when a run is resumed. */
  readonly #kept: Readonly<{ epoch: number; step: number }>;

  private constructor(
    private readonly file: EntryFile,
    private readonly order: RowOrder,
  ) {
    this.#kept = { epoch: order.epoch, step: order.epochStep };
  }

  /**
   * Begins a log, or goes on with that of a run that is resumed. What lies beyond the step, and a
   * torn last line, is cut off in one go.
   *
   * Permissions: read and write for the file's folder.
   *
   * @throws {DataError} when a line that should be kept is damaged.
   * @throws {Error} when the file cannot be opened, naming the path, the reason and a way out.
   */
  static async open(path: string, options: MetricsLogOptions = {}): Promise<MetricsLog> {
    const { openMetrics } = await import("../files/metrics.ts");
    const { file, order } = await openMetrics(path, options);
    return new MetricsLog(file, order);
  }

  /** The file. */
  get path(): string {
    return this.file.path;
  }

  /** Lines that could not be written for so long that they were given up. */
  get lost(): number {
    return this.file.lost;
  }

  /**
   * Logs a step.
   *
   * @throws {RangeError} when it is not the one after the last, or a number is not of its kind.
   */
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
    const { step, epoch, steps, generatorLoss, discriminatorLoss, seconds, distance } = event;
    if (step !== this.order.step) {
      throw new RangeError(
        `Cannot log epoch ${epoch} at step ${step} to ${this.path}: the last step is ` +
          this.order.step,
      );
    }
    if (epoch === this.#kept.epoch && step === this.#kept.step) return;
    const time = new Date().toISOString();
    this.#add({
      type: "epoch",
      time,
      step,
      epoch,
      steps,
      generatorLoss,
      discriminatorLoss,
      seconds,
      ...(distance === undefined ? {} : { distance }),
    });
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

  /**
   * Appends what was logged to the file; `sync` waits until it is on the disk.
   *
   * @throws {Error} when it cannot be written; the file then ends with a whole line, as before.
   */
  flush(options: { readonly sync?: boolean } = {}): Promise<void> {
    return this.file.flush(options);
  }

  /** Writes the rest, waits until it is on the disk, and closes the file. */
  close(): Promise<void> {
    return this.file.close();
  }

  /** The same as {@linkcode MetricsLog.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
