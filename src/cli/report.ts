/** What commands print: sentences for people, results for programs, the progress of training. */

import { encodeJSON } from "../formats/json.ts";
import type { Plan } from "./dry_run.ts";
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

export type Output = ReturnType<typeof standardOutput>;

export function standardOutput() {
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
    write(text: string) {
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
    ...out,
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

/** The flags of these names: only what a program reads; JSON in place of all text. */
export interface ReportOptions {
  readonly quiet?: boolean;
  readonly json?: boolean;
}

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

export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

/** `1h 02m`, `3m 20s` or `12s`. */
export function duration(seconds: number): string {
  const all = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h ? `${h}h ${two(m)}m` : m ? `${m}m ${two(s)}s` : `${s}s`;
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

/** Milliseconds between plain lines. */
const PLAIN_INTERVAL = 15_000;

/** The least and the most columns of the bar. */
const [SHORTEST, LONGEST] = [10, 30];

/** Reports a training run to a person, to a program (one JSON object a line), or to nobody. */
export class RunReport {
  readonly #begun = performance.now();
  #firstStep?: { time: number; step: number; images: number };
  #lastLine = performance.now();
  /** Length of the bar's line on the screen, 0 without one. */
  #shown = 0;
  /** The last step, until a line reports it or its epoch. */
  #unreported: string | undefined;

  constructor(
    private readonly out: Output,
    private readonly options: ReportOptions = {},
    public epochs = 0, // of the whole run
  ) {}

  message(text: string): void {
    if (this.#forPerson("message", { text })) this.#line(text);
  }

  step(event: StepEvent): void {
    if (!this.#forPerson("step", event)) return;
    const { step, totalSteps, generatorLoss, discriminatorLoss } = event;
    const time = performance.now();
    // The first step compiles everything, so the speed is measured from its end.
    const first = this.#firstStep;
    this.#firstStep ??= { time, step, images: event.images };
    const seconds = (time - (first?.time ?? time)) / 1000;
    const epoch = `epoch ${event.epoch}/${this.epochs}`;
    const steps = `step ${step}/${totalSteps}`;
    const both = losses(generatorLoss, discriminatorLoss);
    const speed = first ? (event.images - first.images) / seconds : 0;
    const rate = first && `${speed.toFixed(speed < 10 ? 1 : 0)} images/s`;
    const left = first && `${duration((totalSteps - step) * seconds / (step - first.step))} left`;
    const lines = [
      [epoch, steps, both, rate, left],
      [epoch, steps, both, left],
      [epoch, steps, `G ${loss(generatorLoss)} D ${loss(discriminatorLoss)}`, left],
      [steps, left],
      [steps],
    ].map((facts) => facts.filter(Boolean).join("  "));
    // Without the epoch: a run that ends here has not finished it.
    this.#unreported = `${steps}  ${both}`;
    if (this.out.isTerminal) return this.#draw(lines, step / totalSteps);
    const isDue = !first || time - this.#lastLine >= PLAIN_INTERVAL;
    // The last step is left to the line of its epoch, or of the end.
    if (!isDue || step === totalSteps) return;
    this.#lastLine = time;
    this.#unreported = undefined;
    this.#line(lines[0]);
  }

  epoch(event: EpochEvent): void {
    if (!this.#forPerson("epoch", event)) return;
    const { epoch, generatorLoss, discriminatorLoss, seconds, image, frechetDistance } = event;
    this.#unreported = undefined;
    const time = seconds < 10 ? `${seconds.toFixed(2)}s` : duration(seconds);
    const distance = frechetDistance !== undefined &&
      `Fréchet distance ${Number(frechetDistance.toPrecision(4))}`;
    const facts = [losses(generatorLoss, discriminatorLoss), distance, time, image];
    this.#line(`epoch ${epoch}/${this.epochs}  ${facts.filter(Boolean).join("  ")}`);
  }

  /** Images in the middle of an epoch. */
  image({ step, epoch, path }: ImageEvent): void {
    if (!this.#forPerson("image", { step, epoch, path })) return;
    if (path?.includes("image_at_step")) this.#line(`step ${step}  ${path}`);
  }

  /** What a run would be. */
  plan(plan: Plan): void {
    if (!this.#forPerson("plan", plan)) return;
    const { networks, epochs, steps, timedSteps, secondsPerStep } = plan;
    for (const network of networks) this.#line(`\n${network}`);
    const [device, images, step] = [plan.deviceBytes, plan.imageBytes, plan.stepBytes]
      .map(megabytes);
    this.#line(`\nmemory   ${device} on the device: ${images} of images, ${step} for a step`);
    const run = `${epochs} epoch${epochs === 1 ? "" : "s"}, ${steps} steps`;
    const time = secondsPerStep
      ? `about ${duration(steps * secondsPerStep)} for ${run}, ${secondsPerStep.toFixed(3)}s a ` +
        `step (mean of ${timedSteps}), without images, evaluations and checkpoints`
      : `${run}: too short to be timed`;
    this.#line(`time     ${time}`);
    this.#line("dry run  nothing was written; leave out --dry-run to train");
  }

  /** The end of the run, and the command lines that a person may want next. */
  end({ steps, aborted, gif, checkpoint, stats }: TrainResult, next: readonly string[] = []): void {
    if (!this.#forPerson("end", { steps, aborted, gif, checkpoint, stats })) return;
    if (this.#unreported) this.#line(this.#unreported);
    if (stats) {
      const [planned, all] = [stats.plannedBytes, stats.tensorBytes].map(megabytes);
      const memory = `${planned} for tensors that would hold ${all} without sharing`;
      this.#line(`step     ${stats.dispatches} dispatches, ${memory}`);
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

  /** Draws a bar, filled to `share`, and the longest line that fits beside it, or else alone. */
  #draw(lines: readonly string[], share: number): void {
    const columns = this.out.columns() - 3; // Room for the ^C that a terminal writes.
    const fits = (most: number) => lines.find((line) => line.length <= most);
    const text = fits(columns - SHORTEST - 2) ?? fits(columns) ?? lines.at(-1)!.slice(0, columns);
    const room = Math.min(columns - text.length - 2, LONGEST);
    const line = room >= SHORTEST ? `${bar(share, room)}  ${text}` : text;
    this.#clear();
    this.out.write(line);
    this.#shown = line.length;
  }

  /** A line that stays. */
  #line(text: string): void {
    this.#clear();
    this.out.write(text + "\n");
  }

  /** Removes the bar, also the lines into which a terminal that was narrowed has broken it. */
  #clear(): void {
    if (this.#shown === 0) return;
    const above = Math.ceil(this.#shown / this.out.columns()) - 1;
    this.out.write(`\r${above > 0 ? `\x1b[${above}A` : ""}\x1b[J`);
    this.#shown = 0;
  }
}
