/**
 * Seeded test data, the same on every machine. Not the library's generator, which is under test.
 */

/** A small generator: mulberry32, and Box and Muller's normal numbers. */
export class TestRandom {
  #state: number;

  /** Seeded by a number, or by a text such as the name of a test. */
  constructor(seed: number | string) {
    this.#state = typeof seed === "number" ? seed : hash(seed);
  }

  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ t >>> 15, t | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** A whole number from 0 to n - 1. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  fill(n: number, draw: (random: TestRandom) => number = (r) => r.normal()): Float64Array {
    return Float64Array.from({ length: n }, () => draw(this));
  }
}

function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const char of text) h = Math.imul(h ^ char.codePointAt(0)!, 0x01000193) >>> 0;
  return h;
}
