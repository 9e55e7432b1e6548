/** Many small images side by side as one. */

import { type Image, requireSizes } from "./image.ts";
import { MAX_PIXELS } from "./png_chunks.ts";

/** The image that {@linkcode imageGrid} makes. */
export type Grid = Image;

/** Options of {@linkcode imageGrid}. */
export interface GridOptions {
  /** Number of images. */
  readonly count: number;
  /** Pixels of one image, from top to bottom. */
  readonly height: number;
  /** Pixels of one image, from left to right. */
  readonly width: number;
  /** Values a pixel: 1 gray, 3 RGB. */
  readonly channels: number;
  /** Images in a row; the last row may have fewer. */
  readonly columns: number;
  /** The values that become 0 and 255; what lies beyond is cut. Default [-1, 1]. */
  readonly range?: readonly [number, number];
  /** Pixels of the result for each pixel of an image, in both directions. Default 1. */
  readonly scale?: number;
  /** White pixels of the result around each image, shared by neighbors. Default 0. */
  readonly padding?: number;
}

/** Scale of the grids of a run. */
export const GRID_SCALE = 3;

/** Most images of a grid: 64 in each row. */
export const MOST_IMAGES = 4096;

/** Most images of these sizes in one grid: as many as our own PNG reader takes, never fewer than 16. */
export function mostImages(height: number, width: number): number {
  const cell = GRID_SCALE ** 2 * (height + 1) * (width + 1);
  const row = Math.floor(Math.sqrt(MAX_PIXELS / cell));
  return Math.max(16, Math.min(MOST_IMAGES, row ** 2));
}

/**
 * Lays images out in rows, as bytes. NaN becomes 0.
 *
 * ```ts
 * import { encodePNG, imageGrid } from "@dcgan/webgpu";
 *
 * const images = new Float32Array(16 * 28 * 28); // on [-1, 1]
 * const sizes = { count: 16, height: 28, width: 28, channels: 1 };
 * const grid = imageGrid(images, { ...sizes, columns: 4, scale: 2 });
 * console.log(grid.width, grid.height); // 224 224
 * const png = encodePNG(grid);
 * ```
 *
 * @param images [count, height, width, channels], values on `range`.
 * @returns [rows * (height * scale + padding) + padding, the same with columns and width, channels].
 * @throws {RangeError} when an option is out of range.
 * @throws {TypeError} when `images` has another length than the options say.
 */
export function imageGrid(images: Float32Array, options: GridOptions): Grid {
  const { count, height, width, channels, columns, range: [low, high] = [-1, 1] } = options;
  const { scale = 1, padding = 0 } = options;
  requireSizes("a grid", { count, height, width, columns, scale });
  requireSizes("a grid", { padding }, { least: 0 });
  if (channels !== 1 && channels !== 3) {
    throw new RangeError(`A grid has images of 1 or 3 channels, got ${channels}`);
  }
  if (!(low < high) || !Number.isFinite(high - low)) {
    const range = `[${low}, ${high}]`;
    throw new RangeError(
      `The range of a grid must go from a lower number to a higher, got ${range}`,
    );
  }
  const size = count * height * width * channels;
  if (images.length !== size) {
    throw new TypeError(
      `Cannot lay out images [${count}, ${height}, ${width}, ${channels}]: ` +
        `they have ${size} values, got ${images.length}`,
    );
  }

  // Clamps, rounds, and turns NaN into 0.
  const bytes = new Uint8ClampedArray(images.length);
  for (let i = 0; i < images.length; i++) bytes[i] = (images[i] - low) * (255 / (high - low));

  const stepX = width * scale + padding;
  const stepY = height * scale + padding;
  const gridWidth = columns * stepX + padding;
  const gridHeight = Math.ceil(count / columns) * stepY + padding;
  const data = new Uint8Array(gridWidth * gridHeight * channels).fill(255); // white
  for (let i = 0; i < count; i++) {
    const left = padding + (i % columns) * stepX;
    const top = padding + Math.floor(i / columns) * stepY;
    for (let y = 0; y < height * scale; y++) {
      const row = (i * height + Math.floor(y / scale)) * width;
      let to = ((top + y) * gridWidth + left) * channels;
      for (let x = 0; x < width * scale; x++) {
        const from = (row + Math.floor(x / scale)) * channels;
        for (let c = 0; c < channels; c++) data[to++] = bytes[from + c];
      }
    }
  }
  return { width: gridWidth, height: gridHeight, channels, data };
}
