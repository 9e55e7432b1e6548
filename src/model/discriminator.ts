import type { Gpu } from "../graph/gpu.ts";
import { requireSeed } from "../ops/random.ts";
import { conv2D, dense, dropout, flatten, leakyReLU } from "./layers.ts";
import { Sequential } from "./sequential.ts";
import { STREAM } from "./threefry.ts";
import { requireCount, requirePicture, requireWidths } from "./validate.ts";

/** Options of {@linkcode Discriminator}; the defaults are the tutorial's. */
export interface DiscriminatorOptions {
  /** Channels of the two convolutions. Default [64, 128]. */
  readonly widths?: readonly [number, number];
  /** Channels of the pictures. Default 1. */
  readonly channels?: number;
  /** Height of the pictures, a multiple of 4. Default 28. */
  readonly height?: number;
  /** Width of the pictures, a multiple of 4. Default 28. */
  readonly width?: number;
  /** Share of activations dropped in training. Default 0.3. */
  readonly dropout?: number;
  /** Seed of the initial weights. Default 0. */
  readonly seed?: number;
}

/**
 * The tutorial's discriminator: pictures [batch, 28, 28, 1] to logits [batch, 1], positive for real.
 *
 * Convolutions 5 x 5 of stride 2 to 64 and 128 channels, each with LeakyReLU and dropout; then
 * dense to one logit. 212,865 weights.
 */
export class Discriminator extends Sequential {
  /**
   * Makes the weights from the seed.
   *
   * @throws {RangeError} when an option is out of range.
   */
  constructor(gpu: Gpu, options: DiscriminatorOptions = {}) {
    const { widths = [64, 128], channels = 1, dropout: rate = 0.3, seed = 0 } = options;
    const { height = 28, width = 28 } = options;
    requireSeed(seed);
    requirePicture(height, width);
    requireCount("channels", channels);
    requireWidths(widths, 2);
    if (!(rate >= 0 && rate < 1)) {
      throw new RangeError(`dropout must be at least 0 and below 1, got ${rate}`);
    }
    super(gpu, "discriminator", [height, width, channels], [
      ...widths.flatMap((filters) => [
        conv2D(filters, { kernelSize: 5, strides: 2 }),
        leakyReLU(),
        dropout(rate),
      ]),
      flatten(),
      dense(1),
    ], { seed, stream: STREAM.discriminator, ends: ["pictures", "logits"] });
  }
}
