import type { Gpu } from "../graph/gpu.ts";
import { type Architecture, architecture } from "./architecture.ts";
import { conv2D, dense, dropout, flatten, leakyReLU } from "./layers.ts";
import { Sequential } from "./sequential.ts";
import { STREAM } from "./threefry.ts";
import { requireCount, requireImage, requireWidths } from "./validate.ts";

/** Options of {@linkcode Discriminator}; the defaults are the tutorial's. */
export interface DiscriminatorOptions {
  /** Channels of the two convolutions. Default [64, 128]. */
  readonly widths?: readonly [number, number];
  /** Channels of the images. Default 1. */
  readonly channels?: number;
  /** Height of the images, a multiple of 4. Default 28. */
  readonly height?: number;
  /** Width of the images, a multiple of 4. Default 28. */
  readonly width?: number;
  /** Fraction of the activations that training drops. Default 0.3. */
  readonly dropout?: number;
  /** Seed of the initial weights. Default 0. */
  readonly seed?: number;
}

/**
 * The layers of a {@linkcode Discriminator} with these options, without weights or a device.
 *
 * ```ts
 * import { discriminatorArchitecture } from "@dcgan/webgpu";
 *
 * console.log(discriminatorArchitecture().layers.map(({ name }) => name));
 * ```
 *
 * @throws {RangeError} when an option is out of range.
 */
export function discriminatorArchitecture(options: DiscriminatorOptions = {}): Architecture {
  const { widths = [64, 128], channels = 1, height = 28, width = 28 } = options;
  requireImage(height, width);
  requireCount("channels", channels);
  requireWidths(widths, 2);
  return architecture("discriminator", [height, width, channels], [
    ...widths.flatMap((filters) => [
      conv2D(filters, { kernelSize: 5, strides: 2, padding: "same" }),
      leakyReLU(),
      dropout(options.dropout ?? 0.3),
    ]),
    flatten(),
    dense(1),
  ]);
}

/**
 * The tutorial's discriminator: images [batch, 28, 28, 1] to logits [batch, 1], positive for real.
 *
 * Convolutions 5 x 5 of stride 2 to 64 and 128 channels, each with LeakyReLU and dropout; then
 * dense to one logit. 212,865 weights.
 *
 * ```ts
 * import { Discriminator, Gpu } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const discriminator = new Discriminator(gpu, { seed: 1 });
 * console.log(discriminator.parameterCount.total); // 212865
 * const program = gpu.compile({ x: [2, 28, 28, 1] }, ({ x }) => {
 *   const logits = discriminator.call(x, { training: false });
 *   console.log(logits.shape); // [ 2, 1 ]
 *   return { logits };
 * });
 * ```
 */
export class Discriminator extends Sequential {
  /**
   * Makes the weights from the seed.
   *
   * @throws {RangeError} when an option is out of range.
   */
  constructor(gpu: Gpu, options: DiscriminatorOptions = {}) {
    const { inputShape, layers } = discriminatorArchitecture(options);
    super(gpu, inputShape, layers.map(({ layer }) => () => layer), {
      name: "discriminator",
      seed: options.seed,
      stream: STREAM.discriminator,
      ends: ["images", "logits"],
    });
  }
}
