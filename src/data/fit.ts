/** Bringing an image upright, to another number of channels, and to another size. */

import type { Image } from "../formats/image.ts";

/** Red, green and blue, from 0 to 255. */
export type Color = readonly [number, number, number];

/**
 * An image turned or mirrored as EXIF's orientation says (Exif 2.32, section 4.6.4): 1 upright, 2
 * mirrored, 3 upside down, 4 both; 5 to 8 the same with rows and columns exchanged first.
 */
export function upright(image: Image, orientation: number): Image {
  if (orientation === 1) return image;
  const { width, height, channels, data } = image;
  const exchanged = orientation >= 5;
  const [toWidth, toHeight] = exchanged ? [height, width] : [width, height];
  const flipX = [2, 3, 7, 8].includes(orientation);
  const flipY = [3, 4, 6, 7].includes(orientation);
  const turned = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < toHeight; y++) {
    for (let x = 0; x < toWidth; x++, to += channels) {
      const [column, row] = exchanged ? [y, x] : [x, y];
      const fromX = flipX ? width - 1 - column : column;
      const fromY = flipY ? height - 1 - row : row;
      const from = (fromY * width + fromX) * channels;
      for (let c = 0; c < channels; c++) turned[to + c] = data[from + c];
    }
  }
  return { width: toWidth, height: toHeight, channels, data: turned };
}

/** The weights of red, green and blue in the brightness of a color, by ITU-R BT.601. */
const LUMA = [0.299, 0.587, 0.114];

const luma = (color: ArrayLike<number>) =>
  LUMA.reduce((sum, weight, c) => sum + weight * color[c], 0);

/** A color in an image of so many channels; gray stays exactly what it is. */
function inChannels(color: Color, channels: number): Color {
  if (channels === 3) return color;
  const gray = color.every((value) => value === color[0]) ? color[0] : luma(color);
  return [gray, gray, gray];
}

/**
 * An image without transparency, gray (1) or RGB (3), on 0 to 255.
 *
 * @param background the color that transparent pixels are put on
 * @returns [height, width, channels], not rounded
 */
export function toChannels(image: Image, channels: 1 | 3, background: Color): Float32Array {
  const { width, height, channels: stored, data } = image;
  const colors = stored < 3 ? 1 : 3;
  const hasAlpha = stored > colors;
  const behind = inChannels(background, channels);
  const values = new Float32Array(height * width * channels);
  for (let pixel = 0; pixel < height * width; pixel++) {
    const from = pixel * stored;
    const alpha = hasAlpha ? data[from + colors] / 255 : 1;
    // In a gray image all three are the same value.
    const color = (c: number) =>
      data[from + Math.min(c, colors - 1)] * alpha + behind[c] * (1 - alpha);
    const toGray = channels === 1 && colors === 3;
    if (toGray) values[pixel] = luma([color(0), color(1), color(2)]);
    else for (let c = 0; c < channels; c++) values[channels * pixel + c] = color(c);
  }
  return values;
}

/** The input samples of one output sample, and their weights. */
interface Tap {
  readonly first: number;
  readonly weights: readonly number[];
}

/**
 * The taps along one axis: a triangle around the place of each output, as wide as a step of the
 * outputs or of the inputs, whichever is larger. So enlarging is linear interpolation, and shrinking
 * averages all that an output covers.
 *
 * @param from number of samples there are
 * @param to number of samples wanted
 * @param scale samples there are for each one wanted; what is left over is cut on both sides
 */
function taps(from: number, to: number, scale: number): Tap[] {
  const begin = (from - to * scale) / 2;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const center = begin + (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - support));
    const last = Math.min(from - 1, Math.ceil(center + support) - 1);
    const weights = Array.from(
      { length: last - first + 1 },
      (_, k) => Math.max(0, 1 - Math.abs(first + k + 0.5 - center) / support),
    );
    const sum = weights.reduce((a, b) => a + b);
    return { first, weights: weights.map((w) => w / sum) };
  });
}

/** Height and width. */
interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * An image scaled to cover a size, with the rest cut off equally on both sides.
 *
 * @param values [height, width, channels] on 0 to 255
 * @param source the height and width that they have
 * @param size the height and width wanted
 * @returns bytes [...size, channels]
 */
export function fitImage(
  values: Float32Array,
  source: Size,
  size: readonly [number, number],
): Uint8ClampedArray {
  const scale = Math.min(source.height / size[0], source.width / size[1]);
  return resample(values, source, size, [scale, scale]);
}

/** Scales each axis; what an output of this size has no room for is cut off equally on both sides. */
function resample(
  values: Float32Array,
  { height, width }: Size,
  [toHeight, toWidth]: readonly [number, number],
  [scaleY, scaleX]: readonly [number, number],
): Uint8ClampedArray {
  if (height === toHeight && width === toWidth) return new Uint8ClampedArray(values);
  const channels = values.length / (height * width);

  // Along rows first, then along columns. Rows that are cut off are skipped: a narrow and very high image
  // has millions of them.
  const columns = taps(width, toWidth, scaleX);
  const rows = taps(height, toHeight, scaleY);
  const top = rows[0].first;
  const last = rows[rows.length - 1];
  const used = last.first + last.weights.length - top;
  const across = new Float32Array(used * toWidth * channels);
  for (let to = 0, y = top; to < across.length; y++) {
    columns.forEach(({ first, weights }) => {
      weights.forEach((weight, k) => {
        for (let c = 0; c < channels; c++) {
          across[to + c] += weight * values[(y * width + first + k) * channels + c];
        }
      });
      to += channels;
    });
  }
  const row = toWidth * channels;
  const result = new Float32Array(toHeight * row);
  rows.forEach(({ first, weights }, y) => {
    weights.forEach((weight, k) => {
      const from = (first + k - top) * row;
      for (let i = 0; i < row; i++) result[y * row + i] += weight * across[from + i];
    });
  });
  return new Uint8ClampedArray(result); // which rounds
}

/**
 * An image scaled to lie within a size, with a color on both sides of it. All of the image stays: a side
 * becomes a whole number of pixels, at least one, so the two scales may differ a little.
 *
 * @param values [height, width, channels] on 0 to 255
 * @param source the height and width that they have
 * @param size the height and width wanted
 * @returns bytes [...size, channels]
 */
export function padImage(
  values: Float32Array,
  source: Size,
  [toHeight, toWidth]: readonly [number, number],
  background: Color,
): Uint8ClampedArray {
  const { height, width } = source;
  const channels = values.length / (height * width);
  const scale = Math.max(height / toHeight, width / toWidth);
  const within = (side: number) => Math.max(1, Math.round(side / scale));
  const [rows, columns] = [within(height), within(width)];
  const inside = resample(values, source, [rows, columns], [height / rows, width / columns]);
  const padded = new Uint8ClampedArray(toHeight * toWidth * channels);
  const behind = inChannels(background, channels);
  for (let i = 0; i < padded.length; i++) padded[i] = behind[i % channels];
  const [top, left] = [(toHeight - rows) >> 1, (toWidth - columns) >> 1];
  for (let y = 0; y < rows; y++) {
    const row = inside.subarray(y * columns * channels, (y + 1) * columns * channels);
    padded.set(row, ((top + y) * toWidth + left) * channels);
  }
  return padded;
}
