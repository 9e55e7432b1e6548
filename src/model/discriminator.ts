import type { Gpu } from "../graph/gpu.ts";
import { type Architecture, architecture } from "./architecture.ts";
import { glorotUniform, heUniform } from "./initializers.ts";
import { classProjection } from "./labels.ts";
import { conv2D, dense, dropout, flatten, leakyReLU, SLOPE } from "./layers.ts";
import { Sequential } from "./sequential.ts";
import { defaultWidths, requireImage, requireWidths } from "./sizes.ts";
import { STREAM } from "./threefry.ts";
import { requireCount, requireOneOf, requireWhole } from "./validate.ts";

/** Options of {@linkcode Discriminator}; the defaults are the tutorial's. */
export interface DiscriminatorOptions {
  /**
   * Channels of the convolutions, each of which halves the image. Default [64, 128] for images of 28 or
   * 32 pixels, otherwise those of {@linkcode defaultWidths}.
   */
  readonly widths?: readonly number[];
  /** Channels of the images. Default 1. */
  readonly channels?: number;
  /** Height of the images, a multiple of 2 for each width. Default 28. */
  readonly height?: number;
  /** Width of the images, a multiple of 2 for each width. Default 28. */
  readonly width?: number;
  /** Fraction of the activations that training drops. Default 0.3. */
  readonly dropout?: number;
  /**
   * How kernels start: as Keras does ("glorotUniform"), or so that activations keep their mean square
   * through depth ("heUniform"). Default "glorotUniform".
   */
  readonly initializer?: "glorotUniform" | "heUniform";
  /**
   * How many classes the images have. With classes, a call takes `labels`, and the last layer is a
   * projection (Miyato and Koyama 2018). Default 0: none.
   */
  readonly classes?: number;
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
  const { channels = 1, height = 28, width = 28, initializer = "glorotUniform" } = options;
  const { widths = defaultWidths(height, width).discriminator, classes = 0 } = options;
  requireWidths(widths, 1);
  requireImage(height, width, widths.length);
  requireCount("channels", channels);
  requireWhole("classes", classes);
  requireOneOf("initializer", initializer, ["glorotUniform", "heUniform"]);
  const start = (slope: number) => initializer === "heUniform" ? heUniform(slope) : glorotUniform;
  const half = { kernelSize: 5, strides: 2, padding: "same" } as const;
  return architecture("discriminator", [height, width, channels], [
    ...widths.flatMap((filters, i) => [
      conv2D(filters, { ...half, initializer: start(i === 0 ? 1 : SLOPE) }),
      leakyReLU(),
      dropout(options.dropout ?? 0.3),
    ]),
    flatten(),
    classes ? classProjection(classes, start(SLOPE)) : dense(1, { initializer: start(SLOPE) }),
  ]);
}

/**
 * The tutorial's discriminator: images [batch, 28, 28, 1] to logits [batch, 1], positive for real.
 *
 * Convolutions 5 x 5 of stride 2 to 64 and 128 channels, each with LeakyReLU and dropout; then
 * dense to one logit. 212,865 weights. For images of other sizes there are as many convolutions as
 * `widths`.
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
