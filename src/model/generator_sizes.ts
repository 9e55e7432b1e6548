/**
 * The sizes of a generator from the shapes of its weights.
 *
 * @module
 */

import { CheckpointError } from "../errors.ts";
import { show } from "../graph/tensor.ts";
import { plain } from "../formats/json.ts";
import { requireTensor, type WeightFile } from "./weights.ts";

/** What determines the layers of a generator. */
export interface GeneratorSizes {
  readonly noiseDim: number;
  readonly widths: readonly [number, number, number];
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** The size of images from the Reshape layer, whose output is doubled twice. */
function imageOf(layers: WeightFile["layers"]): [number, number] | undefined {
  const shape = layers?.find(({ type }) => type === "Reshape")?.config.target_shape;
  const isSize = (n: unknown) => Number.isSafeInteger(n) && (n as number) > 0;
  if (!Array.isArray(shape) || shape.length < 2 || !shape.every(isSize)) return undefined;
  return [4 * shape[0], 4 * shape[1]];
}

/**
 * Sizes of the generator in a file. Images are square if the file does not say their height and width.
 *
 * @throws {CheckpointError} when a kernel is missing or has another number of axes, or the size of
 *   images is unknown. Shapes that do not fit together are found when the values are read.
 */
export function generatorSizes(file: WeightFile): GeneratorSizes {
  const { path, called } = file;
  const image = file.image ?? imageOf(file.layers);
  const dense = requireTensor(file, "dense/kernel", 2, "[noiseDim, height/4 * width/4 * channels]");
  const [first, second, third] = ["", "_1", "_2"].map((suffix) =>
    requireTensor(file, `conv2d_transpose${suffix}/kernel`, 4, "[5, 5, out, in]").shape
  );
  const widths = [first[3], first[2], second[2]] as const;
  const [noiseDim, units] = dense.shape;
  const fail = (reason: string): never => {
    throw new CheckpointError(
      `In ${path}, ${plain(called("dense/kernel"))} is F32 ${show(dense.shape)} and ` +
        `${plain(called("conv2d_transpose/kernel"))} F32 ${show(first)}: ${reason}`,
    );
  };
  const points = units / widths[0];
  if (!Number.isInteger(points)) {
    fail(`${units} values are not a whole number of pixels of ${widths[0]} channels`);
  }
  const side = Math.sqrt(points);
  if (!image && !Number.isInteger(side)) {
    fail(
      `${points} pixels are not a square, and the file does not say the height and width of its ` +
        'images. Add the metadata "image": "[height, width, channels]"',
    );
  }
  const [height, width] = image ?? [4 * side, 4 * side];
  if (height % 4 || width % 4 || height / 4 * (width / 4) !== points) {
    fail(`${points} pixels, doubled twice, are not the ${height} x ${width} that the file says`);
  }
  return { noiseDim, widths, channels: third[2], height, width };
}
