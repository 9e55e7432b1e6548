/**
 * Weights of a model by Keras' names, on their way from a file.
 *
 * @module
 */

import { join } from "node:path";
import { CheckpointError } from "../errors.ts";
import { type Shape, show } from "../graph/tensor.ts";
import { requireChecksums } from "../formats/checksums.ts";
import { parseJSON, plain, quote } from "../formats/json.ts";
import { readFile } from "../files/regular.ts";
import { decodeSafetensors, type SafeTensor } from "../formats/safetensors.ts";
import { MODEL_FILE, readTfjsModel, type TfjsLayer } from "../formats/tfjs_model.ts";
import { type NamedLayer, nameWeights } from "./topology.ts";

/** What a file says about a model. */
export interface WeightFile {
  /** What messages call the file. */
  readonly path: string;
  /** What the file itself calls a tensor, `generator/dense/kernel`. */
  readonly called: (name: string) => string;
  /** The model's tensors by name, `dense/kernel`. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** Height and width of the images, where the file says them. */
  readonly image?: readonly [height: number, width: number];
  /** The layers, where the file says them. */
  readonly layers?: readonly TfjsLayer[];
  /** Whether other networks' tensors stand beside them, as in the checkpoint of a run. */
  readonly ofRun?: boolean;
}

/** Height and width from the metadata: of a model that was saved alone, or of the run's data set. */
function imageOf(
  { image, configuration }: Readonly<Record<string, string>>,
  path: string,
): [number, number] | undefined {
  let sizes: unknown;
  try {
    if (image !== undefined) sizes = parseJSON(image);
    else if (configuration !== undefined) {
      const { dataset } = (parseJSON(configuration) ?? {}) as { dataset?: unknown };
      sizes = Array.isArray(dataset) ? dataset.slice(1) : dataset;
    }
  } catch (cause) {
    throw new CheckpointError(
      `The metadata of ${path} ${(cause as Error).message}: the file is damaged`,
      { cause },
    );
  }
  if (sizes === undefined) return undefined;
  const valid = (n: unknown) => Number.isSafeInteger(n) && (n as number) > 0;
  if (!Array.isArray(sizes) || sizes.length < 2 || !sizes.every(valid)) {
    throw new CheckpointError(
      `The metadata of ${path} gives images of ${quote(sizes)}: ` +
        "height, width and channels must be positive whole numbers",
    );
  }
  return [sizes[0], sizes[1]];
}

/** A tfjs model under our names. */
async function readTfjs(path: string): Promise<WeightFile> {
  const model = await readTfjsModel(path);
  const weights = nameWeights(model);
  const tensors = new Map(
    [...weights].map(([name, { shape, data }]) => [name, { dtype: "F32", shape, data }] as const),
  );
  const called = (name: string) => weights.get(name)?.name ?? name;
  return { path, called, tensors, layers: model.layers };
}

/** Whether it is a folder, and not merely missing. */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false; // Opening it will say why.
  }
}

/**
 * Reads the weights of `model` from a safetensors file (a checkpoint of a run, where other tensors
 * stand beside them, or a file of nothing else), or from a tfjs model (its `model.json`, or the folder
 * with it).
 *
 * @throws {CheckpointError} when it cannot be opened, is damaged, or of a form that is not read.
 */
export async function readWeights(path: string, model: string): Promise<WeightFile> {
  if (path.endsWith(".json")) return await readTfjs(path);
  if (await isFolder(path)) return await readTfjs(join(path, MODEL_FILE));
  if (/\.(onnx|h5|keras|bin|pth?)$/.test(path)) {
    throw new CheckpointError(
      `Cannot take weights from ${path}: safetensors files and tfjs' model.json are read`,
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new CheckpointError(`Cannot open the weights ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  const file = decodeSafetensors(bytes, path);
  requireChecksums(file, path);
  const { tensors, metadata } = file;
  const image = imageOf(metadata, path);
  const prefix = `${model}/`;
  const own = [...tensors].filter(([name]) => name.startsWith(prefix));
  if (!own.length) return { path, called: (name) => name, tensors, image };
  const bare = own.map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
  return { path, called: (name) => prefix + name, tensors: new Map(bare), image, ofRun: true };
}

/**
 * One tensor of a file.
 *
 * @param expected in messages: its shape, as far as it is known
 * @throws {CheckpointError} when it is missing, not of floats, or not of `rank` axes.
 */
export function requireTensor(
  { path, called, tensors }: WeightFile,
  name: string,
  rank: number,
  expected: string,
): SafeTensor {
  const tensor = tensors.get(name);
  if (!tensor) {
    throw new CheckpointError(
      `${path} has no tensor ${plain(called(name))}: F32 ${expected} is needed`,
    );
  }
  const { dtype, shape } = tensor;
  if (dtype !== "F32" || shape.length !== rank || shape.includes(0)) {
    throw new CheckpointError(
      `In ${path}, ${plain(called(name))} is ${dtype} ${
        plain(show(shape))
      }; this network needs F32 ${expected}`,
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
  const { path, called } = file;
  if (!shape.every((n, i) => n === tensor.shape[i])) {
    throw new CheckpointError(
      `In ${path}, ${plain(called(name))} is F32 ${show(tensor.shape)}; ` +
        `this network needs F32 ${show(shape)}`,
    );
  }
  const data = tensor.data as Float32Array;
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new CheckpointError(
      `In ${path}, ${plain(called(name))} ${show(shape)} holds ${data[at]} at ${at}: ` +
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
export function requireNoOthers(file: WeightFile, layers: readonly NamedLayer[]): void {
  const used = new Set(
    layers.flatMap(({ name, layer }) => layer.weights.map((weight) => `${name}/${weight.name}`)),
  );
  const unknown = [...file.tensors.keys()].find((name) => !used.has(name));
  if (unknown === undefined) return;
  throw new CheckpointError(`${file.path} has an unknown tensor ${plain(file.called(unknown))}`);
}
