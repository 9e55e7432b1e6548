import type { Gpu } from "../graph/gpu.ts";
import type { Shape } from "../graph/tensor.ts";
import { type Architecture, architecture } from "./architecture.ts";
import { generatorSizes } from "./generator_sizes.ts";
import type { LayerFactory } from "./layer.ts";
import { batchNormalization, conv2DTranspose, dense, leakyReLU, reshape } from "./layers.ts";
import { Sequential } from "./sequential.ts";
import { STREAM } from "./threefry.ts";
import { requireCount, requireImage, requireWidths } from "./validate.ts";
import { requireSameModel, weightData, weightsOf } from "./weights.ts";

/** Options of {@linkcode Generator}; the defaults are the tutorial's. */
export interface GeneratorOptions {
  /** Length of the noise vector. Default 100. */
  readonly noiseDim?: number;
  /** Channels after the dense layer and the two hidden transposed convolutions. Default [256, 128, 64]. */
  readonly widths?: readonly [number, number, number];
  /** Channels of the images. Default 1. */
  readonly channels?: number;
  /** Height of the images, a multiple of 4. Default 28. */
  readonly height?: number;
  /** Width of the images, a multiple of 4. Default 28. */
  readonly width?: number;
  /** Seed of the initial weights. Default 0. */
  readonly seed?: number;
}

/** Checks the options and gives the layers, with the length of the noise vector. */
function generatorLayers(
  options: GeneratorOptions,
): { readonly noiseDim: number; readonly factories: readonly LayerFactory[] } {
  const { noiseDim = 100, widths = [256, 128, 64], channels = 1 } = options;
  const { height = 28, width = 28 } = options;
  requireImage(height, width);
  requireCount("noiseDim", noiseDim);
  requireCount("channels", channels);
  requireWidths(widths, 3);
  const [first, second, third] = widths;
  const [h, w] = [height / 4, width / 4];
  const convolve = (filters: number, strides: number, activation?: "tanh") =>
    conv2DTranspose(filters, {
      kernelSize: 5,
      strides,
      padding: "same",
      useBias: false,
      activation,
    });
  const factories = [
    dense(h * w * first, { useBias: false }),
    batchNormalization(),
    leakyReLU(),
    reshape([h, w, first]),
    convolve(second, 1),
    batchNormalization(),
    leakyReLU(),
    convolve(third, 2),
    batchNormalization(),
    leakyReLU(),
    convolve(channels, 2, "tanh"),
  ];
  return { noiseDim, factories };
}

/**
 * The layers of a {@linkcode Generator} with these options, without weights or a device.
 *
 * ```ts
 * import { generatorArchitecture } from "@dcgan/webgpu";
 *
 * console.log(generatorArchitecture().outputShape); // [ 28, 28, 1 ]
 * ```
 *
 * @throws {RangeError} when an option is out of range.
 */
export function generatorArchitecture(options: GeneratorOptions = {}): Architecture {
  const { noiseDim, factories } = generatorLayers(options);
  return architecture("generator", [noiseDim], factories);
}

/**
 * The tutorial's generator: noise [batch, noiseDim] to images [batch, 28, 28, 1] on [-1, 1].
 *
 * Dense to 7 x 7 x 256; transposed convolutions 5 x 5 to 128 (stride 1), 64 (stride 2) and 1
 * (stride 2, tanh); batch normalization and LeakyReLU after each but the last; no biases.
 * 2,330,944 weights, 2,305,472 of them trainable.
 *
 * ```ts
 * import { Generator, Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const generator = new Generator(gpu, { seed: 1 });
 * const program = gpu.compile({}, () => {
 *   const noise = ops.randomNormal([16, generator.noiseDim], { seed: 1 });
 *   const images = generator.call(noise, { training: false });
 *   console.log(images.shape); // [ 16, 28, 28, 1 ]
 *   return { images };
 * });
 * ```
 */
export class Generator extends Sequential {
  /** Length of the noise vector. */
  readonly noiseDim: number;

  /**
   * Makes the weights from the seed.
   *
   * @param weights gives the values of a weight by its name, in place of the seed
   * @throws {RangeError} when an option is out of range.
   */
  constructor(
    gpu: Gpu,
    options: GeneratorOptions = {},
    weights?: (name: string, shape: Shape) => Float32Array,
  ) {
    const { noiseDim, factories } = generatorLayers(options);
    super(gpu, [noiseDim], factories, {
      name: "generator",
      seed: options.seed,
      stream: STREAM.generator,
      ends: ["noise", "images"],
      weights,
    });
    this.noiseDim = noiseDim;
  }

  /**
   * A trained generator from a file, or the bytes of a safetensors file. Its sizes come from there, too:
   *
   * - a checkpoint of a training run
   * - a safetensors file of the weights alone, with Keras' names (`dense/kernel`) and layouts, with or
   *   without `generator/` before them; images are square unless its metadata has
   *   `"image": "[height, width, channels]"`
   * - the `model.json` of a TensorFlow.js layers model with its shards beside it, or their folder, as
   *   tfjs or tensorflowjs_converter writes the tutorial's generator; weights in float32 only
   *
   * ```ts
   * import { Generator, Gpu, ops } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * const generator = await Generator.load(gpu, "out/training_checkpoints/ckpt-0050.safetensors");
   * const program = gpu.compile({}, () => {
   *   const noise = ops.randomNormal([16, generator.noiseDim], { seed: 1 });
   *   return { images: generator.call(noise, { training: false }) };
   * });
   * program.run();
   * const { images } = await program.read("images"); // [16, 28, 28, 1] on [-1, 1]
   * ```
   *
   * Permissions: read for the file, or the folder of the tfjs model; none for bytes.
   *
   * @throws {CheckpointError} when the file is missing or damaged, a layer is not the tutorial's, or a
   *   tensor is missing, unknown, of another shape or type, not finite, or a negative variance. Nothing
   *   stays on the device then.
   */
  static async load(gpu: Gpu, source: string | Uint8Array): Promise<Generator> {
    const file = await weightsOf(source, "generator");
    const sizes = generatorSizes(file);
    requireSameModel(file, generatorArchitecture(sizes));
    return new Generator(gpu, sizes, (name, shape) => weightData(file, name, shape));
  }
}
