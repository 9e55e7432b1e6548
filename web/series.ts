/**
 * The losses of a run of any length in a bounded number of points.
 *
 * @module
 */

import type { Losses, LossesSoFar } from "./protocol.ts";

/** Points that are kept; beyond, pairs of neighbors become one. */
const MOST_POINTS = 1200;

/** Points of the chart of losses, each the mean of some steps. */
export class Series {
  #width: number;
  #points: Losses[];
  #pending: Losses[] = [];

  /** Goes on with what another one had. */
  constructor({ width, points }: LossesSoFar = { width: 1, points: [] }) {
    this.#width = width;
    this.#points = [...points];
  }

  add(losses: Losses): void {
    this.#pending.push(losses);
    if (this.#pending.length < this.#width) return;
    this.#points.push(meanOf(this.#pending));
    this.#pending = [];
    if (this.#points.length < MOST_POINTS) return;
    this.#width *= 2;
    this.#points = this.#points.filter((_, i) => i % 2).map((point, i) =>
      meanOf([this.#points[2 * i], point])
    );
  }

  /** Drops what comes after a step. */
  cut(step: number): void {
    this.#points = this.#points.filter((point) => point.step <= step);
    this.#pending = this.#pending.filter((point) => point.step <= step);
  }

  /** All points so far. */
  get soFar(): LossesSoFar {
    return { width: this.#width, points: this.#points };
  }
}

function meanOf(losses: readonly Losses[]): Losses {
  const mean = (of: (losses: Losses) => number) =>
    losses.reduce((sum, each) => sum + of(each), 0) / losses.length;
  return {
    step: losses.at(-1)!.step,
    generator: mean(({ generator }) => generator),
    discriminator: mean(({ discriminator }) => discriminator),
  };
}
