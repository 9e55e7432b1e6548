/**
 * What commands print: sentences for people, results for programs; and of a training run a bar on a
 * terminal, plain lines elsewhere.
 *
 * @module
 */

import { encodeJSON } from "../formats/json.ts";
import type { EpochEvent, ImageEvent, StepEvent, TrainResult } from "../../mod.ts";

/** Begin and end of a style: Select Graphic Rendition (ECMA-48). */
const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] };

export type Paint = (style: keyof typeof STYLES, text: string) => string;

/**
 * Styles for a stream: only on a terminal, and not where NO_COLOR is set and not empty
 * (https://no-color.org).
 */
export function painter(stream: { isTerminal(): boolean }, noColor = Deno.noColor): Paint {
  if (!stream.isTerminal() || noColor) return (_, text) => text;
  return (style, text) => `\x1b[${STYLES[style][0]}m${text}\x1b[${STYLES[style][1]}m`;
}

export interface Output {
  readonly isTerminal: boolean;
  columns(): number;
  write(text: string): void;
}

export function standardOutput(): Output {
  const encoder = new TextEncoder();
  return {
    isTerminal: Deno.stdout.isTerminal(),
    columns() {
      try {
        return Deno.consoleSize().columns;
      } catch {
        return 80;
      }
    },
    write(text) {
      const bytes = encoder.encode(text);
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    },
  };
}

/**
 * The same output, but text is dropped after its reader has gone or its terminal was closed, which
 * calls `onGone`. Text that does not fit on a full disk is dropped, too, but the next may fit.
 */
export function untilGone(out: Output, onGone: () => void): Output {
  let gone = false;
  return {
    isTerminal: out.isTerminal,
    columns: () => out.columns(),
    write(text) {
      if (gone) return;
      try {
        out.write(text);
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === "ENOSPC" || code === "EDQUOT") return; // Redirected to a disk that is full.
        if (code !== "EIO" && !(error instanceof Deno.errors.BrokenPipe)) throw error;
        gone = true;
        onGone();
      }
    },
  };
}

/** What a command prints. */
export interface ReportOptions {
  /** Only what a program reads. */
  readonly quiet?: boolean;
  /** One JSON object in place of all text. */
  readonly json?: boolean;
}

/** The output of a command, for people, with `--quiet` or with `--json`. */
export class Report {
  constructor(
    private readonly options: ReportOptions,
    private readonly out: Pick<Output, "write"> = standardOutput(),
    readonly paint = painter(Deno.stdout),
  ) {}

  /** A line for people. */
  note(subject: string, text: string): void {
    if (!this.options.quiet) this.text(`${this.paint("dim", subject.padEnd(8))} ${text}`);
  }

  /** A file that was written: a note; with `--quiet` the path alone. */
  wrote(path: string): void {
    if (this.options.quiet) this.text(path);
    else this.note("wrote", path);
  }

  /** Text that is the result itself. */
  text(text: string): void {
    if (!this.options.json) this.out.write(text + "\n");
  }

  /** The result as an object; written only with `--json`. */
  result(value: unknown): void {
    if (this.options.json) this.out.write(encodeJSON(value) + "\n");
  }
}

/** `1h 02m`, `3m 20s` or `12s`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  return `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m`;
}

/** A bar of `width` characters, filled to `share`. */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

/** Losses that explode are shown by their size. */
const loss = (value: number) => Math.abs(value) < 1e4 ? value.toFixed(4) : value.toPrecision(3);

const losses = (generator: number, discriminator: number) =>
  `generator ${loss(generator)}  discriminator ${loss(discriminator)}`;

const perSecond = (images: number) => `${images.toFixed(images < 10 ? 1 : 0)} images/s`;

/** Seconds between plain lines. */
const PLAIN_INTERVAL = 15;

/** The least and the most columns of the bar. */
const BAR = [10, 30] as const;

/** Reports a training run to a person, to a program (one JSON object a line), or to nobody. */
export class RunReport {
  readonly #begun = performance.now();
  #firstStep?: { time: number; step: number; images: number };
  #lastLine = performance.now();
  /** Length of the bar's line on the screen, 0 without one. */
  #shown = 0;
  /** The last step, until a line reports it or its epoch. */
  #unreported: string | undefined;

  /** @param epochs of the whole run */
  constructor(
    private readonly out: Output,
    private readonly options: ReportOptions = {},
    public epochs = 0,
  ) {}

  /** A sentence that a person should know. */
  message(text: string): void {
    if (this.#forPerson("message", { text })) this.#line(text);
  }

  step(event: StepEvent): void {
    if (!this.#forPerson("step", event)) return;
    const { step, totalSteps, generatorLoss, discriminatorLoss } = event;
    const now = performance.now();
    const isFirst = !this.#firstStep;
    // The first step compiles everything, so the speed is measured from its end.
    const first = this.#firstStep ??= { time: now, step, images: event.images };
    const seconds = (now - first.time) / 1000;
    const epoch = `epoch ${event.epoch}/${this.epochs}`;
    const steps = `step ${step}/${totalSteps}`;
    const both = losses(generatorLoss, discriminatorLoss);
    const rate = isFirst ? "" : perSecond((event.images - first.images) / seconds);
    const left = isFirst
      ? ""
      : `${duration((totalSteps - step) * seconds / (step - first.step))} left`;
    const lines = [
      [epoch, steps, both, rate, left],
      [epoch, steps, both, left],
      [epoch, steps, `G ${loss(generatorLoss)} D ${loss(discriminatorLoss)}`, left],
      [steps, left],
      [steps],
    ].map((facts) => facts.filter(Boolean).join("  "));
    // Without the epoch: a run that ends here has not finished it.
    this.#unreported = `${steps}  ${both}`;
    if (!this.out.isTerminal) {
      const isDue = isFirst || now - this.#lastLine >= PLAIN_INTERVAL * 1000;
      // The last step is left to the line of its epoch, or of the end.
      if (!isDue || step === totalSteps) return;
      this.#lastLine = now;
      this.#unreported = undefined;
      return this.#line(lines[0]);
    }
    const columns = this.out.columns() - 3; // Room for the ^C that a terminal writes.
    const text = lines.find((line) => line.length + 2 + BAR[0] <= columns) ??
      lines.find((line) => line.length <= columns) ?? steps.slice(0, columns);
    const room = Math.min(columns - text.length - 2, BAR[1]);
    const drawn = room >= BAR[0] ? `${bar(step / totalSteps, room)}  ` : "";
    this.#clear();
    this.out.write(drawn + text);
    this.#shown = drawn.length + text.length;
  }

  epoch(event: EpochEvent): void {
    if (!this.#forPerson("epoch", event)) return;
    const { epoch, generatorLoss, discriminatorLoss, seconds, image } = event;
    this.#unreported = undefined;
    const time = seconds < 10 ? `${seconds.toFixed(2)}s` : duration(seconds);
    this.#line(
      `epoch ${epoch}/${this.epochs}  ${losses(generatorLoss, discriminatorLoss)}  ${time}` +
        (image ? `  ${image}` : ""),
    );
  }

  /** Images in the middle of an epoch. */
  image({ step, epoch, path }: ImageEvent): void {
    if (!this.#forPerson("image", { step, epoch, path })) return;
    if (path?.includes("image_at_step")) this.#line(`step ${step}  ${path}`);
  }

  /**
   * The end of the run.
   *
   * @param next command lines that a person may want now
   */
  end({ steps, aborted, gif, checkpoint, stats }: TrainResult, next: readonly string[] = []): void {
    if (!this.#forPerson("end", { steps, aborted, gif, checkpoint, stats })) return;
    if (this.#unreported) this.#line(this.#unreported);
    if (stats) {
      const [planned, all] = [stats.plannedBytes, stats.tensorBytes]
        .map((bytes) => `${(bytes / 1e6).toFixed(0)} MB`);
      this.#line(
        `step     ${stats.dispatches} dispatches, ${planned} for tensors that would hold ${all} ` +
          "without sharing",
      );
    }
    if (gif) this.#line(`wrote    ${gif}`);
    const seconds = (performance.now() - this.#begun) / 1000;
    const what = aborted ? "stopped after" : "trained";
    this.#line(`${what} ${steps} step${steps === 1 ? "" : "s"} in ${duration(seconds)}`);
    for (const [i, line] of next.entries()) this.#line(`${i ? "    " : "next"}     ${line}`);
  }

  /** Whether the caller writes text; for a program this writes the event. */
  #forPerson(type: string, fields: object): boolean {
    const { quiet, json } = this.options;
    if (json && !quiet) this.out.write(encodeJSON({ type, ...fields }) + "\n");
    return !json && !quiet;
  }

  /** A line that stays. */
  #line(text: string): void {
    this.#clear();
    this.out.write(text + "\n");
  }

  /** Removes the bar, also the lines into which a terminal that was narrowed has broken it. */
  #clear(): void {
    if (this.#shown) {
      const above = Math.ceil(this.#shown / this.out.columns()) - 1;
      this.out.write(`\r${above > 0 ? `\x1b[${above}A` : ""}\x1b[J`);
    }
    this.#shown = 0;
  }
}
