/**
 * What a person sees while training: a bar on a terminal, plain lines elsewhere.
 *
 * @module
 */

import type { EpochEvent, ImageEvent, StepEvent } from "../../mod.ts";

/** Where the text goes. */
export interface Output {
  readonly isTerminal: boolean;
  /** Columns of the terminal. */
  columns(): number;
  write(text: string): void;
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

function speed(imagesPerSecond: number): string {
  return `${imagesPerSecond.toFixed(imagesPerSecond < 10 ? 1 : 0)} images/s`;
}

/** Losses that explode are shown by their size. */
const loss = (value: number) => Math.abs(value) < 1e4 ? value.toFixed(4) : value.toPrecision(3);

const losses = (generator: number, discriminator: number) =>
  `generator ${loss(generator)}  discriminator ${loss(discriminator)}`;

/** Seconds between plain lines. */
const PLAIN_INTERVAL = 15;

/** Shows a run. */
export class Progress {
  readonly #begun = performance.now();
  #firstStep?: { at: number; step: number; images: number };
  #lastLine = performance.now();
  #barShown = false;

  constructor(private readonly out: Output, private readonly epochs: number) {}

  /** A line that stays. */
  line(text: string): void {
    this.#clear();
    this.out.write(text + "\n");
  }

  /** A trained step. */
  step(event: StepEvent): void {
    const now = performance.now();
    // The first step compiles everything; it says nothing about the speed.
    this.#firstStep ??= { at: now, step: event.step, images: event.images };
    const plain = !this.out.isTerminal;
    if (plain && now - this.#lastLine < PLAIN_INTERVAL * 1000 && event.step > 1) return;
    this.#lastLine = now;
    const { at, step, images } = this.#firstStep;
    const seconds = (now - at) / 1000;
    const done = event.step - step;
    const rate = done > 0 ? speed((event.images - images) / seconds) : "";
    const left = done > 0
      ? `${duration((event.totalSteps - event.step) * seconds / done)} left`
      : "";
    const facts = [
      `epoch ${event.epoch}/${this.epochs}`,
      `step ${event.step}/${event.totalSteps}`,
      losses(event.generatorLoss, event.discriminatorLoss),
      rate,
      left,
    ].filter(Boolean).join("  ");
    if (plain) return this.line(facts);
    const room = this.out.columns() - facts.length - 4;
    const drawn = room >= 10 ? bar(event.step / event.totalSteps, Math.min(room, 30)) + "  " : "";
    this.#clear();
    this.out.write((drawn + facts).slice(0, this.out.columns() - 1));
    this.#barShown = true;
  }

  /** A trained epoch. */
  epoch({ epoch, generatorLoss, discriminatorLoss, seconds, image }: EpochEvent): void {
    const time = seconds < 10 ? `${seconds.toFixed(2)}s` : duration(seconds);
    this.line(
      `epoch ${epoch}/${this.epochs}  ${losses(generatorLoss, discriminatorLoss)}  ${time}` +
        (image ? `  ${image}` : ""),
    );
  }

  /** Images in the middle of an epoch. */
  image({ step, path }: ImageEvent): void {
    if (path?.includes("image_at_step")) this.line(`step ${step}  ${path}`);
  }

  /** The end of the run. */
  end(text: string): void {
    this.line(`${text} in ${duration((performance.now() - this.#begun) / 1000)}`);
  }

  #clear(): void {
    if (this.#barShown) this.out.write("\r\x1b[K");
    this.#barShown = false;
  }
}

/**
 * The same output, but what is written after its reader has gone, or its terminal was closed, is lost;
 * `onGone` hears of that. What a full disk does not take is lost, too, but the next text may not be.
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

/** Standard output, as far as it is a terminal. */
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
    write: (text) => {
      const bytes = encoder.encode(text);
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    },
  };
}
