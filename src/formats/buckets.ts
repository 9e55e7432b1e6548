/**
 * A series of any length in bounded memory.
 *
 * @module
 */

/** Finite values of a series over some consecutive steps. */
export interface Bucket {
  /** The first step. */
  readonly from: number;
  /** The last step so far. */
  readonly to: number;
  /** Number of finite values; if 0, the other numbers are NaN. */
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/**
 * Minimum, maximum and mean of a series in buckets of equal width, from its first step on. When a step
 * comes after the last bucket, all buckets double in width until it fits.
 */
export class Buckets {
  #width = 1;
  #first = 0;
  #last = 0;
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  readonly #sum: Float64Array;
  readonly #count: Float64Array;

  constructor(
    /** Most buckets. */
    readonly capacity: number,
  ) {
    this.#min = new Float64Array(capacity).fill(Infinity);
    this.#max = new Float64Array(capacity).fill(-Infinity);
    this.#sum = new Float64Array(capacity);
    this.#count = new Float64Array(capacity);
  }

  /** Steps in a bucket. */
  get width(): number {
    return this.#width;
  }

  /** @param step counted from 1, at least the first one that was added */
  add(step: number, value: number): void {
    this.#first ||= step;
    this.#last = Math.max(this.#last, step);
    while (step - this.#first >= this.#width * this.capacity) this.#halve();
    const i = Math.floor((step - this.#first) / this.#width);
    if (!Number.isFinite(value)) return;
    this.#min[i] = Math.min(this.#min[i], value);
    this.#max[i] = Math.max(this.#max[i], value);
    this.#sum[i] += value;
    this.#count[i]++;
  }

  /** Joins pairs of neighbors. */
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
    this.#width *= 2;
  }

  /** All buckets up to the last step's. */
  list(): Bucket[] {
    const steps = this.#last ? this.#last - this.#first + 1 : 0;
    return Array.from({ length: Math.ceil(steps / this.#width) }, (_, i) => {
      const count = this.#count[i];
      const from = this.#first + i * this.#width;
      return {
        from,
        to: Math.min(from + this.#width - 1, this.#last),
        count,
        min: count ? this.#min[i] : NaN,
        max: count ? this.#max[i] : NaN,
        mean: this.#sum[i] / count,
      };
    });
  }
}
