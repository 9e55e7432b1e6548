/**
 * A trained generator in plain TypeScript, for visitors without WebGPU: the layers of the library's
 * generator in loops of 32-bit floats.
 *
 * @module
 */

import { seedNoise } from "../src/model/sampler.ts";
import { generatorArchitecture, generatorSizes } from "../src/model/generator.ts";
import type { Layer } from "../src/model/layer.ts";
import { requireSameModel } from "../src/model/topology.ts";
import { weightData, weightsFromBytes } from "../src/model/weights.ts";
import type { ImageSize } from "./protocol.ts";

/** What {@linkcode principalDirections} needs of a generator. */
export interface FirstLayer {
  /** [noiseDim, units] */
  readonly kernel: Float32Array;
  /** What the batch normalization behind it multiplies each unit with. */
  readonly scale: Float32Array;
  readonly noiseDim: number;
}

/** What batch normalization multiplies with in inference. */
export function scaleOf(gamma: Float32Array, variance: Float32Array, epsilon = 1e-3): Float32Array {
  return gamma.map((value, i) => value / Math.sqrt(variance[i] + epsilon));
}

interface WeightedLayer {
  readonly layer: Layer;
  readonly weights: readonly Float32Array[];
}

/** A generator on the host. */
export class PlainGenerator {
  /** Length of what it takes: noise and, if it has classes, the vector of a class behind it. */
  readonly noiseDim: number;
  readonly image: ImageSize;
  /** The vectors of its classes. */
  readonly #classes: readonly Float32Array[];
  readonly #layers: readonly WeightedLayer[];

  /**
   * Takes the bytes of a generator as `Generator.save` writes it to a safetensors file, or of the
   * checkpoint of a run.
   *
   * @param name what messages call them
   * @throws {CheckpointError} when the file is damaged, or has no generator.
   */
  constructor(bytes: Uint8Array, name = "the generator of this page") {
    const file = weightsFromBytes(bytes, name, "generator");
    const sizes = generatorSizes(file);
    const model = generatorArchitecture(sizes);
    requireSameModel(file, model);
    const layers = model.layers.map(({ name, layer }) => ({
      layer,
      weights: layer.weights.map((weight) =>
        weightData(file, `${name}/${weight.name}`, weight.shape)
      ),
    }));
    const { height, width, channels, noiseDim, classes } = sizes;
    this.image = { height, width, channels };
    this.#layers = layers.slice(classes ? 1 : 0);
    const [table] = layers[0].weights;
    this.#classes = Array.from(
      { length: classes },
      (_, i) => table.subarray(i * noiseDim, (i + 1) * noiseDim),
    );
    this.noiseDim = classes ? 2 * noiseDim : noiseDim;
  }

  /** Its first layer. */
  get first(): FirstLayer {
    const [{ weights: [kernel] }, { layer, weights: [gamma, , , variance] }] = this.#layers;
    const units = kernel.length / this.noiseDim;
    const scale = layer.type === "BatchNormalization"
      ? scaleOf(gamma, variance)
      : new Float32Array(units).fill(1);
    return { kernel, scale, noiseDim: this.noiseDim };
  }

  /** The noise of a seed, for one class after another. */
  noise(count: number, seed: number): Float32Array<ArrayBuffer> {
    const classes = this.#classes;
    if (!classes.length) return seedNoise(count, this.noiseDim, seed);
    const length = this.noiseDim / 2;
    const noise = seedNoise(count, length, seed);
    const all = new Float32Array(count * this.noiseDim);
    for (let i = 0; i < count; i++) {
      all.set(noise.subarray(i * length, (i + 1) * length), 2 * i * length);
      all.set(classes[i % classes.length], (2 * i + 1) * length);
    }
    return all;
  }

  /**
   * Images [count, height, width, channels] on [-1, 1] of noise [count, noiseDim]. Other work goes on
   * between two of them.
   */
  async generate(noise: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { noiseDim, image: { height, width, channels } } = this;
    const count = noise.length / noiseDim;
    const images = new Float32Array(count * height * width * channels);
    for (let i = 0; i < count; i++) {
      let x: Float32Array = noise.slice(i * noiseDim, (i + 1) * noiseDim);
      let shape: readonly number[] = [noiseDim];
      for (const each of this.#layers) {
        x = compute(each, x, shape);
        shape = each.layer.outputShape;
      }
      images.set(x, i * height * width * channels);
      await new Promise((resolve) => setTimeout(resolve));
    }
    return images;
  }
}

function compute(
  { layer, weights }: WeightedLayer,
  x: Float32Array,
  shape: readonly number[],
): Float32Array {
  switch (layer.type) {
    case "Dense":
      return finish(layer, dense(x, weights[0]), weights[1]);
    case "BatchNormalization":
      return normalize(x, weights, layer.config.epsilon as number);
    case "LeakyReLU":
      return x.map((value) => value < 0 ? layer.config.alpha as number * value : value);
    case "Reshape":
      return x;
    case "Conv2DTranspose":
      return finish(layer, transposed(layer, x, shape, weights[0]), weights[1]);
  }
  throw new Error(`A layer ${layer.type} cannot be computed without WebGPU`);
}

/** Adds the bias and applies the activation. */
function finish({ config }: Layer, x: Float32Array, bias?: Float32Array): Float32Array {
  const y = bias ? x.map((value, i) => value + bias[i % bias.length]) : x;
  return config.activation === "tanh" ? y.map(Math.tanh) : y;
}

function dense(x: Float32Array, kernel: Float32Array): Float32Array {
  const units = kernel.length / x.length;
  const y = new Float32Array(units);
  for (let i = 0; i < x.length; i++) {
    const row = kernel.subarray(i * units, (i + 1) * units);
    for (let j = 0; j < units; j++) y[j] += x[i] * row[j];
  }
  return y;
}

/** Batch normalization by moving statistics. */
function normalize(x: Float32Array, weights: readonly Float32Array[], epsilon: number) {
  const [gamma, beta, mean, variance] = weights;
  const scale = scaleOf(gamma, variance, epsilon);
  return x.map((value, i) => {
    const channel = i % scale.length;
    return (value - mean[channel]) * scale[channel] + beta[channel];
  });
}

/** A transposed convolution of padding "same": each value adds the kernel, scaled, to the output. */
function transposed(
  { config, outputShape: [oh, ow, out], weights: [{ shape: [kh, kw] }] }: Layer,
  x: Float32Array,
  [h, w, inputs]: readonly number[],
  kernel: Float32Array,
): Float32Array {
  const [down, across] = config.strides as readonly [number, number];
  // The smaller half of the padding comes first, as TensorFlow has it.
  const [top, left] = [Math.max(kh - down, 0) >> 1, Math.max(kw - across, 0) >> 1];
  const y = new Float32Array(oh * ow * out);
  for (let i = 0; i < h * w; i++) {
    const pixel = x.subarray(i * inputs, (i + 1) * inputs);
    for (let tap = 0; tap < kh * kw; tap++) {
      const row = Math.floor(i / w) * down + Math.floor(tap / kw) - top;
      const column = i % w * across + tap % kw - left;
      if (row < 0 || row >= oh || column < 0 || column >= ow) continue;
      const to = (row * ow + column) * out;
      for (let o = 0; o < out; o++) {
        const from = (tap * out + o) * inputs;
        let sum = 0;
        for (let c = 0; c < inputs; c++) sum += pixel[c] * kernel[from + c];
        y[to + o] += sum;
      }
    }
  }
  return y;
}

/**
 * The directions in which noise changes a generator's images most: the first eigenvectors of W W^T,
 * where the first layer computes z W (SeFa, Shen and Zhou 2021). No images are needed.
 *
 * @returns unit vectors [count, noiseDim], the one of the largest eigenvalue first
 */
export function principalDirections(
  { kernel, scale, noiseDim }: FirstLayer,
  count = 5,
): Float32Array<ArrayBuffer> {
  const units = kernel.length / noiseDim;
  const w = kernel.map((value, i) => value * scale[i % units]);
  const row = (i: number) => w.subarray(i * units, (i + 1) * units);
  const product = new Float64Array(noiseDim * noiseDim);
  for (let i = 0; i < noiseDim; i++) {
    for (let j = 0; j <= i; j++) {
      const [a, b] = [row(i), row(j)];
      let sum = 0;
      for (let k = 0; k < units; k++) sum += a[k] * b[k];
      product[i * noiseDim + j] = product[j * noiseDim + i] = sum;
    }
  }
  const directions = new Float32Array(count * noiseDim);
  for (let n = 0; n < Math.min(count, noiseDim); n++) {
    // Power iteration; a direction that is found is taken out of the matrix.
    let vector = Float64Array.from({ length: noiseDim }, (_, i) => Math.cos(i * (n + 1)));
    let length = 0;
    for (let iteration = 0; iteration < 300; iteration++) {
      const next = vector.map((_, i) =>
        vector.reduce((sum, x, j) => sum + x * product[i * noiseDim + j], 0)
      );
      length = Math.hypot(...next);
      if (length === 0) break;
      vector = next.map((x) => x / length);
    }
    directions.set(vector, n * noiseDim);
    for (let i = 0; i < noiseDim; i++) {
      for (let j = 0; j < noiseDim; j++) {
        product[i * noiseDim + j] -= length * vector[i] * vector[j];
      }
    }
  }
  return directions;
}
