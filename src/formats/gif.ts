import { applyPalette, GIFEncoder, quantize } from "npm:gifenc@1.0.3/dist/gifenc.esm.js";
import { describeImage, type Image, requireImage } from "./image.ts";

/** Options of {@linkcode encodeGIF}. */
export interface GIFOptions {
  /** How long each frame is shown, in milliseconds; GIF rounds it to hundredths of a second. */
  readonly delayMs: number;
  /** Whether it repeats forever. Default true. */
  readonly loop?: boolean;
}

type Palette = number[][];

const GRAYS: Palette = Array.from({ length: 256 }, (_, gray) => [gray, gray, gray]);

/** An RGB frame as indices into a palette: its own colors, or the 256 that represent it best. */
function indexed({ data }: Image): { readonly index: Uint8Array; readonly palette: Palette } {
  const colors = new Map<number, number>();
  const index = new Uint8Array(data.length / 3);
  for (let i = 0; i < index.length && colors.size <= 256; i++) {
    const color = data[3 * i] << 16 | data[3 * i + 1] << 8 | data[3 * i + 2];
    if (!colors.has(color)) colors.set(color, colors.size);
    index[i] = colors.get(color)!;
  }
  if (colors.size <= 256) {
    return { index, palette: Array.from(colors.keys(), (c) => [c >> 16, (c >> 8) & 255, c & 255]) };
  }
  const rgba = new Uint8Array(index.length * 4).fill(255);
  for (let i = 0; i < index.length; i++) rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
  const palette = quantize(rgba, 256);
  return { index: applyPalette(rgba, palette), palette };
}

/**
 * Writes images as an animated GIF. Gray ones, and RGB ones of at most 256 colors each, are
 * written without loss; others with their 256 most representative colors.
 *
 * ```ts
 * import { encodeGIF } from "@dcgan/webgpu";
 *
 * const frame = (gray: number) => ({
 *   width: 2,
 *   height: 2,
 *   channels: 1,
 *   data: new Uint8Array(4).fill(gray),
 * });
 * const gif = encodeGIF([frame(0), frame(255)], { delayMs: 200 });
 * console.log(new TextDecoder().decode(gif.subarray(0, 6))); // GIF89a
 * ```
 *
 * @param frames Images of one size, all with 1 or all with 3 channels.
 * @throws {RangeError} when there is no frame, or a size, the channels or the delay is out of range.
 * @throws {TypeError} when the frames differ in size, or one's bytes contradict its size.
 */
export function encodeGIF(frames: readonly Image[], options: GIFOptions): Uint8Array {
  const { delayMs, loop = true } = options;
  if (frames.length === 0) throw new RangeError("Cannot write a GIF of 0 frames: give at least 1");
  if (!(delayMs >= 0 && delayMs <= 655_350)) {
    throw new RangeError(`delayMs must be from 0 to 655350, got ${delayMs}`);
  }
  for (const frame of frames) requireImage(frame, [1, 3]);
  const sizes = frames.map(describeImage);
  const other = sizes.findIndex((size) => size !== sizes[0]);
  if (other >= 0) {
    const difference = `frame 0 is ${sizes[0]}, frame ${other} is ${sizes[other]}`;
    throw new TypeError(`The frames of a GIF must be alike: ${difference}`);
  }
  const { width, height } = frames[0];
  if (Math.max(width, height) > 65_535) {
    throw new RangeError(`A GIF has at most 65535 x 65535 pixels, got ${width} x ${height}`);
  }
  const encoder = GIFEncoder();
  for (const [i, frame] of frames.entries()) {
    const gray = frame.channels === 1;
    const { index, palette } = gray ? { index: frame.data, palette: GRAYS } : indexed(frame);
    encoder.writeFrame(index, width, height, {
      // The first frame's palette is the file's: gray frames share it.
      palette: gray && i > 0 ? undefined : palette,
      delay: delayMs,
      repeat: loop ? 0 : -1, // 0 is forever; -1 leaves the loop extension out.
    });
  }
  encoder.finish();
  return encoder.bytes();
}

/**
 * Which of so many images the TensorFlow DCGAN tutorial puts into its GIF: fewer and fewer, as
 * training slows down. Image i is shown when 2 * sqrt(i), rounded, is higher than before; the last
 * image is always shown at the end, even if it was the one before.
 *
 * ```ts
 * import { tutorialFrames } from "@dcgan/webgpu";
 *
 * console.log(tutorialFrames(5)); // [ 0, 1, 2, 4, 4 ]
 * ```
 *
 * @param count Number of images there are.
 * @returns Indices of images in the order of the frames; none for a count of 0.
 * @throws {RangeError} when the count is no whole number, or negative.
 */
export function tutorialFrames(count: number): number[] {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new RangeError(`The number of images must be a whole number, got ${count}`);
  }
  // Python rounds halves to even numbers, which does not matter: (k + 1/2)^2 / 4 is never whole.
  const frameOf = (i: number) => Math.round(2 * Math.sqrt(i));
  const indices = Array.from({ length: count }, (_, i) => i);
  const frames = indices.filter((i) => i === 0 || frameOf(i) > frameOf(i - 1));
  return [...frames, ...indices.slice(-1)];
}
