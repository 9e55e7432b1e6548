/** Weights of a model by Keras' names, from the content of a file. */

import { CheckpointError } from "../errors.ts";
import { type Shape, show } from "../graph/tensor.ts";
import { requireChecksums } from "../formats/checksums.ts";
import { parseJSON, plain, quote } from "../formats/json.ts";
import { decodeSafetensors, type SafeTensor } from "../formats/safetensors.ts";
import type { TfjsLayer, TfjsWeight } from "../formats/tfjs_model.ts";

/** The part of a file that belongs to one model. */
export interface WeightFile {
  /** Names the file in messages. */
  readonly path: string;
  /** The name of a tensor in the file: `generator/dense/kernel`. */
  readonly called: (name: string) => string;
  /** The model's tensors by name, `dense/kernel`. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** Height and width of the images, if they are in the file. */
  readonly image?: readonly [height: number, width: number];
  /** The layers, if they are in the file: in a tfjs model. */
  readonly layers?: readonly TfjsLayer[];
  /** Whether it also holds tensors of other networks, as the checkpoint of a run does. */
  readonly ofRun?: boolean;
}

/** Weights by name, as tensors of a file. */
export function tensorsOf(weights: readonly TfjsWeight[]): Map<string, SafeTensor> {
  return new Map(weights.map(({ name, shape, data }) => [name, { dtype: "F32", shape, data }]));
}

/** Whether a value of a file is the shape of an image. */
export function isImage(value: unknown): value is number[] {
  const isSize = (n: unknown) => Number.isSafeInteger(n) && (n as number) > 0;
  return Array.isArray(value) && value.length >= 2 && value.every(isSize);
}

/** Height and width from the metadata: `image` of a saved model, `configuration` of a run. */
function imageOf(
  { image, configuration = "{}" }: Readonly<Record<string, string>>,
  path: string,
): WeightFile["image"] {
  const fail = (reason: string, cause?: unknown): never => {
    throw new CheckpointError(`The metadata of ${path} ${reason}`, { cause });
  };
  let sizes: unknown;
  try {
    if (image === undefined) {
      const { dataset } = (parseJSON(configuration) ?? {}) as { dataset?: unknown };
      sizes = Array.isArray(dataset) ? dataset.slice(1) : dataset;
    } else sizes = parseJSON(image);
  } catch (cause) {
    fail(`${(cause as Error).message}: the file is damaged`, cause);
  }
  if (sizes === undefined) return undefined;
  if (isImage(sizes)) return [sizes[0], sizes[1]];
  return fail(
    `gives images of ${quote(sizes)}: height, width and channels must be positive whole numbers`,
  );
}

/**
 * The weights of a model from the bytes of a safetensors file. The file holds these weights alone, or
 * it is the checkpoint of a run: there the model's name is part of theirs (`generator/dense/kernel`).
 * A checkpoint's generator is the average of its weights (`average/dense/kernel`), where there is one.
 *
 * @param path names the file in messages
 * @param model the model's name: `generator`
 * @throws {CheckpointError} when the file is damaged.
 */
export function weightsFromBytes(bytes: Uint8Array, path: string, model: string): WeightFile {
  const file = decodeSafetensors(bytes, path);
  requireChecksums(file, path);
  const { tensors, metadata } = file;
  const image = imageOf(metadata, path);
  // A model may have the name of a layer: `dense/kernel` alone is a weight of that layer.
  const ownOf = (prefix: string) =>
    [...tensors].filter(([name]) => name.startsWith(prefix) && name.includes("/", prefix.length));
  // Where a run averaged its generator's weights, the average is what it is judged by.
  const prefix = [...(model === "generator" ? ["average/"] : []), `${model}/`]
    .find((prefix) => ownOf(prefix).length);
  if (prefix === undefined) return { path, called: (name) => name, tensors, image };
  const bare = ownOf(prefix).map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
  return { path, called: (name) => prefix + name, tensors: new Map(bare), image, ofRun: true };
}

/**
 * One tensor of a file.
 *
 * @param expected its shape; a text stands for an axis of any size
 * @throws {CheckpointError} when it is missing, or of another shape or type.
 */
export function requireTensor(
  { path, called, tensors }: WeightFile,
  name: string,
  expected: readonly (number | string)[],
): SafeTensor {
  const tensor = tensors.get(name);
  const needed = `F32 [${expected.join(", ")}]`;
  if (!tensor) {
    throw new CheckpointError(`${path} has no tensor ${plain(called(name))}: ${needed} is needed`);
  }
  const { dtype, shape } = tensor;
  const fits = (n: number | string, axis: number) =>
    typeof n === "string" ? shape[axis] > 0 : shape[axis] === n;
  if (dtype !== "F32" || shape.length !== expected.length || !expected.every(fits)) {
    const found = `${dtype} ${plain(show(shape))}`;
    throw new CheckpointError(
      `In ${path}, ${plain(called(name))} is ${found}; this network needs ${needed}`,
    );
  }
  return tensor;
}

/** Index of the first variance below 0 in a weight of this name; -1 if there is no such variance. */
export function negativeVariance(name: string, data: Float32Array | Uint32Array): number {
  return name.endsWith("/moving_variance") ? data.findIndex((value) => value < 0) : -1;
}

/**
 * The values of one weight.
 *
 * @throws {CheckpointError} when it is missing, of another shape or type, not finite, or a negative
 *   variance.
 */
export function weightData(file: WeightFile, name: string, shape: Shape): Float32Array {
  const data = requireTensor(file, name, shape).data as Float32Array;
  const infinite = data.findIndex((value) => !Number.isFinite(value));
  const at = infinite >= 0 ? infinite : negativeVariance(name, data);
  if (at < 0) return data;
  const reason = infinite >= 0
    ? "the run that made it diverged. Use an earlier checkpoint"
    : "a variance is at least 0. Use another file, or save it again from its source";
  const called = `${plain(file.called(name))} ${show(shape)}`;
  throw new CheckpointError(`In ${file.path}, ${called} holds ${data[at]} at ${at}: ${reason}`);
}
