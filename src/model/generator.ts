import { CheckpointError } from "../errors.ts";
import type { Gpu } from "../graph/gpu.ts";
import { type Shape, show } from "../graph/tensor.ts";
import { plain } from "../formats/json.ts";
import { type Architecture, architecture } from "./architecture.ts";
import { glorotUniform, heUniform } from "./initializers.ts";
import { classEmbedding } from "./labels.ts";
import { batchNormalization, conv2DTranspose, dense, leakyReLU, reshape, SLOPE } from "./layers.ts";
import { Sequential } from "./sequential.ts";
import { defaultWidths, requireImage, requireWidths, times } from "./sizes.ts";
import { STREAM } from "./threefry.ts";
import { requireCount, requireOneOf, requireWhole } from "./validate.ts";
import type { Source } from "../formats/source.ts";
import { weightsOf } from "./open.ts";
import { requireTensor, weightData, type WeightFile } from "./weights.ts";

/** Options of {@linkcode Generator}; the defaults are the tutorial's. */
export interface GeneratorOptions {
  /** Length of the noise vector. Default 100. */
  readonly noiseDim?: number;
  /**
   * Channels after the dense layer and after each hidden transposed convolution, at least 2. All
   * transposed convolutions but the first double the image, and so does the last one, to `channels`.
   * Default [256, 128, 64] for images of 28 or 32 pixels, otherwise those of {@linkcode defaultWidths}.
   */
  readonly widths?: readonly number[];
  /** Channels of the images. Default 1. */
  readonly channels?: number;
  /** Height of the images, a multiple of 2 for each width but one. Default 28. */
  readonly height?: number;
  /** Width of the images, a multiple of 2 for each width but one. Default 28. */
  readonly width?: number;
  /**
   * "batch": batch normalization after each layer but the last, as in the tutorial. "none": biases in its
   * place, and kernels that start so that activations keep their mean square. Default "batch".
   */
  readonly normalization?: "batch" | "none";
  /**
   * How many classes the images have. With classes, a call takes `labels`, and a vector of the class
   * that is learned, as long as the noise, is appended to it. Default 0: none.
   */
  readonly classes?: number;
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
  const { noiseDim = 100, channels = 1, height = 28, width = 28 } = options;
  const { widths = defaultWidths(height, width).generator } = options;
  const { normalization = "batch", classes = 0 } = options;
  requireWidths(widths, 2);
  requireImage(height, width, widths.length - 1);
  requireCount("noiseDim", noiseDim);
  requireCount("channels", channels);
  requireWhole("classes", classes);
  requireOneOf("normalization", normalization, ["batch", "none"]);
  const [first, ...others] = widths;
  const [h, w] = [height, width].map((side) => side / 2 ** others.length);
  const plain = normalization === "none";
  const start = (slope: number) => (
    { useBias: plain, initializer: plain ? heUniform(slope) : glorotUniform }
  );
  const activate = [...plain ? [] : [batchNormalization()], leakyReLU()];
  const kernel = { kernelSize: 5, padding: "same", ...start(SLOPE) } as const;
  return architecture("generator", [noiseDim], [
    ...classes ? [classEmbedding(classes)] : [],
    dense(h * w * first, start(1)),
    ...activate,
    reshape([h, w, first]),
    ...others.flatMap((filters, i) => [
      conv2DTranspose(filters, { ...kernel, strides: i === 0 ? 1 : 2 }),
      ...activate,
    ]),
    conv2DTranspose(channels, { ...kernel, strides: 2, activation: "tanh" }),
  ]);
}

/**
 * The tutorial's generator: noise [batch, noiseDim] to images [batch, 28, 28, 1] on [-1, 1].
 *
 * Dense to 7 x 7 x 256; transposed convolutions 5 x 5 to 128 (stride 1), 64 (stride 2) and 1
 * (stride 2, tanh); batch normalization and LeakyReLU after each but the last; no biases.
 * 2,330,944 weights, 2,305,472 of them trainable. For images of other sizes there are as many
 * transposed convolutions as `widths`.
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
   * - a checkpoint of a training run: the average of the generator's weights, if the run has one
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
    const { requireSameModel } = await import("./topology.ts");
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
  const { path, called, image, tensors } = file;
  const names = [...tensors.keys()];
  const embedding = names.includes("class_embedding/embeddings") &&
    requireTensor(file, "class_embedding/embeddings", ["classes", "noiseDim"]).shape;
  const dense = requireTensor(file, "dense/kernel", ["noiseDim", "height/4 * width/4 * channels"]);
  const depth = names.filter((name) => /^conv2d_transpose(_\d+)?\/kernel$/.test(name)).length;
  const kernels = Array.from({ length: Math.max(depth, 2) }, (_, i) => {
    const name = `conv2d_transpose${i ? `_${i}` : ""}/kernel`;
    return requireTensor(file, name, ["5", "5", "out", "in"]).shape;
  });
  const [first] = kernels;
  const [channels, ...others] = kernels.map((shape) => shape[2]).reverse();
  const widths = [first[3], ...others.reverse()];
  const [inputs, units] = dense.shape;
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
  const scale = 2 ** others.length;
  const doubled = `${points} pixels, doubled ${times(others.length)},`;
  const [height, width] = image ?? [scale * side, scale * side];
  if (!Number.isSafeInteger(height * width)) fail(`${doubled} are not an image of any size`);
  if (height % scale || width % scale || height / scale * (width / scale) !== points) {
    fail(`${doubled} are not the ${height} x ${width} that the file gives`);
  }
  const [classes, noiseDim] = embedding || [0, inputs];
  const normalized = names.some((name) => name.startsWith("batch_normalization"));
  const normalization = normalized ? "batch" : "none";
  return { noiseDim, widths, channels, height, width, normalization, classes };
}
