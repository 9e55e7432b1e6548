/** Warnings about the losses of a run. */

import type { ObjectiveName } from "../model/objectives.ts";

/** Steps that the means go over: a dip of a few steps, as at the beginning of a run, is ordinary. */
const WINDOW = 100;

/**
 * The objectives whose losses are negative logarithms of probabilities: of how many is the
 * discriminator's loss the sum, and what the generator's is the probability of. Losses of the others
 * have no scale from which to tell who is ahead.
 */
const LOGARITHMS: Partial<Record<ObjectiveName, { terms: number; passing: string }>> = {
  nonsaturating: { terms: 2, passing: "its images pass for real" },
  relativistic: { terms: 1, passing: "its images pass for more real than real ones" },
};

/**
 * Losses are mean negative logarithms of probabilities, so exp(-loss) is the (geometric) mean
 * probability that the discriminator gives: exp(-g) for generated images to be real, and
 * exp(-d / 2) for the truth, d being the sum over real and generated images. (A relativistic
 * discriminator compares the two of a pair: then exp(-d) is that of the truth, and twice d stands for d
 * below. With smoothed labels, d is the loss above the least that they allow.) Networks in balance are
 * at ln 2 and 2 ln 2, one half each; in the tutorial's first two epochs g stayed within 0.4 to 1.2 and
 * d within 0.6 to 1.9.
 *
 * The discriminator overpowers when it is right with more than 90 % (d < 0.2) and believes in fewer
 * than 5 % of the generated images (g > 3): whatever the generator tries is found out, and it learns
 * little of what would be better. A discriminator that is merely good (d = 0.4, right with 82 %)
 * still teaches. The imbalance ends with a clear recovery (d > 0.4 or g < 2), so that a
 * run at the border causes one warning.
 *
 * The generator overpowers when its images pass for real with more than 90 % (g < 0.1); since both
 * losses come from the same logits, d is then at least -ln(1 - exp(-0.1)) = 2.35, by convexity. The
 * end is at g > 0.3 (74 %).
 */
const LIMITS = {
  discriminator: {
    begins: (g: number, d: number) => d < 0.2 && g > 3,
    lasts: (g: number, d: number) => d <= 0.4 && g >= 2,
  },
  generator: { begins: (g: number) => g < 0.1, lasts: (g: number) => g <= 0.3 },
};

type Winner = keyof typeof LIMITS;

const ADVICE: Record<Winner, string> = {
  discriminator: "If it stays so, raise dropout, narrow discriminatorWidths, or lower learningRate",
  generator: "If it stays so, lower dropout, widen discriminatorWidths, or lower learningRate",
};

/**
 * Warns when one network overpowers the other for a hundred steps, which the tutorial warns of: what
 * loses has nothing to learn from any more. And when that is over; and once when numbers are not
 * finite.
 */
export class LossMonitor {
  readonly #g: number[] = [];
  readonly #d: number[] = [];
  #next = 0;
  /** The network that overpowers the other at present. */
  #winner: Winner | undefined;
  #diverged = false;
  /** The discriminator's least loss: the entropy of a real image's label. */
  readonly #least: number;

  /** @param labelSmoothing as in the hyperparameters */
  constructor(
    private readonly warn: (text: string) => void,
    private readonly objective: ObjectiveName = "nonsaturating",
    labelSmoothing = 0,
  ) {
    this.#least = [labelSmoothing, 1 - labelSmoothing]
      .reduce((sum, p) => p > 0 ? sum - p * Math.log(p) : sum, 0);
  }

  /** Whether numbers were not finite. */
  get diverged(): boolean {
    return this.#diverged;
  }

  /** Takes the losses of a step. Those that are not finite are left out of the means. */
  add(step: number, generatorLoss: number, discriminatorLoss: number): void {
    if (!Number.isFinite(generatorLoss + discriminatorLoss)) {
      return this.diverge("the losses are no longer finite", step);
    }
    this.#g[this.#next] = generatorLoss;
    this.#d[this.#next] = discriminatorLoss;
    this.#next = (this.#next + 1) % WINDOW;
    const logarithms = LOGARITHMS[this.objective];
    if (this.#g.length < WINDOW || !logarithms) return;

    const { terms, passing } = logarithms;
    const [g, d] = [mean(this.#g), mean(this.#d)];
    const above = (d - this.#least) / terms;
    const now = winner(this.#winner, g, 2 * above);
    if (now === this.#winner) return;
    this.#winner = now;
    const facts =
      `over the last ${WINDOW} steps the discriminator's mean loss is ${d.toFixed(3)} ` +
      `(right with ${percent(Math.exp(-above))}) and the generator's ${g.toFixed(3)} ` +
      `(${passing} with ${percent(Math.exp(-g))})`;
    if (!now) return this.warn(`step ${step}: the networks are a match again: ${facts}`);
    const loser = now === "generator" ? "discriminator" : "generator";
    this.warn(`step ${step}: the ${now} overpowers the ${loser}: ${facts}. ${ADVICE[now]}`);
  }

  /** Warns that something is not finite. */
  diverge(what: string, step: number): void {
    if (!this.#diverged) this.warn(`${what} at step ${step}: try a lower learning rate`);
    this.#diverged = true;
  }
}

function winner(before: Winner | undefined, g: number, d: number): Winner | undefined {
  if (before && LIMITS[before].lasts(g, d)) return before;
  return (["discriminator", "generator"] as const).find((name) => LIMITS[name].begins(g, d));
}

/** Two digits, and more near 0 % and 100 %. */
function percent(share: number): string {
  const p = 100 * share;
  if (p < 0.01) return "less than 0.01 %";
  if (p > 99.99) return "more than 99.99 %";
  return `${p < 1 || p > 99 ? p.toFixed(2) : p < 10 ? p.toFixed(1) : p.toFixed(0)} %`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
