/**
 * Whether the two networks of a GAN are a match for each other.
 *
 * @module
 */

/** Steps that the means go over: a dip of a few steps, as at the beginning of a run, is ordinary. */
const WINDOW = 100;

/**
 * Losses are mean negative logarithms of probabilities, so exp(-loss) is the (geometric) mean
 * probability that the discriminator gives: exp(-g) for generated images to be real, and
 * exp(-d / 2) for the truth, d being the sum over real and generated images. Networks in balance
 * are at ln 2 and 2 ln 2, one half each; in the tutorial's first two epochs g stayed within 0.4 to
 * 1.2 and d within 0.6 to 1.9.
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
  discriminator: { begin: { d: 0.2, g: 3 }, end: { d: 0.4, g: 2 } },
  generator: { begin: { g: 0.1 }, end: { g: 0.3 } },
} as const;

type Winner = keyof typeof LIMITS;

const ADVICE: Record<Winner, string> = {
  discriminator: "If it stays so, raise dropout, narrow discriminatorWidths, or lower learningRate",
  generator: "If it stays so, lower dropout, widen discriminatorWidths, or lower learningRate",
};

/**
 * Notices when one network overpowers the other for a hundred steps, which the tutorial warns of: what
 * loses has nothing to learn from any more. And when that is over.
 */
export class Balance {
  readonly #g: number[] = [];
  readonly #d: number[] = [];
  #next = 0;
  #winner: Winner | undefined;

  /** Which network overpowers the other at present, if one does. */
  get winner(): "generator" | "discriminator" | undefined {
    return this.#winner;
  }

  /**
   * Takes the losses of a step, as `trainDCGAN` reports them. Steps whose losses are not finite are
   * left out.
   *
   * @returns A sentence when an imbalance begins or ends at this step.
   */
  add(step: number, generatorLoss: number, discriminatorLoss: number): string | undefined {
    if (!Number.isFinite(generatorLoss) || !Number.isFinite(discriminatorLoss)) return undefined;
    this.#g[this.#next] = generatorLoss;
    this.#d[this.#next] = discriminatorLoss;
    this.#next = (this.#next + 1) % WINDOW;
    if (this.#g.length < WINDOW) return undefined;

    const [g, d] = [mean(this.#g), mean(this.#d)];
    const before = this.#winner;
    this.#winner = winner(before, g, d);
    if (this.#winner === before) return undefined;
    const facts = describe(g, d);
    if (!this.#winner) return `step ${step}: the networks are a match again: ${facts}`;
    const loser = this.#winner === "generator" ? "discriminator" : "generator";
    return `step ${step}: the ${this.#winner} overpowers the ${loser}: ${facts}. ` +
      ADVICE[this.#winner];
  }
}

function winner(before: Winner | undefined, g: number, d: number): Winner | undefined {
  const { discriminator, generator } = LIMITS;
  if (before === "discriminator" && d <= discriminator.end.d && g >= discriminator.end.g) {
    return before;
  }
  if (before === "generator" && g <= generator.end.g) return before;
  if (d < discriminator.begin.d && g > discriminator.begin.g) return "discriminator";
  if (g < generator.begin.g) return "generator";
  return undefined;
}

function describe(g: number, d: number): string {
  return `over the last ${WINDOW} steps the discriminator's mean loss is ${d.toFixed(3)} (right ` +
    `with ${percent(Math.exp(-d / 2))}) and the generator's ${g.toFixed(3)} (its images pass ` +
    `for real with ${percent(Math.exp(-g))})`;
}

/** Two digits, and more near 0 % and 100 %. */
function percent(share: number): string {
  const p = 100 * share;
  if (p < 0.01) return "less than 0.01 %";
  if (p > 99.99) return "more than 99.99 %";
  return `${p < 1 || p > 99 ? p.toFixed(2) : p < 10 ? p.toFixed(1) : p.toFixed(0)} %`;
}

function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
