/**
 * Weights of a model by Keras' names, on their way from a file.
 *
 * @module
 */

import { CheckpointError } from "../errors.ts";
import { type Shape, show } from "../graph/tensor.ts";
import { decodeSafetensors, type SafeTensor } from "../io/safetensors.ts";

/** What a file says about a model. */
export interface WeightFile {
  /** What messages call the file. */
  readonly path: string;
  /** Before the names of the model's tensors: `generator/` in a checkpoint of a run, else nothing. */
  readonly prefix: string;
  /** The model's tensors by name, `dense/kernel`. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** Height and width of the pictures, where the file says them. */
  readonly picture?: readonly [height: number, width: number];
}

/** Height and width from the metadata: of a model that was saved alone, or of the run's data set. */
function pictureOf(
  { picture, configuration }: Readonly<Record<string, string>>,
  path: string,
): [number, number] | undefined {
  let sizes: unknown;
  try {
    if (picture !== undefined) sizes = JSON.parse(picture);
    else if (configuration !== undefined) sizes = JSON.parse(configuration)?.dataset?.slice(1);
  } catch (cause) {
    throw new CheckpointError(`The metadata of ${path} is not JSON: the file is damaged`, {
      cause,
    });
  }
  if (sizes === undefined) return undefined;
  const valid = (n: unknown) => Number.isSafeInteger(n) && (n as number) > 0;
  if (!Array.isArray(sizes) || sizes.length < 2 || !sizes.every(valid)) {
    throw new CheckpointError(
      `The metadata of ${path} gives pictures of ${JSON.stringify(sizes)}: ` +
        "height, width and channels must be positive whole numbers",
    );
  }
  return [sizes[0], sizes[1]];
}

/**
 * Reads the weights of `model` from a safetensors file: a checkpoint of a run, where other tensors
 * stand beside them, or a file of nothing else.
 *
 * @throws {CheckpointError} when it cannot be opened, or is damaged.
 */
export async function readWeights(path: string, model: string): Promise<WeightFile> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (cause) {
    throw new CheckpointError(`Cannot open the weights ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  const picture = pictureOf(metadata, path);
  const prefix = `${model}/`;
  const own = [...tensors].filter(([name]) => name.startsWith(prefix));
  if (!own.length) return { path, prefix: "", tensors, picture };
  const bare = own.map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
  return { path, prefix, tensors: new Map(bare), picture };
}

/**
 * One tensor of a file.
 *
 * @param expected in messages: its shape, as far as it is known
 * @throws {CheckpointError} when it is missing, not of floats, or not of `rank` axes.
 */
export function requireTensor(
  { path, prefix, tensors }: WeightFile,
  name: string,
  rank: number,
  expected: string,
): SafeTensor {
  const tensor = tensors.get(name);
  if (!tensor) {
    throw new CheckpointError(`${path} has no tensor ${prefix}${name}: F32 ${expected} is needed`);
  }
  const { dtype, shape } = tensor;
  if (dtype !== "F32" || shape.length !== rank || shape.includes(0)) {
    throw new CheckpointError(
      `In ${path}, ${prefix}${name} is ${dtype} ${show(shape)}; this network needs F32 ${expected}`,
    );
  }
  return tensor;
}

/**
 * The values of one weight.
 *
 * @throws {CheckpointError} when it is missing, of another shape or type, or not finite.
 */
export function weightData(file: WeightFile, name: string, shape: Shape): Float32Array {
  const tensor = requireTensor(file, name, shape.length, show(shape));
  const { path, prefix } = file;
  if (!shape.every((n, i) => n === tensor.shape[i])) {
    throw new CheckpointError(
      `In ${path}, ${prefix}${name} is F32 ${show(tensor.shape)}; ` +
        `this network needs F32 ${show(shape)}`,
    );
  }
  const data = tensor.data as Float32Array;
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new CheckpointError(
      `In ${path}, ${prefix}${name} ${show(shape)} holds ${data[at]} at ${at}: ` +
        "the run that made it diverged. Use an earlier checkpoint",
    );
  }
  return data;
}

/**
 * Refuses a file with tensors that the model has no use for.
 *
 * @throws {CheckpointError} naming the first.
 */
export function requireNoOthers(file: WeightFile, used: ReadonlySet<string>): void {
  const unknown = [...file.tensors.keys()].find((name) => !used.has(name));
  if (unknown === undefined) return;
  throw new CheckpointError(`${file.path} has an unknown tensor ${file.prefix}${unknown}`);
}
