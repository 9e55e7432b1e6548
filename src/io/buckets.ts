/**
 * A series of any length in bounded memory.
 *
 * @module
 */

/** What a stretch of steps held. */
export interface Bucket {
  /** The first step that falls into it, and how many do. */
  readonly from: number;
  readonly width: number;
  /** Finite values in it; without any, the others are NaN. */
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/**
 * Minimum, maximum and mean of a series over stretches of equal width. When a step lies beyond the
 * last one, the stretches double in width until it does not.
 */
export class Buckets {
  #width = 1;
  #used = 0;
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  readonly #sum: Float64Array;
  readonly #count: Float64Array;

  constructor(
    /** How many stretches at most. */
    readonly capacity: number,
  ) {
    this.#min = new Float64Array(capacity).fill(Infinity);
    this.#max = new Float64Array(capacity).fill(-Infinity);
    this.#sum = new Float64Array(capacity);
    this.#count = new Float64Array(capacity);
  }

  /** Steps in a stretch. */
  get width(): number {
    return this.#width;
  }

  /** @param step Counted from 1. */
  add(step: number, value: number): void {
    while (step > this.#width * this.capacity) this.#halve();
    const i = Math.floor((step - 1) / this.#width);
    this.#used = Math.max(this.#used, i + 1);
    if (!Number.isFinite(value)) return;
    this.#min[i] = Math.min(this.#min[i], value);
    this.#max[i] = Math.max(this.#max[i], value);
    this.#sum[i] += value;
    this.#count[i]++;
  }

  /** Two neighbours become one. */
  #halve(): void {
    const [min, max, sum, count] = [this.#min, this.#max, this.#sum, this.#count];
    const half = Math.ceil(this.capacity / 2);
    for (let i = 0; i < half; i++) {
      const [a, b] = [2 * i, 2 * i + 1];
      const pair = b < this.capacity;
      min[i] = pair ? Math.min(min[a], min[b]) : min[a];
      max[i] = pair ? Math.max(max[a], max[b]) : max[a];
      sum[i] = pair ? sum[a] + sum[b] : sum[a];
      count[i] = pair ? count[a] + count[b] : count[a];
    }
    min.fill(Infinity, half);
    max.fill(-Infinity, half);
    sum.fill(0, half);
    count.fill(0, half);
    this.#used = Math.ceil(this.#used / 2);
    this.#width *= 2;
  }

  /** All stretches up to the last step's. */
  list(): Bucket[] {
    return Array.from({ length: this.#used }, (_, i) => {
      const count = this.#count[i];
      return {
        from: i * this.#width + 1,
        width: this.#width,
        count,
        min: count ? this.#min[i] : NaN,
        max: count ? this.#max[i] : NaN,
        mean: this.#sum[i] / count,
      };
    });
  }
}
