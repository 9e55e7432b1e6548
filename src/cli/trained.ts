/**
 * A trained generator for a command: which file the person means, and its images.
 *
 * @module
 */

import { join } from "node:path";
import { CheckpointError, Generator, Gpu, type Image, imageGrid } from "../../mod.ts";
import { CheckpointFolder } from "../files/checkpoints.ts";
import { kindOf } from "../files/kind.ts";
import { CHECKPOINTS } from "../files/run_folder.ts";
import { MODEL_FILE } from "../formats/tfjs_model.ts";
import { generate, seedNoise } from "../model/sampler.ts";

/** Help of the argument that names it. */
export const CHECKPOINT =
  "a run's folder (its newest checkpoint), a checkpoint file, or weights: a .safetensors file or " +
  "a tfjs model.json";

/**
 * The file that `path` means: itself, or of a run's folder (or its `training_checkpoints`) the newest
 * checkpoint that can be read, or of a tfjs model's folder its `model.json`.
 *
 * @param skipped called for each newer checkpoint that cannot be read
 * @throws {CheckpointError} when there is nothing at the path, or no checkpoint that can be read.
 */
export async function checkpointPath(
  path: string,
  skipped = (error: CheckpointError) => console.error(`skipped: ${error.message}`),
): Promise<string> {
  const kind = await kindOf(path);
  if (kind === undefined) {
    throw new CheckpointError(
      `There is no ${path}: give a checkpoint, or the folder of a run such as out`,
    );
  }
  if (kind !== "directory") return path;
  const model = join(path, MODEL_FILE);
  if (await kindOf(model) === "file") return model;
  const inside = join(path, CHECKPOINTS);
  const folder = new CheckpointFolder(await kindOf(inside) === "directory" ? inside : path);
  const found = await folder.newest(skipped);
  if (found) return found.path;
  const { length } = await folder.list();
  throw new CheckpointError(
    length
      ? `${folder.path} holds no checkpoint that can be read (tried ${length}): give another checkpoint`
      : `${folder.path} holds no checkpoint: give the folder of a run, or a checkpoint file`,
  );
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

  /** Reads a generator; {@linkcode checkpointPath} says what a path may be. */
  static async open(path: string): Promise<Trained> {
    // First the path: a mistake in it is reported at once, without waiting for an adapter.
    const file = await checkpointPath(path);
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
    const [w, h] = [width * scale, height * scale];
    if (count * h * w > most) {
      throw new RangeError(
        `${count} ${what} of ${w} x ${h} are ${count * h * w} pixels, more than ${most}: use a ` +
          "smaller --scale, or fewer at once",
      );
    }
    if (count * noiseDim > MOST_VALUES) {
      throw new RangeError(
        `${count} images need ${count * noiseDim} numbers of noise, more than ${MOST_VALUES}: ` +
          "use fewer at once",
      );
    }
  }

  noise(count: number, seed: number): Float32Array {
    return seedNoise(count, this.generator.noiseDim, seed);
  }

  /** Images [count, height, width, channels] of noise [count, noiseDim]. */
  images(noise: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return generate(this.gpu, this.generator, noise);
  }

  /** Images [count, height, width, channels] in rows, with a padding as wide as a pixel. */
  grid(images: Float32Array, columns: number, scale: number, padding = scale): Image {
    const [height, width, channels] = this.generator.outputShape;
    const count = images.length / (height * width * channels);
    return imageGrid(images, { count, height, width, channels, columns, scale, padding });
  }

  single(images: Float32Array, scale: number): Image[] {
    const size = this.generator.outputShape.reduce((a, b) => a * b);
    return Array.from(
      { length: images.length / size },
      (_, i) => this.grid(images.subarray(i * size, (i + 1) * size), 1, scale, 0),
    );
  }

  [Symbol.dispose](): void {
    this.generator.dispose();
    this.gpu[Symbol.dispose]();
  }
}
