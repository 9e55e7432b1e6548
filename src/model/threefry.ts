/** Random numbers on the host: initial weights, noise of a seed, the order of an epoch. */

const EVEN = [13, 15, 26, 6];
const ODD = [17, 29, 16, 24];

/** Threefry-2x32 (Salmon et al. 2011): two words from a counter and a key, as in `random.wgsl`. */
export function threefry(
  [c0, c1]: readonly [number, number],
  [k0, k1]: readonly [number, number],
): [number, number] {
  const key = [k0, k1, (0x1bd11bda ^ k0 ^ k1) >>> 0];
  let x = (c0 + k0) >>> 0;
  let y = (c1 + k1) >>> 0;
  for (let block = 0; block < 5; block++) {
    for (const r of block % 2 ? ODD : EVEN) {
      x = (x + y) >>> 0;
      y = ((y << r | y >>> (32 - r)) ^ x) >>> 0;
    }
    x = (x + key[(block + 1) % 3]) >>> 0;
    y = (y + key[(block + 2) % 3] + block + 1) >>> 0;
  }
  return [x, y];
}

/** Streams of the host begin here; those of ops on the device are smaller. */
const HOST = 0x80000000;

/** Each use of random numbers on the host has its own stream, so that none repeats another. */
export const STREAM = {
  generator: 0,
  discriminator: 1,
  samples: 2,
  sequential: 3,
  average: 4,
  classifier: 5,
  classifierOrder: 6,
  subsets: 7,
  order: 16,
};

/** The sequence of random numbers of a seed and a stream. */
export class RandomSequence {
  #counter = 0;
  #words: number[] = [];
  readonly #key: [number, number];

  constructor(seed: number, stream: number) {
    this.#key = [seed, (HOST + stream) >>> 0];
  }

  /** The next 32-bit word. */
  word(): number {
    if (this.#words.length === 0) this.#words = threefry([this.#counter++, 0], this.#key);
    return this.#words.shift()!;
  }

  /** A number on [0, 1) with 24 bits. */
  uniform(): number {
    return (this.word() >>> 8) / 0x1000000;
  }

  /** A standard normal number (Box and Muller 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A whole number from 0 to n - 1, each equally likely. */
  below(n: number): number {
    const limit = Math.floor(0x100000000 / n) * n;
    for (;;) {
      const word = this.word();
      if (word < limit) return word % n;
    }
  }
}

/** The numbers 0 to n - 1 in random order (Fisher and Yates). */
export function permutation(n: number, random: RandomSequence): Uint32Array<ArrayBuffer> {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
