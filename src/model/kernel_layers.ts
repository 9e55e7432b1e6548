/**
 * Layers with a kernel and a bias: dense, and the two convolutions.
 *
 * @module
 */

import { type Shape, show, sizeOf, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/mod.ts";
import type { Initializer, Layer, LayerFactory, WeightSpec } from "./layer.ts";
import { requireCount } from "./validate.ts";

/** A function that a layer applies to each value of its output; "linear" changes nothing. */
export type Activation = "linear" | "relu" | "sigmoid" | "tanh";

/** What each activation records. */
export const ACTIVATIONS: Readonly<Record<Activation, (x: Tensor) => Tensor>> = {
  linear: (x) => x,
  relu: ops.relu,
  sigmoid: ops.sigmoid,
  tanh: ops.tanh,
};

/** Refuses names of activations that are unknown. */
export function requireActivation(name: Activation): void {
  if (Object.hasOwn(ACTIVATIONS, name)) return;
  const known = Object.keys(ACTIVATIONS).map((each) => `"${each}"`).join(", ");
  throw new RangeError(`activation must be one of ${known}, got ${JSON.stringify(name)}`);
}

/** Refuses samples with another number of axes than the layer takes. */
function requireAxes(layer: string, inputShape: Shape, axes: readonly string[], advice: string) {
  if (inputShape.length === axes.length) return;
  throw new TypeError(
    `${layer} takes samples [${axes.join(", ")}], got ${show(inputShape)}: ${advice}`,
  );
}

function kernelAndBias(kernel: Shape, out: number, useBias: boolean): WeightSpec[] {
  // Keras' fans: the receptive field times each of the last two axes.
  const field = sizeOf(kernel.slice(0, -2));
  const [fanIn, fanOut] = kernel.slice(-2).map((n) => n * field);
  const initializer: Initializer = { kind: "glorotUniform", fanIn, fanOut };
  const specs: WeightSpec[] = [{ name: "kernel", shape: kernel, initializer, trainable: true }];
  if (useBias) {
    specs.push({
      name: "bias",
      shape: [out],
      initializer: { kind: "constant", value: 0 },
      trainable: true,
    });
  }
  return specs;
}

function finish(y: Tensor, bias: Variable | undefined, activation: Activation): Tensor {
  return ACTIVATIONS[activation](bias ? ops.add(y, bias) : y);
}

/** Options of {@linkcode dense}. */
export interface DenseOptions {
  /** Whether a bias is added. Default true. */
  readonly useBias?: boolean;
  /** Applied to the output. Default "linear". */
  readonly activation?: Activation;
}

/**
 * Dense layer (Keras' Dense): [size] to [units], with a kernel [size, units] and a bias [units].
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [784], [
 *   layers.dense(128, { activation: "relu" }),
 *   layers.dense(10),
 * ]);
 * console.log(network.parameterCount.total); // 101770
 * ```
 *
 * @throws {RangeError} when `units` is not a whole number of at least 1.
 * @throws {TypeError} from the model, when a sample has more than one axis.
 */
export function dense(
  units: number,
  { useBias = true, activation = "linear" }: DenseOptions = {},
): LayerFactory {
  requireCount("units", units);
  requireActivation(activation);
  return (inputShape) => {
    requireAxes("dense", inputShape, ["size"], "put flatten() before it");
    return {
      type: "Dense",
      base: "dense",
      config: { units, activation, use_bias: useBias },
      outputShape: [units],
      weights: kernelAndBias([inputShape[0], units], units, useBias),
      call: (x, [kernel, bias]) => finish(ops.matmul(x, kernel), bias, activation),
    };
  };
}

/** Options of {@linkcode conv2D} and {@linkcode conv2DTranspose}. */
export interface ConvLayerOptions extends DenseOptions {
  /** Height and width of the kernel: one number for both, or a pair. */
  readonly kernelSize: number | readonly [number, number];
  /** Steps along height and width: one number for both, or a pair. Default 1. */
  readonly strides?: number | readonly [number, number];
  /** "same" pads as TensorFlow does, "valid" does not pad. Default "valid". */
  readonly padding?: "same" | "valid";
}

/** What both convolution layers share; they differ in sizes, layout and op. */
function convLayer(
  name: "conv2D" | "conv2DTranspose",
  filters: number,
  options: ConvLayerOptions,
  differences: {
    readonly size: (n: number, kernel: number, stride: number, same: boolean) => number;
    readonly kernel: (size: readonly number[], channels: number) => Shape;
    readonly op: typeof ops.conv2d;
    readonly config: Layer["config"];
  },
): LayerFactory {
  const { padding = "valid", useBias = true, activation = "linear" } = options;
  const pair = (what: string, value: number | readonly [number, number]) => {
    const [height, width] = typeof value === "number" ? [value, value] : value;
    for (const n of [height, width]) requireCount(what, n);
    return [height, width] as const;
  };
  requireCount("filters", filters);
  const kernelSize = pair("kernelSize", options.kernelSize);
  const strides = pair("strides", options.strides ?? 1);
  if (padding !== "same" && padding !== "valid") {
    throw new RangeError(`padding must be "same" or "valid", got ${JSON.stringify(padding)}`);
  }
  requireActivation(activation);
  return (inputShape) => {
    const axes = ["height", "width", "channels"];
    requireAxes(name, inputShape, axes, "put reshape([height, width, channels]) before it");
    const sizes = kernelSize.map((k, axis) =>
      differences.size(inputShape[axis], k, strides[axis], padding === "same")
    );
    return {
      type: name === "conv2D" ? "Conv2D" : "Conv2DTranspose",
      base: name === "conv2D" ? "conv2d" : "conv2d_transpose",
      config: {
        filters,
        kernel_size: kernelSize,
        strides,
        padding,
        data_format: "channels_last",
        activation,
        use_bias: useBias,
        ...differences.config,
      },
      outputShape: [...sizes, filters],
      weights: kernelAndBias(differences.kernel(kernelSize, inputShape[2]), filters, useBias),
      call: (x, [kernel, bias]) =>
        finish(differences.op(x, kernel, { strides, padding }), bias, activation),
    };
  };
}

/**
 * Convolution (Keras' Conv2D): [height, width, channels] to [h, w, filters], with a kernel
 * [kh, kw, channels, filters] and a bias [filters]. With padding "same" h is height / stride rounded
 * up, with "valid" (height - kh) / stride + 1 rounded down.
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [28, 28, 1], [
 *   layers.conv2D(64, { kernelSize: 5, strides: 2, padding: "same" }),
 * ]);
 * console.log(network.outputShape); // [ 14, 14, 64 ]
 * ```
 *
 * @throws {RangeError} when an option is out of range.
 * @throws {TypeError} from the model, when a sample has not three axes or is smaller than the kernel.
 */
export function conv2D(filters: number, options: ConvLayerOptions): LayerFactory {
  return convLayer("conv2D", filters, options, {
    size: (n, k, stride, same) => same ? Math.ceil(n / stride) : Math.floor((n - k) / stride) + 1,
    kernel: (size, channels) => [...size, channels, filters],
    op: ops.conv2d,
    config: { dilation_rate: [1, 1] },
  });
}

/**
 * Transposed convolution (Keras' Conv2DTranspose): [height, width, channels] to [h, w, filters], with
 * a kernel [kh, kw, filters, channels] and a bias [filters]. With padding "same" h is
 * height * stride, with "valid" height * stride + max(kh - stride, 0).
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [49], [
 *   layers.reshape([7, 7, 1]),
 *   layers.conv2DTranspose(8, { kernelSize: 4, strides: 2, padding: "same" }),
 * ]);
 * console.log(network.outputShape); // [ 14, 14, 8 ]
 * ```
 *
 * @throws {RangeError} when an option is out of range.
 * @throws {TypeError} from the model, when a sample has not three axes.
 */
export function conv2DTranspose(filters: number, options: ConvLayerOptions): LayerFactory {
  return convLayer("conv2DTranspose", filters, options, {
    size: (n, k, stride, same) => n * stride + (same ? 0 : Math.max(k - stride, 0)),
    kernel: (size, channels) => [...size, filters, channels],
    op: ops.conv2dTranspose,
    config: {},
  });
}
