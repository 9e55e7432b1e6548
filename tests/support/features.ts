/** Features that a test can say in a line, and any language can make. */

/**
 * [count, dims] from the linear congruential generator of Numerical Recipes (1664525, 1013904223),
 * scaled from [0, 1) and shifted, each step rounded to float32.
 */
export function congruential(count: number, dims: number, seed: number, scale = 1, shift = 0) {
  let x = seed;
  return Float32Array.from({ length: count * dims }, () => {
    x = (Math.imul(1664525, x) + 1013904223) >>> 0;
    return Math.fround(Math.fround(x / 2 ** 32) * Math.fround(scale)) + Math.fround(shift);
  });
}
