/** Finite values of a series over some consecutive steps. */
export interface Bucket {
  readonly from: number;
  /** The last step so far. */
  readonly to: number;
  /** Number of finite values; if 0, the other numbers are NaN. */
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

const EMPTY = { count: 0, min: Infinity, max: -Infinity, sum: 0 };

function joined(a = EMPTY, b = EMPTY): typeof EMPTY {
  const [min, max] = [Math.min(a.min, b.min), Math.max(a.max, b.max)];
  return { count: a.count + b.count, min, max, sum: a.sum + b.sum };
}

/**
 * Minimum, maximum and mean of a series of any length in bounded memory: in buckets of equal width, from
 * its first step on. When a step comes after the last bucket, all double in width until it fits.
 */
export class Buckets {
  /** Steps in a bucket. */
  width = 1;
  /** The first step, 0 before there is one. */
  first = 0;
  last = 0;
  #totals: (typeof EMPTY)[] = [];

  /** @param capacity most buckets */
  constructor(readonly capacity: number) {}

  /** @param step counted from 1, at least the first one that was added */
  add(step: number, value: number): void {
    this.first ||= step;
    this.last = Math.max(this.last, step);
    while (step - this.first >= this.width * this.capacity) {
      const [length, totals] = [Math.ceil(this.capacity / 2), this.#totals];
      this.#totals = Array.from({ length }, (_, i) => joined(totals[2 * i], totals[2 * i + 1]));
      this.width *= 2;
    }
    if (!Number.isFinite(value)) return;
    const i = Math.floor((step - this.first) / this.width);
    this.#totals[i] = joined(this.#totals[i], { count: 1, min: value, max: value, sum: value });
  }

  /** All buckets up to the last step's. */
  list(): Bucket[] {
    const steps = this.first ? this.last - this.first + 1 : 0;
    return Array.from({ length: Math.ceil(steps / this.width) }, (_, i) => {
      const { count, min, max, sum } = this.#totals[i] ?? EMPTY;
      const from = this.first + i * this.width;
      const to = Math.min(from + this.width - 1, this.last);
      return { from, to, count, min: count ? min : NaN, max: count ? max : NaN, mean: sum / count };
    });
  }
}
