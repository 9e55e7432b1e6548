/**
 * The networks of a run on one device: their trainer, and the programs that look at them.
 *
 * @module
 */

import { grad, ops, type Program, type Snapshot, Trainer } from "../mod.ts";
import type { Generator, Gpu } from "../mod.ts";
import { generate, Sampler, seedNoise } from "../src/model/sampler.ts";
import type { Data } from "./data.ts";
import { type FirstLayer, scaleOf } from "./infer.ts";
import type { Cost, Frame, KernelTime, LossesSoFar, Questions } from "./protocol.ts";
import type { Settings } from "./settings.ts";

/** Images that a frame has, and that the discriminator is asked about. */
const SHOWN = 64;

/** What networks are made for, and what they report. */
export interface Purpose {
  readonly settings: Settings;
  readonly data: Data;
  readonly report: {
    message(text: string): void;
    /** How much of the first step is compiled, from 0 to 1. */
    compiled(part: number): void;
  };
}

/** Where a run goes on. */
export interface Beginning {
  readonly snapshot: Snapshot;
  /** What messages call it. */
  readonly name: string;
  /** Default those of the snapshot: means of its epochs. */
  readonly losses?: LossesSoFar;
}

/** Both networks, on a device that they do not own. */
export class Networks implements Disposable {
  readonly #settings: Settings;
  readonly #data: Data;
  readonly #real: Float32Array;
  #sampler: Sampler | undefined;
  #view: Program<"noise" | "real", "images" | "realLogits" | "fakeLogits"> | undefined;
  #judge: Program<"x", "logit" | "gradient"> | undefined;

  private constructor({ settings, data }: Purpose, readonly trainer: Trainer) {
    this.#settings = settings;
    this.#data = data;
    const size = data.height * data.width * data.channels;
    this.#real = new Float32Array(SHOWN * size);
    for (let i = 0; i < SHOWN; i++) this.#real.set(imageOf(data, i * data.count / SHOWN), i * size);
  }

  /** Makes them, or takes them from a snapshot. */
  static async create(purpose: Purpose, gpu: Gpu, from?: Beginning): Promise<Networks> {
    const { settings, data, report } = purpose;
    const trainer = await Trainer.create({
      ...settings,
      dataset: data,
      gpu,
      epochs: 1e6, // until it is paused
      evaluateEvery: Infinity,
      onMessage: (text) => report.message(text),
      onCompile: ({ done, total }) => report.compiled(done / total),
    });
    try {
      if (from) await trainer.restore(from.snapshot, from.name);
      return new Networks(purpose, trainer);
    } catch (error) {
      trainer[Symbol.dispose]();
      throw error;
    }
  }

  /** The generator that paints: the average of its weights, if the run has one. */
  get #painter(): Generator {
    return this.trainer.average ?? this.trainer.generator;
  }

  /** Keras' summaries of both networks. */
  get summaries(): string[] {
    return [this.trainer.generator.summary(), this.trainer.discriminator.summary()];
  }

  /** What a step costs, once it is compiled. */
  get cost(): Cost {
    return { ...this.trainer.stats };
  }

  /** What the generator paints at this step, and what the discriminator thinks of it. */
  async see(): Promise<Frame> {
    const { steps: step, currentEpoch: epoch, discriminator } = this.trainer;
    const generator = this.#painter;
    const { height, width, channels } = this.#data;
    const first = !this.#view;
    this.#view ??= this.trainer.gpu.compile(
      { noise: [SHOWN, generator.noiseDim], real: [SHOWN, height, width, channels] },
      ({ noise, real }) => {
        const images = generator.call(noise, { training: false });
        const judged = (x: typeof images) => discriminator.call(x, { training: false });
        return { images, realLogits: judged(real), fakeLogits: judged(images) };
      },
      { label: "frame" },
    );
    this.#view.run(
      first
        ? { noise: seedNoise(SHOWN, generator.noiseDim, this.#settings.seed), real: this.#real }
        : {},
    );
    const { images, realLogits, fakeLogits } = await this.#view.read();
    const variety = spread(images) / spread(this.#real);
    return {
      step,
      epoch,
      images: toBytes(images),
      real: realLogits.map(sigmoid),
      generated: fakeLogits.map(sigmoid),
      variety,
    };
  }

  /** Images of any noise. */
  async generate(noise: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { gpu } = this.trainer;
    const generator = this.#painter;
    if (noise.length !== generator.noiseDim) return await generate(gpu, generator, noise);
    this.#sampler ??= new Sampler(gpu, generator, 1);
    return await this.#sampler.sample(noise);
  }

  /** The generator's first layer as it stands. */
  async first(): Promise<FirstLayer> {
    const { variables, noiseDim } = this.#painter;
    const find = (name: string) => variables.find((each) => each.name.endsWith(name));
    const kernel = await find("dense/kernel")!.read();
    const gamma = find("batch_normalization/gamma");
    const scale = gamma
      ? scaleOf(
        await gamma.read(),
        await find("batch_normalization/moving_variance")!.read(),
      )
      : new Float32Array(kernel.length / noiseDim).fill(1);
    return { kernel, scale, noiseDim };
  }

  /** What the discriminator thinks of an image, and where it looks: one pass back from its logit. */
  async judge(image: Float32Array): Promise<Questions["judge"]["answer"]> {
    const { height, width, channels } = this.#data;
    const { gpu, discriminator } = this.trainer;
    this.#judge ??= gpu.compile({ x: [1, height, width, channels] }, ({ x }) => {
      const logit = discriminator.call(x, { training: false });
      const [gradient] = grad(ops.sum(logit), [x]);
      return { logit, gradient };
    }, { label: "judge" });
    this.#judge.run({ x: image });
    const { logit, gradient } = await this.#judge.read();
    return { probability: sigmoid(logit[0]), gradient };
  }

  /** The generator as a file. */
  async generatorBytes(form: "safetensors" | "onnx"): Promise<Uint8Array<ArrayBuffer>> {
    const generator = this.#painter;
    return await (form === "onnx" ? generator.toONNX() : generator.toSafetensors());
  }

  /** Milliseconds by kernel of one step, the slowest first. */
  async profile(): Promise<KernelTime[]> {
    const timings = await this.trainer.profile();
    const kernels = new Map<string, KernelTime>();
    for (const { kernel, milliseconds } of timings) {
      const sum = kernels.get(kernel) ?? { kernel, dispatches: 0, milliseconds: 0 };
      kernels.set(kernel, {
        kernel,
        dispatches: sum.dispatches + 1,
        milliseconds: sum.milliseconds + milliseconds,
      });
    }
    return [...kernels.values()].sort((a, b) => b.milliseconds - a.milliseconds);
  }

  /** Frees all but the device. */
  [Symbol.dispose](): void {
    for (const part of [this.#view, this.#judge, this.#sampler]) part?.[Symbol.dispose]();
    this.trainer[Symbol.dispose]();
  }
}

/** An image of the data on [-1, 1]. */
export function imageOf(
  { images, height, width, channels }: Data,
  index: number,
): Float32Array<ArrayBuffer> {
  const size = height * width * channels;
  const from = Math.floor(index) * size;
  return Float32Array.from(images.subarray(from, from + size), (byte) => byte / 127.5 - 1);
}

const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));

/** Values on [-1, 1] as bytes. */
export function toBytes(images: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  return Uint8ClampedArray.from(images, (value) => 127.5 * (value + 1));
}

/** How far images are from their mean, as a distance. */
function spread(images: Float32Array): number {
  const size = images.length / SHOWN;
  let sum = 0;
  for (let pixel = 0; pixel < size; pixel++) {
    let [mean, squares] = [0, 0];
    for (let at = pixel; at < images.length; at += size) {
      mean += images[at] / SHOWN;
      squares += images[at] ** 2 / SHOWN;
    }
    sum += Math.max(0, squares - mean ** 2);
  }
  return Math.sqrt(sum);
}
