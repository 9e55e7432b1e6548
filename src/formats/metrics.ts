/**
 * Lines of a metrics log: the losses of a step or an epoch as one JSON object, which any tool reads.
 */

import { decodeNumber, encodeJSON, parseJSON, quote } from "./json.ts";

/** How generated images compare with real ones; `docs/metrics.md` explains each number. */
export interface EvaluationMetrics {
  /** Fréchet distance: lower is better. */
  readonly frechetDistance: number;
  /** The fraction of generated images among the real ones. */
  readonly precision: number;
  /** The fraction of real images among the generated ones. */
  readonly recall: number;
  /** As precision, but it counts how densely; about 1 is good. */
  readonly density: number;
  /** As recall, but less sensitive to outliers. */
  readonly coverage: number;
  /** Of the classes of generated images, in nats, if a classifier knows classes. */
  readonly entropy?: number;
}

/** The line of one trained batch. */
export interface StepMetrics {
  readonly type: "step";
  /** When it was logged, as ISO 8601 in UTC. */
  readonly time: string;
  /** Counted from 1 over the whole run. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** Trained so far. */
  readonly images: number;
  readonly generatorLoss: number;
  readonly discriminatorLoss: number;
}

/**
 * The line of one trained epoch. A log of version 0.1.0 may have two lines of one that was stopped and
 * resumed; the later one counts.
 */
export interface EpochMetrics
  extends Omit<StepMetrics, "type" | "images">, Partial<EvaluationMetrics> {
  readonly type: "epoch";
  /** Steps trained in it; `step` is the last one, and losses are means over them. */
  readonly steps: number;
  /** Wall-clock time. */
  readonly seconds: number;
  /** The energy distance, in logs of version 0.1.0. */
  readonly distance?: number;
}

/** The numbers of an evaluation that a log has. */
const EVALUATED = [
  "frechetDistance",
  "precision",
  "recall",
  "density",
  "coverage",
  "entropy",
] as const satisfies readonly (keyof EvaluationMetrics)[];

/** Those of them that something has. */
export function evaluationIn(of: Partial<EvaluationMetrics>): Partial<EvaluationMetrics> {
  return Object.fromEntries(
    EVALUATED.flatMap((name) => of[name] === undefined ? [] : [[name, of[name]]]),
  );
}

/** What an epoch may have, and need not. */
const OPTIONAL: readonly string[] = [...EVALUATED, "distance"];

/** One line of a metrics log. */
export type MetricsRow = StepMetrics | EpochMetrics;

/** What a field must hold, and whether a value is that. */
type Kind = readonly [what: string, is: (value: unknown) => boolean];
const COUNT: Kind = [
  "a whole number of at least 1",
  (value) => Number.isSafeInteger(value) && (value as number) >= 1,
];
const NUMBER: Kind = ["a number", (value) => typeof value === "number"];
const TIME: Kind = [
  "a time",
  (value) => typeof value === "string" && !Number.isNaN(Date.parse(value)),
];

const LOSSES = { generatorLoss: NUMBER, discriminatorLoss: NUMBER };
const BOTH = { time: TIME, step: COUNT, epoch: COUNT, ...LOSSES };
const FIELDS: Record<MetricsRow["type"], Record<string, Kind>> = {
  step: { ...BOTH, images: COUNT },
  epoch: {
    ...{ ...BOTH, steps: COUNT, seconds: NUMBER },
    ...Object.fromEntries(OPTIONAL.map((name) => [name, NUMBER])),
  },
};

/** The line of a row, with its line break. Throws as {@linkcode decodeRow}. */
export function encodeRow(row: MetricsRow): string {
  const line = encodeJSON(row);
  decodeRow(line);
  return line + "\n";
}

/**
 * The row of a line.
 *
 * @throws {Error} saying in half a sentence what is wrong with the line.
 */
export function decodeRow(line: string): MetricsRow {
  let row: Record<string, unknown>;
  try {
    row = parseJSON(line) as Record<string, unknown>;
  } catch (cause) {
    throw new Error(`it ${(cause as Error).message}`, { cause });
  }
  if (row?.type !== "step" && row?.type !== "epoch") {
    throw new Error(`its "type" is ${quote(row?.type)}, not "step" or "epoch"`);
  }
  for (const [name, kind] of Object.entries(FIELDS[row.type])) {
    if (OPTIONAL.includes(name) && row[name] === undefined) continue;
    if (kind === NUMBER) row[name] = decodeNumber(row[name]);
    const [what, is] = kind;
    if (!is(row[name])) throw new Error(`its "${name}" is ${quote(row[name])}, not ${what}`);
  }
  return row as unknown as MetricsRow;
}

/** The order in which rows may follow each other, in a file as well as from a program. */
export class RowOrder {
  step = 0;
  epochStep = 0;
  epoch = 0;

  /** What is wrong with `row` as the next one; undefined if it may follow. */
  objection({ type, step, epoch }: MetricsRow): string | undefined {
    if (type === "step") {
      return step > this.step ? undefined : `step ${step} comes after step ${this.step}`;
    }
    if (step < this.step) return `epoch ${epoch} ends at step ${step}, after step ${this.step}`;
    // An epoch may appear again: it was stopped, and a resumed run finished it.
    if (step > this.epochStep && epoch >= this.epoch) return undefined;
    const before = `epoch ${this.epoch} at step ${this.epochStep}`;
    return `epoch ${epoch} at step ${step} comes after ${before}`;
  }

  accept({ type, step, epoch }: MetricsRow): void {
    this.step = Math.max(this.step, step);
    if (type === "epoch") [this.epochStep, this.epoch] = [step, epoch];
  }
}
