/**
 * The log of a run's losses: one JSON object a line, which any tool reads.
 *
 * @module
 */

import { DataError } from "../errors.ts";
import { AppendFile } from "./append.ts";
import { cannotWrite } from "./atomic.ts";
import { decodeNumber, encodeJSON, parseJSON, quote } from "../formats/json.ts";
import { NotAFile, requireFile } from "./regular.ts";

/** The line of one trained batch. */
export interface StepMetrics {
  /** Says which kind of line this is. */
  readonly type: "step";
  /** When it was logged, as ISO 8601 in UTC. */
  readonly time: string;
  /** Counted from 1 over the whole run. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** Images trained so far. */
  readonly images: number;
  /** Mean binary cross-entropy over the batch, in nats. */
  readonly generatorLoss: number;
  /** Sum of those on real and on generated images, in nats. */
  readonly discriminatorLoss: number;
}

/** The line of one trained epoch. */
export interface EpochMetrics {
  /** Says which kind of line this is. */
  readonly type: "epoch";
  /** When it was logged, as ISO 8601 in UTC. */
  readonly time: string;
  /** The last step trained in it. */
  readonly step: number;
  /**
   * Counted from 1. An epoch that was cut has a second line when a resumed run has finished it; the
   * later one counts.
   */
  readonly epoch: number;
  /** Steps trained in it. */
  readonly steps: number;
  /** Mean over its steps. */
  readonly generatorLoss: number;
  /** Mean over its steps. */
  readonly discriminatorLoss: number;
  /** Wall-clock time. */
  readonly seconds: number;
  /** Energy distance between generated and real images, if it was measured: lower is better. */
  readonly distance?: number;
}

/** One line of a metrics log. */
export type MetricsRow = StepMetrics | EpochMetrics;

/** Options of {@linkcode MetricsLog.open}. */
export interface MetricsLogOptions {
  /**
   * The step of the checkpoint that a resumed run goes on from: lines of later steps are cut off.
   * Default 0, a new run: whatever the file holds is gone.
   */
  readonly afterStep?: number;
  /** Hears of every line that is kept, in order. */
  readonly onRow?: (row: MetricsRow) => void;
}

type Fields = Readonly<Record<string, "count" | "number" | "time">>;

const STEP: Fields = {
  time: "time",
  step: "count",
  epoch: "count",
  images: "count",
  generatorLoss: "number",
  discriminatorLoss: "number",
};
const EPOCH: Fields = {
  time: "time",
  step: "count",
  epoch: "count",
  steps: "count",
  generatorLoss: "number",
  discriminatorLoss: "number",
  seconds: "number",
};

const DESCRIPTION = {
  count: "a whole number of at least 1",
  number: "a number",
  time: "a time",
};

const LINE_BREAK = new Uint8Array([10]);

/** @throws {Error} saying in half a sentence what is wrong with the line. */
function decodeRow(line: string): MetricsRow {
  let row: Record<string, unknown>;
  try {
    row = parseJSON(line) as Record<string, unknown>;
  } catch (cause) {
    throw new Error(`it ${(cause as Error).message}`, { cause });
  }
  const fields = row?.type === "step" ? STEP : row?.type === "epoch" ? EPOCH : undefined;
  if (!fields) throw new Error(`its "type" is ${quote(row?.type)}, not "step" or "epoch"`);
  for (const [name, kind] of Object.entries(fields)) check(row, name, kind);
  if (row.type === "epoch" && row.distance !== undefined) check(row, "distance", "number");
  return row as unknown as MetricsRow;
}

/** What a reader would object to; so nothing is written that cannot be read. */
function mistake(line: string): string | undefined {
  try {
    decodeRow(line);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function check(row: Record<string, unknown>, name: string, kind: Fields[string]): void {
  if (kind === "number") row[name] = decodeNumber(row[name]);
  const value = row[name];
  const right = kind === "time"
    ? typeof value === "string" && !Number.isNaN(Date.parse(value))
    : kind === "count"
    ? Number.isSafeInteger(value) && (value as number) >= 1
    : typeof value === "number";
  if (!right) {
    throw new Error(`its "${name}" is ${quote(value)}, not ${DESCRIPTION[kind]}`);
  }
}

/** Watches that lines come in order, in a file as well as from a program. */
class Order {
  step = 0;
  epochStep = 0;
  epoch = 0;

  /** What is wrong with `row` as the next line; nothing if it may come. */
  objection({ type, step, epoch }: MetricsRow): string | undefined {
    if (type === "step") {
      return step > this.step ? undefined : `step ${step} comes after step ${this.step}`;
    }
    if (step < this.step) return `epoch ${epoch} ends at step ${step}, after step ${this.step}`;
    // The same epoch again, later, was cut and is now finished.
    if (step <= this.epochStep || epoch < this.epoch) {
      return `epoch ${epoch} at step ${step} comes after epoch ${this.epoch} at step ` +
        this.epochStep;
    }
    return undefined;
  }

  accept({ type, step, epoch }: MetricsRow): void {
    this.step = Math.max(this.step, step);
    if (type === "epoch") [this.epochStep, this.epoch] = [step, epoch];
  }
}

interface Line {
  readonly row: MetricsRow;
  /** Where the next line begins, in bytes. */
  readonly end: number;
  /** Whether a line break follows; it may be missing at the end of the file. */
  readonly ended: boolean;
}

/** Longer than any that is written; so a file without line breaks is not held in memory whole. */
const MOST_LINE = 2 ** 20;

/** The lines of a file, one at a time, up to a torn one at its end. */
async function* readLines(path: string): AsyncGenerator<Line> {
  await requireFile(path).catch((cause) => {
    if (!(cause instanceof NotAFile)) throw cause;
    throw new DataError(`Cannot read the log ${path}: ${cause.message}, or move it away`, {
      cause,
    });
  });
  using file = await Deno.open(path);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const order = new Order();
  let number = 0;
  let end = 0;

  const damaged = (reason: string, cause?: unknown) =>
    new DataError(
      `Line ${number} of ${path} is damaged: ${reason}. Repair or remove the line, or move the ` +
        "file away",
      { cause },
    );
  const parse = (bytes: Uint8Array, ended: boolean): Line | undefined => {
    number++;
    end += bytes.length + (ended ? 1 : 0);
    if (!ended && bytes.length === 0) return undefined;
    if (bytes.length > MOST_LINE) throw damaged(`it has more than ${MOST_LINE} bytes`);
    try {
      const row = decodeRow(decoder.decode(bytes));
      const objection = order.objection(row);
      if (objection) throw new Error(objection);
      order.accept(row);
      return { row, end, ended };
    } catch (cause) {
      if (!ended) return undefined; // The process was killed while it wrote.
      const reason = cause instanceof TypeError ? "it is not UTF-8" : (cause as Error).message;
      throw damaged(reason, cause);
    }
  };

  /** Pieces of a line whose end was not read yet. */
  let rest: Uint8Array[] = [];
  let held = 0;
  const chunk = new Uint8Array(65536);
  for (let n; (n = await file.read(chunk)) !== null;) {
    let bytes = chunk.subarray(0, n);
    for (let at; (at = bytes.indexOf(10)) >= 0; bytes = bytes.subarray(at + 1)) {
      const line = parse(concat([...rest, bytes.subarray(0, at)]), true);
      [rest, held] = [[], 0];
      if (line) yield line;
    }
    rest.push(bytes.slice());
    held += bytes.length;
    if (held > MOST_LINE) parse(concat(rest), true); // It throws.
  }
  const line = parse(concat(rest), false);
  if (line) yield line;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
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
    private readonly file: AppendFile,
    private readonly order: Order,
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
    const { afterStep = 0, onRow } = options;
    const order = new Order();
    let length = 0;
    let ended = true;
    if (afterStep > 0) {
      try {
        for await (const line of readLines(path)) {
          if (line.row.step > afterStep) break;
          ({ end: length, ended } = line);
          order.accept(line.row);
          onRow?.(line.row);
        }
      } catch (error) {
        if (error instanceof DataError) throw error;
        if (!(error instanceof Deno.errors.NotFound)) throw cannotWrite(path, error);
      }
    }
    order.step = afterStep;
    // Lines are in order, so those to keep are the beginning of the file, and cutting is atomic.
    const file = await AppendFile.open(path, length);
    if (!ended) {
      try {
        file.add(LINE_BREAK);
        await file.flush();
      } catch (error) {
        await file.close().catch(() => {});
        throw error;
      }
    }
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
    if (this.file.closed) throw new Error(`Cannot log to ${this.path}: it is closed`);
    const line = encodeJSON(row) + "\n";
    const objection = this.order.objection(row) ?? mistake(line);
    if (objection) throw new RangeError(`Cannot log to ${this.path}: ${objection}`);
    this.order.accept(row);
    this.file.add(new TextEncoder().encode(line));
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
