/**
 * The folder of pictures that a run leaves behind.
 *
 * @module
 */

import { basename, join } from "node:path";
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
   * pictures from before; those beyond `upTo` are of a part that was not trained again.
   */
  async writeGIF(
    upTo: { readonly step: number; readonly epoch: number } = { step: Infinity, epoch: Infinity },
  ): Promise<string | undefined> {
    const files = (await this.list()).filter((path) => numberOf(path) <= upTo[kindOf(path)]);
    const steps = files.filter((path) => kindOf(path) === "step");
    const epochs = files.filter((path) => kindOf(path) === "epoch");
    const all = steps.length ? [...steps, ...epochs.slice(-1)] : epochs;
    if (!all.length) return undefined;
    const frames = await Promise.all(
      tutorialFrames(all.length).map(async (i) => decodePNG(await Deno.readFile(all[i]), all[i])),
    );
    const path = join(this.path, "dcgan.gif");
    await writeFileAtomic(path, encodeGIF(frames, { delayMs: 200, loop: true }));
    return path;
  }

  /** All pictures, in order. */
  async list(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.path)) {
      if (NAME.test(name)) names.push(name);
    }
    return names.sort((a, b) => numberOf(a) - numberOf(b)).map((name) => join(this.path, name));
  }
}

const NAME = /^image_at_(step|epoch)_(\d+)\.png$/;
const kindOf = (path: string) => NAME.exec(basename(path))![1] as "step" | "epoch";
const numberOf = (path: string) => Number(NAME.exec(basename(path))![2]);
