import { CheckpointError } from "../errors.ts";
import type { Gpu } from "../graph/gpu.ts";
import { type Shape, show } from "../graph/tensor.ts";
import { plain } from "../formats/json.ts";
import { type Architecture, architecture } from "./architecture.ts";
import { batchNormalization, conv2DTranspose, dense, leakyReLU, reshape } from "./layers.ts";
import { Sequential } from "./sequential.ts";
import { STREAM } from "./threefry.ts";
import { requireSameModel } from "./topology.ts";
import { requireCount, requireImage, requireWidths } from "./validate.ts";
import type { Source } from "../formats/source.ts";
import { weightsOf } from "./open.ts";
import { requireTensor, weightData, type WeightFile } from "./weights.ts";

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
  const { noiseDim = 100, widths = [256, 128, 64], channels = 1 } = options;
  const { height = 28, width = 28 } = options;
  requireImage(height, width);
  requireCount("noiseDim", noiseDim);
  requireCount("channels", channels);
  requireWidths(widths, 3);
  const [first, second, third] = widths;
  const [h, w] = [height / 4, width / 4];
  const kernel = { kernelSize: 5, padding: "same", useBias: false } as const;
  return architecture("generator", [noiseDim], [
    dense(h * w * first, { useBias: false }),
    batchNormalization(),
    leakyReLU(),
    reshape([h, w, first]),
    conv2DTranspose(second, { ...kernel, strides: 1 }),
    batchNormalization(),
    leakyReLU(),
    conv2DTranspose(third, { ...kernel, strides: 2 }),
    batchNormalization(),
    leakyReLU(),
    conv2DTranspose(channels, { ...kernel, strides: 2, activation: "tanh" }),
  ]);
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
   * @param weights gives the values of a weight by its name; the seed is then not used
   * @throws {RangeError} when an option is out of range.
   */
  constructor(
    gpu: Gpu,
    options: GeneratorOptions = {},
    weights?: (name: string, shape: Shape) => Float32Array,
  ) {
    const { inputShape, layers } = generatorArchitecture(options);
    super(gpu, inputShape, layers.map(({ layer }) => () => layer), {
      name: "generator",
      seed: options.seed,
      stream: STREAM.generator,
      ends: ["noise", "images"],
      weights,
    });
    this.noiseDim = inputShape[0];
  }

  /**
   * A trained generator, with the sizes that its file has. The file is one of these:
   *
   * - a checkpoint of a training run
   * - a safetensors file of the weights alone, or its bytes, with Keras' names (`dense/kernel`, with or
   *   without `generator/` before them) and layouts; images are square unless the metadata has
   *   `"image": "[height, width, channels]"`
   * - the `model.json` of a TensorFlow.js layers model with its shards beside it, or their folder, as
   *   tfjs or tensorflowjs_converter writes the tutorial's generator; weights in float32 only
   *
   * ```ts
   * import { Generator, Gpu } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * const generator = await Generator.load(gpu, "out/training_checkpoints/ckpt-0050.safetensors");
   * ```
   *
   * Permissions: read for the file, or the folder of the tfjs model; net for the host of a URL.
   *
   * @throws {CheckpointError} when the file is missing or damaged, a layer is not the tutorial's, or a
   *   tensor is missing, unknown, of another shape or type, not finite, or a negative variance. Nothing
   *   stays on the device then.
   */
  static async load(gpu: Gpu, source: Source): Promise<Generator> {
    const file = await weightsOf(source, "generator");
    const sizes = generatorSizes(file);
    requireSameModel(file, generatorArchitecture(sizes));
    return new Generator(gpu, sizes, (name, shape) => weightData(file, name, shape));
  }
}

/**
 * Sizes of the generator in a file. Images are square if the file does not give their height and width.
 *
 * @throws {CheckpointError} when a kernel is missing or has another number of axes, or the size of
 *   images is unknown. Other shapes that do not fit together are found when the values are read.
 */
export function generatorSizes(file: WeightFile): Required<Omit<GeneratorOptions, "seed">> {
  const { path, called, image } = file;
  const dense = requireTensor(file, "dense/kernel", ["noiseDim", "height/4 * width/4 * channels"]);
  const [first, second, third] = ["", "_1", "_2"].map((suffix) =>
    requireTensor(file, `conv2d_transpose${suffix}/kernel`, ["5", "5", "out", "in"]).shape
  );
  const widths = [first[3], first[2], second[2]] as const;
  const [noiseDim, units] = dense.shape;
  const fail = (reason: string): never => {
    throw new CheckpointError(
      `In ${path}, ${plain(called("dense/kernel"))} is F32 ${show(dense.shape)} and ` +
        `${plain(called("conv2d_transpose/kernel"))} F32 ${show(first)}: ${reason}`,
    );
  };
  const points = units / widths[0];
  if (!Number.isInteger(points)) {
    fail(`${units} values are not a whole number of pixels of ${widths[0]} channels`);
  }
  const side = Math.sqrt(points);
  if (!image && !Number.isInteger(side)) {
    fail(
      `${points} pixels are not a square, and the file does not give the height and width of its ` +
        'images. Add the metadata "image": "[height, width, channels]"',
    );
  }
  const [height, width] = image ?? [4 * side, 4 * side];
  if (height % 4 || width % 4 || height / 4 * (width / 4) !== points) {
    fail(`${points} pixels, doubled twice, are not the ${height} x ${width} that the file gives`);
  }
  return { noiseDim, widths, channels: third[2], height, width };
}
