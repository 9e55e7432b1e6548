/**
 * A trained generator for a command, and images of it.
 *
 * @module
 */

import { Generator, Gpu, type Image, imageGrid } from "../../mod.ts";
import { generate } from "../model/sampler.ts";
import { checkpointPath } from "./checkpoint_path.ts";
import { type Argument, UsageError, whole } from "./flags.ts";
import { userPath } from "./user_path.ts";

/** The argument that names it. */
export const CHECKPOINT: Argument = {
  name: "CHECKPOINT",
  help: "a run's folder (its newest checkpoint), a checkpoint file,\n" +
    "or weights: a .safetensors file or a tfjs model.json",
};

/** Seeds are 32-bit words. */
export function seed(text: string): number {
  const value = whole(0)(text);
  if (value > 0xffffffff) throw new UsageError("a whole number of at most 4294967295");
  return value;
}

/** Most values of all images together: a gigabyte in the middle of the work, with its copies. */
const MOST_VALUES = 2 ** 26;

/** A generator on a device. */
export class Trained {
  private constructor(
    /** The file that it was read from. */
    readonly path: string,
    readonly generator: Generator,
    private readonly gpu: Gpu,
  ) {}

  /**
   * Reads a generator.
   *
   * @param path as the person gave it
   * @param warn hears of checkpoints that cannot be read
   */
  static async open(
    path: string,
    warn: (text: string) => void = (text) => console.error(text),
  ): Promise<Trained> {
    // First the path: a mistake in it is said at once, without waiting for an adapter.
    const file = await checkpointPath(
      userPath(path),
      (error) => warn(`skipped: ${error.message}`),
    );
    const gpu = await Gpu.request();
    try {
      return new Trained(file, await Generator.load(gpu, file), gpu);
    } catch (error) {
      gpu[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Refuses more than can be held, before any of it is made.
   *
   * @param scale pixels of the result for each pixel of an image
   * @param what they are, for the message
   * @throws {RangeError} naming the pixels and the most there may be.
   */
  requireSize(count: number, scale: number, what = "images"): void {
    const { noiseDim, outputShape: [height, width, channels] } = this.generator;
    const most = Math.floor(MOST_VALUES / channels);
    const pixels = count * height * width * scale ** 2;
    if (pixels > most) {
      throw new RangeError(
        `${count} ${what} of ${width * scale} x ${
          height * scale
        } are ${pixels} pixels, more than ` +
          `${most}: use a smaller --scale, or fewer at once`,
      );
    }
    if (count * noiseDim > MOST_VALUES) {
      throw new RangeError(
        `${count} images need ${count * noiseDim} numbers of noise, more than ${MOST_VALUES}: ` +
          "use fewer at once",
      );
    }
  }

  /** Images [count, height, width, channels] of noise [count, noiseDim]. */
  images(noise: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return generate(this.gpu, this.generator, noise);
  }

  /** Images side by side, or a single one. */
  grid(
    images: Float32Array,
    { columns, scale, padding }: {
      readonly columns: number;
      readonly scale: number;
      readonly padding: number;
    },
  ): Image {
    const [height, width, channels] = this.generator.outputShape;
    const count = images.length / (height * width * channels);
    return imageGrid(images, { count, height, width, channels, columns, scale, padding });
  }

  /** The images one by one. */
  single(images: Float32Array, scale: number): Image[] {
    const size = this.generator.outputShape.reduce((a, b) => a * b, 1);
    return Array.from(
      { length: images.length / size },
      (_, i) =>
        this.grid(images.subarray(i * size, (i + 1) * size), { columns: 1, scale, padding: 0 }),
    );
  }

  /** Frees the device. */
  [Symbol.dispose](): void {
    this.generator.dispose();
    this.gpu[Symbol.dispose]();
  }
}
