/**
 * The folder of pictures that a run leaves behind.
 *
 * @module
 */

import { join } from "node:path";
import { CheckpointError } from "../errors.ts";
import { writeFileAtomic } from "./atomic.ts";
import { encodeGIF, tutorialFrames } from "./gif.ts";
import { imageGrid } from "./grid.ts";
import { decodePNG, encodePNG } from "./png.ts";

/** Sizes of the pictures of one grid. */
export interface PictureShape {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Pixels on the screen for each pixel of a picture. */
const SCALE = 3;

/** Writes grids as PNG, and all of them as one GIF. */
export class PictureFolder {
  private constructor(readonly path: string, private readonly shape: PictureShape) {}

  /** Makes the folder, so that a run fails early if it cannot be written to. */
  static async open(path: string, shape: PictureShape): Promise<PictureFolder> {
    await Deno.mkdir(path, { recursive: true });
    return new PictureFolder(path, shape);
  }

  /** Writes pictures on [-1, 1] as `<name>.png` . */
  async save(name: string, pictures: Float32Array): Promise<string> {
    const columns = Math.ceil(Math.sqrt(this.shape.count));
    const grid = imageGrid(pictures, { ...this.shape, columns, scale: SCALE, padding: SCALE });
    const path = join(this.path, `${name}.png`);
    await writeFileAtomic(path, encodePNG(grid));
    return path;
  }

  /**
   * Writes `dcgan.gif` from the pictures in the folder, by the tutorial's schedule: those of steps
   * and the last epoch's, or else those of epochs. Nothing without any. A resumed run finds the
   * pictures from before.
   */
  async writeGIF(): Promise<string | undefined> {
    const names = (await this.#names()).sort();
    const steps = names.filter((name) => name.startsWith("image_at_step_"));
    const epochs = names.filter((name) => name.startsWith("image_at_epoch_"));
    const all = steps.length ? [...steps, ...epochs.slice(-1)] : epochs;
    if (!all.length) return undefined;
    const frames = await Promise.all(
      tutorialFrames(all.length).map(async (i) => {
        const file = join(this.path, all[i]);
        return decodePNG(await Deno.readFile(file), file);
      }),
    );
    const path = join(this.path, "dcgan.gif");
    await writeFileAtomic(path, encodeGIF(frames, { delayMs: 200, loop: true }));
    return path;
  }

  /**
   * Makes room for a new run.
   *
   * @throws {CheckpointError} when the folder holds pictures already and `overwrite` is false.
   */
  async begin(overwrite: boolean): Promise<void> {
    const old = await this.#names();
    if (old.length && !overwrite) {
      throw new CheckpointError(
        `${this.path} holds a run already (${old[0]}): resume it, overwrite it, or use another ` +
          "folder",
      );
    }
    for (const name of old) await Deno.remove(join(this.path, name));
  }

  async #names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.path)) {
      if (/^image_at_(step|epoch)_\d+\.png$/.test(name)) names.push(name);
    }
    return names;
  }
}
