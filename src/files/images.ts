/** The folder of images that a run leaves behind. */

import { join } from "npm:pathe@2.0.3";
import { DataError } from "../errors.ts";
import { writeFileAtomic } from "./atomic.ts";
import { encodeGIF, tutorialFrames } from "../formats/gif.ts";
import { GRID_SCALE, type GridOptions, imageGrid } from "../formats/grid.ts";
import { describeImage, type Image } from "../formats/image.ts";
import { decodePNG, encodePNG } from "../formats/png.ts";
import { ifThere, NotAFile, readFile } from "./kind.ts";
import { stepsPerEpoch } from "./run_record.ts";
import { system } from "./system.ts";

/** Sizes of the images of one grid, and how many are in a row. */
export type ImageShape = Pick<GridOptions, "count" | "height" | "width" | "channels" | "columns">;

/** Which images: those after epochs, or those after steps in the middle of them. */
export type ImageKind = "epoch" | "step";

/** An image that a run left behind. */
export interface ImageFile {
  readonly path: string;
  readonly kind: ImageKind;
  /** The epoch, or the step, after which it was made. */
  readonly number: number;
}

const NAME = /^image_at_(step|epoch)_(\d+)\.png$/;

/**
 * The images in a folder: those of steps, then those of epochs, each in the order they were made.
 *
 * @throws {DataError} when there is no such folder.
 */
export async function listImages(dir: string): Promise<ImageFile[]> {
  const entries = await ifThere(Array.fromAsync(system.readDir(dir)));
  if (!entries) {
    throw new DataError(`There is no folder ${dir}: give the folder of a run, such as out`);
  }
  const files = entries.flatMap(({ name }) => {
    const match = NAME.exec(name);
    if (!match) return [];
    return [{ path: join(dir, name), kind: match[1] as ImageKind, number: Number(match[2]) }];
  });
  return files.sort((a, b) => b.kind.localeCompare(a.kind) || a.number - b.number);
}

/**
 * What an animation shows of a run: all its images in the order of their steps. Where nobody knows how
 * many steps an epoch has, its images of steps and, as the end, the last epoch's; or else those of epochs.
 *
 * @param stepsPerEpoch as the run's record says
 */
export function animated(files: readonly ImageFile[], stepsPerEpoch?: number): ImageFile[] {
  const { step: steps = [], epoch: epochs = [] } = Object.groupBy(files, ({ kind }) => kind);
  if (!steps.length) return epochs;
  if (stepsPerEpoch === undefined) return [...steps, ...epochs.slice(-1)];
  const step = ({ kind, number }: ImageFile) => kind === "step" ? number : number * stepsPerEpoch;
  return [...steps, ...epochs].sort((a, b) => step(a) - step(b));
}

/**
 * Images, one after another, as one GIF.
 *
 * @throws {DataError} when a file is no PNG, or two differ in size.
 */
export async function animate(paths: readonly string[], delayMs: number): Promise<Uint8Array> {
  const frames = await readFrames(paths);
  const sizes = frames.map(describeImage);
  const other = sizes.findIndex((size) => size !== sizes[0]);
  if (other >= 0) {
    throw new DataError(
      `The images of an animation must be alike: ${paths[0]} is ${sizes[0]}, ` +
        `${paths[other]} is ${sizes[other]}. Take one of them away`,
    );
  }
  return encodeGIF(frames, { delayMs });
}

/** One after another: a run may have thousands. */
function readFrames(paths: readonly string[]): Promise<Image[]> {
  return Array.fromAsync(paths, async (path) => {
    const bytes = await readFile(path).catch((cause) => {
      if (!(cause instanceof NotAFile)) throw cause;
      throw new DataError(`Cannot read ${path}: ${cause.message}, or take it away`, { cause });
    });
    return decodePNG(bytes, path);
  });
}

/** How long a frame of a run's animation is shown, in milliseconds. */
export const FRAME_MS = 200;

/** Writes a grid of images on [-1, 1] as a PNG file. */
export async function writeGrid(path: string, images: Float32Array, shape: ImageShape) {
  const options = { ...shape, scale: GRID_SCALE, padding: GRID_SCALE };
  await writeFileAtomic(path, encodePNG(imageGrid(images, options)));
}

/**
 * Writes `dcgan.gif` from the images in a folder, by the tutorial's schedule. A folder without images
 * gets no GIF. After a resume, images later than `upTo` are left out, because they are not of this run;
 * and images of another size than the last one, because a resume may change their number.
 *
 * @throws {DataError} when a file is no PNG.
 */
export async function writeGIF(
  dir: string,
  upTo: Readonly<Record<ImageKind, number>>,
): Promise<string | undefined> {
  const files = (await listImages(dir)).filter(({ kind, number }) => number <= upTo[kind]);
  const all = animated(files, await stepsPerEpoch(dir));
  if (!all.length) return undefined;
  const frames = await readFrames(tutorialFrames(all.length).map((i) => all[i].path));
  const alike = frames.filter((frame) => describeImage(frame) === describeImage(frames.at(-1)!));
  const path = join(dir, "dcgan.gif");
  await writeFileAtomic(path, encodeGIF(alike, { delayMs: FRAME_MS }));
  return path;
}
