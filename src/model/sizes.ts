/** How wide and how deep the networks are, by the size of their images. */

import { requireCount } from "./validate.ts";

/** Widths are at most this many times the narrowest. */
const WIDEST = 8;

/** Sides are halved as long as they are larger than this. */
const SMALL = 8;

/** The least that default networks halve: the tutorial's networks halve as often. */
const LEAST_HALVINGS = 2;

/** How often, in words. */
export const times = (n: number): string => ["once", "twice"][n - 1] ?? `${n} times`;

/**
 * Channels of both networks for images of a size, by DCGAN's rule (Radford et al. 2016): the
 * discriminator halves the sides as long as both are even and larger than 8, at least twice, and
 * doubles its channels each time, up to 8 * `base`; the generator is its mirror image. For 28 and 32
 * pixels these are the tutorial's widths, for 48 and 64 pixels there is one layer more in each
 * network, for 96 and 128 pixels there are two more.
 *
 * ```ts
 * import { defaultWidths } from "@dcgan/webgpu";
 *
 * console.log(defaultWidths(28, 28).generator); // [ 256, 128, 64 ]
 * console.log(defaultWidths(64, 64).discriminator); // [ 64, 128, 256 ]
 * ```
 *
 * @param base channels next to the images
 * @throws {RangeError} when a side is not a multiple of 4, or `base` no whole number of at least 1.
 */
export function defaultWidths(
  height: number,
  width: number,
  base = 64,
): { readonly generator: readonly number[]; readonly discriminator: readonly number[] } {
  requireImage(height, width, LEAST_HALVINGS);
  requireCount("base", base);
  let halvings = LEAST_HALVINGS;
  for (;;) {
    const sides = [height, width].map((side) => side / 2 ** halvings);
    if (!sides.every((side) => side % 2 === 0 && side > SMALL)) break;
    halvings++;
  }
  const widths = Array.from({ length: halvings + 1 }, (_, i) => base * Math.min(2 ** i, WIDEST));
  return { generator: widths.toReversed(), discriminator: widths.slice(0, -1) };
}

/** Refuses lists of channels that are too short, or hold something else than counts. */
export function requireWidths(widths: readonly number[], least: number): void {
  if (widths.length < least) {
    throw new RangeError(`widths must be a list of at least ${least}, got ${widths.length}`);
  }
  for (const width of widths) requireCount("a width", width);
}

/** Refuses images whose sides cannot be halved so often. */
export function requireImage(height: number, width: number, halvings: number): void {
  const step = 2 ** halvings;
  for (const [name, size] of [["height", height], ["width", width]] as const) {
    if (Number.isSafeInteger(size) && size > 0 && size % step === 0) continue;
    const below = Math.floor(size / step) * step;
    const fitting = [below, below + step].filter((side) => side > 0);
    const sizes = fitting.length ? fitting.join(" or ") : step;
    const fewer = size > 0 && size % 2 === 0 ? ", or give fewer widths" : "";
    throw new RangeError(
      `The ${name} of images must be a multiple of ${step}, got ${size}: the generator doubles its ` +
        `size ${times(halvings)}. Pad or crop the images to ${sizes}${fewer}`,
    );
  }
}
