/**
 * The folder of pictures that a run leaves behind.
 *
 * @module
 */

import { join } from "node:path";
import { writeFileAtomic } from "./atomic.ts";
import { encodeGIF, tutorialFrames } from "./gif.ts";
import { type Grid, imageGrid } from "./grid.ts";
import { encodePNG } from "./png.ts";

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
  readonly #frames: Grid[] = [];

  private constructor(readonly path: string, private readonly shape: PictureShape) {}

  /** Makes the folder, so that a run fails early if it cannot be written to. */
  static async open(path: string, shape: PictureShape): Promise<PictureFolder> {
    await Deno.mkdir(path, { recursive: true });
    return new PictureFolder(path, shape);
  }

  /** Writes pictures on [-1, 1] as `<name>.png` and keeps them for the GIF. */
  async save(name: string, pictures: Float32Array): Promise<string> {
    const columns = Math.ceil(Math.sqrt(this.shape.count));
    const grid = imageGrid(pictures, { ...this.shape, columns, scale: SCALE, padding: SCALE });
    this.#frames.push(grid);
    const path = join(this.path, `${name}.png`);
    await writeFileAtomic(path, encodePNG(grid));
    return path;
  }

  /** Writes `dcgan.gif` from the pictures so far, by the tutorial's schedule; nothing without any. */
  async writeGIF(): Promise<string | undefined> {
    if (!this.#frames.length) return undefined;
    const frames = tutorialFrames(this.#frames.length).map((i) => this.#frames[i]);
    const path = join(this.path, "dcgan.gif");
    await writeFileAtomic(path, encodeGIF(frames, { delayMs: 200, loop: true }));
    return path;
  }
}
