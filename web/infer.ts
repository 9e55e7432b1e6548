/**
 * A trained generator in plain TypeScript, for visitors without WebGPU: dense, batch normalization,
 * transposed convolutions, in loops of 32-bit floats.
 *
 * @module
 */

import { decodeSafetensors } from "../src/formats/safetensors.ts";

const EPSILON = 1e-3;
const SLOPE = 0.3;

/** What {@linkcode principalDirections} needs of a generator. */
export interface FirstLayer {
  /** [noiseDim, units] */
  readonly kernel: Float32Array;
  /** What the batch normalization behind it multiplies each unit with. */
  readonly scale: Float32Array;
  readonly noiseDim: number;
}

/** What batch normalization multiplies with in inference. */
export function scaleOf(gamma: Float32Array, variance: Float32Array): Float32Array {
  return gamma.map((value, i) => value / Math.sqrt(variance[i] + EPSILON));
}

type Weights = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array }
>;

/** A generator on the host. */
export class PlainGenerator {
  readonly noiseDim: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly #weights: Weights;

  /**
   * Takes the bytes of a generator as `Generator.save` writes it to a safetensors file.
   *
   * @throws {CheckpointError} when the file is damaged.
   */
  constructor(bytes: Uint8Array) {
    const { tensors, metadata } = decodeSafetensors(bytes, "the generator of this page");
    this.#weights = tensors as Weights;
    [this.height, this.width, this.channels] = JSON.parse(metadata.image);
    this.noiseDim = this.#weight("dense/kernel").shape[0];
  }

  /** Its first layer. */
  get first(): FirstLayer {
    const [gamma, variance] = ["gamma", "moving_variance"].map((name) =>
      this.#weight(`batch_normalization/${name}`).data
    );
    const { data: kernel } = this.#weight("dense/kernel");
    return { kernel, scale: scaleOf(gamma, variance), noiseDim: this.noiseDim };
  }

  /** Images [count, height, width, channels] on [-1, 1] of noise [count, noiseDim]. */
  generate(noise: Float32Array): Float32Array<ArrayBuffer> {
    const { noiseDim, height, width, channels } = this;
    const count = noise.length / noiseDim;
    const images = new Float32Array(count * height * width * channels);
    for (let i = 0; i < count; i++) {
      const image = this.#one(noise.subarray(i * noiseDim, (i + 1) * noiseDim));
      images.set(image, i * height * width * channels);
    }
    return images;
  }

  #one(noise: Float32Array): Float32Array {
    const [h, w] = [this.height / 4, this.width / 4];
    const dense = this.#weight("dense/kernel").data;
    const units = dense.length / noise.length;
    let x = new Float32Array(units);
    for (let i = 0; i < noise.length; i++) {
      const row = dense.subarray(i * units, (i + 1) * units);
      for (let j = 0; j < units; j++) x[j] += noise[i] * row[j];
    }
    this.#normalize(x, "");
    x = this.#transposed(x, h, w, "", 1);
    this.#normalize(x, "_1");
    x = this.#transposed(x, h, w, "_1", 2);
    this.#normalize(x, "_2");
    return this.#transposed(x, 2 * h, 2 * w, "_2", 2).map(Math.tanh);
  }

  /** Batch normalization by moving statistics, then LeakyReLU; in place. */
  #normalize(x: Float32Array, suffix: string): void {
    const of = (name: string) => this.#weight(`batch_normalization${suffix}/${name}`).data;
    const [beta, mean] = [of("beta"), of("moving_mean")];
    const scale = scaleOf(of("gamma"), of("moving_variance"));
    for (let i = 0; i < x.length; i++) {
      const channel = i % scale.length;
      const y = (x[i] - mean[channel]) * scale[channel] + beta[channel];
      x[i] = y < 0 ? SLOPE * y : y;
    }
  }

  /** A transposed convolution of padding "same": each value adds the kernel, scaled, to the output. */
  #transposed(x: Float32Array, h: number, w: number, suffix: string, stride: number) {
    const { shape: [kh, kw, out, inputs], data } = this.#weight(`conv2d_transpose${suffix}/kernel`);
    const [oh, ow] = [h * stride, w * stride];
    // The smaller half of the padding comes first, as TensorFlow has it.
    const [top, left] = [Math.max(kh - stride, 0) >> 1, Math.max(kw - stride, 0) >> 1];
    const y = new Float32Array(oh * ow * out);
    for (let i = 0; i < h * w; i++) {
      const pixel = x.subarray(i * inputs, (i + 1) * inputs);
      for (let tap = 0; tap < kh * kw; tap++) {
        const row = Math.floor(i / w) * stride + Math.floor(tap / kw) - top;
        const column = i % w * stride + tap % kw - left;
        if (row < 0 || row >= oh || column < 0 || column >= ow) continue;
        const to = (row * ow + column) * out;
        for (let o = 0; o < out; o++) {
          const from = (tap * out + o) * inputs;
          let sum = 0;
          for (let c = 0; c < inputs; c++) sum += pixel[c] * data[from + c];
          y[to + o] += sum;
        }
      }
    }
    return y;
  }

  #weight(name: string) {
    return this.#weights.get(name)!;
  }
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
