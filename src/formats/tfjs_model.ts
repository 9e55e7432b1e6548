/**
 * The files of a TensorFlow.js layers model: `model.json` with the topology and the list of weights,
 * and beside it the shards that hold them.
 *
 * Source: https://github.com/tensorflow/tfjs/blob/master/tfjs-core/src/io/types.ts
 */

import { CheckpointError } from "../errors.ts";
import { concat, floatBytes } from "./bytes.ts";
import { isObject, isSize, parseJSON, plain, quote } from "./json.ts";

/** What tfjs calls the file with the topology. */
export const MODEL_FILE = "model.json";
/** What tfjs calls the one shard of the models that it saves. */
export const SHARD_FILE = "weights.bin";

/** Far more than the networks here have; the work grows with the square of them. */
const MOST_LAYERS = 1000;
const MOST_WEIGHTS = 4 * MOST_LAYERS;
/** TensorFlow.js cuts weights into shards of 4 MB: so many hold 4 GB. */
const MOST_SHARDS = 1000;

/** A layer of the topology. */
export interface TfjsLayer {
  /** Keras' class name. */
  readonly type: string;
  readonly name: string;
  /** Keras' settings. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** A weight with its values. */
export interface TfjsWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** A sequential model. */
export interface TfjsModel {
  readonly layers: readonly TfjsLayer[];
  /** In the order of the file. */
  readonly weights: readonly TfjsWeight[];
}

/** The content of both files. */
export function encodeTfjsModel(
  { name, inputShape, layers, weights, generatedBy }: TfjsModel & {
    readonly name: string;
    /** Of one sample. */
    readonly inputShape: readonly number[];
    /** Program that made it, and its version. */
    readonly generatedBy: string;
  },
): { readonly model: Uint8Array<ArrayBuffer>; readonly shard: Uint8Array<ArrayBuffer> } {
  const file = {
    format: "layers-model",
    generatedBy,
    convertedBy: null,
    modelTopology: {
      class_name: "Sequential",
      config: {
        name,
        layers: layers.map(({ type, name, config }, i) => ({
          class_name: type,
          config: {
            name,
            trainable: true,
            dtype: "float32",
            ...i === 0 && { batch_input_shape: [null, ...inputShape] },
            ...config,
          },
        })),
      },
    },
    weightsManifest: [{
      paths: [SHARD_FILE],
      weights: weights.map(({ name, shape }) => ({ name, shape, dtype: "float32" })),
    }],
  };
  return {
    model: new TextEncoder().encode(JSON.stringify(file)),
    shard: concat(weights.map(({ data }) => floatBytes(data))),
  };
}

/** A group of weights. Its shards, one after another, are one sequence of bytes. */
export interface TfjsGroup {
  /** Names of files beside the `model.json`. */
  readonly shards: readonly string[];
  /** What the shards hold together. */
  readonly bytes: number;
  readonly weights: readonly Omit<TfjsWeight, "data">[];
}

type Fail = (reason: string) => never;

/** The error of a model that cannot be read. */
export function cannotReadTfjs(path: string, reason: string): CheckpointError {
  return new CheckpointError(`Cannot read the tfjs model ${path}: ${reason}`);
}

/** The layers; tfjs and tensorflowjs_converter wrap them differently. */
function layersOf(topology: unknown, fail: Fail): TfjsLayer[] {
  if (!isObject(topology)) fail("it has no modelTopology, so nothing says what the layers are");
  const model = topology.model_config ?? topology;
  const type = isObject(model) ? model.class_name : model;
  if (!isObject(model) || type !== "Sequential") {
    return fail(`its model is ${quote(type)}, Sequential is supported`);
  }
  const layers = isObject(model.config) ? model.config.layers : model.config;
  if (!Array.isArray(layers)) return fail("its Sequential has no list of layers");
  requireFew(layers.length, MOST_LAYERS, "layers", fail);
  return layers.map((layer, i) => {
    const { class_name: type, config } = isObject(layer) ? layer : {};
    if (typeof type !== "string" || !isObject(config)) {
      return fail(`its layer ${i} has no class_name and config`);
    }
    return { type, name: typeof config.name === "string" ? config.name : `${type} ${i}`, config };
  });
}

function requireFew(count: number, most: number, what: string, fail: Fail): void {
  if (count > most) fail(`it has ${count} ${what}, at most ${most} are read`);
}

/** Only files beside the model: a path in a file of someone else must not lead anywhere else. */
function isPlainName(path: unknown): path is string {
  // Neither separators nor what Windows takes for a drive or a stream, nor control characters.
  // deno-lint-ignore no-control-regex
  return typeof path === "string" && !/[/\\:\x00-\x1f]/.test(path) && !/^\.{0,2}$/.test(path);
}

const sizeOf = (shape: readonly number[]) => shape.reduce((size, n) => size * n, 4);

function weightOf(weight: unknown, fail: Fail): TfjsGroup["weights"][number] {
  const { name, shape, dtype, quantization } = isObject(weight) ? weight : {};
  if (typeof name !== "string") return fail("a weight of its manifest has no name");
  const refuse = (what: string) => fail(`its weight ${quote(name)} ${what}`);
  if (quantization !== undefined) {
    refuse("is quantized, float32 is supported: convert the model without quantization");
  }
  if (dtype !== "float32") refuse(`is ${quote(dtype)}, float32 is supported`);
  const isShape = Array.isArray(shape) && shape.every(isSize) && isSize(sizeOf(shape));
  if (!isShape) return refuse("has no valid shape");
  return { name, shape };
}

function groupsOf(manifest: readonly unknown[], fail: Fail): TfjsGroup[] {
  const seen = new Set<string>();
  let count = 0;
  return manifest.map((group) => {
    const { paths, weights: list } = isObject(group) ? group : {};
    if (!Array.isArray(paths) || !Array.isArray(list)) {
      return fail("a group of its weightsManifest has no paths and weights");
    }
    requireFew(count += list.length, MOST_WEIGHTS, "weights", fail);
    requireFew(seen.size + paths.length, MOST_SHARDS, "shards", fail);
    for (const path of paths) {
      if (!isPlainName(path)) {
        fail(`its shard ${quote(path)} is not the plain name of a file beside it`);
      }
      // A short file that names one shard many times would need any amount of memory.
      if (seen.has(path)) fail(`its shard ${plain(path)} is named twice`);
      seen.add(path);
    }
    const weights = list.map((weight) => weightOf(weight, fail));
    const bytes = weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    return { shards: paths, bytes, weights };
  });
}

/**
 * The layers and groups of weights of a `model.json`: a sequential model with weights of float32. It
 * refuses names of shards that are paths, shards named twice, and more than 1000 layers, 4000 weights
 * or 1000 shards.
 *
 * Heap: what `JSON.parse` makes of the text, at most 40 times its length.
 *
 * @param path what messages call the file
 * @throws {CheckpointError} when the text is damaged or of another kind; the message says why.
 */
function parseTfjsModel(
  text: string,
  path: string,
): { readonly layers: readonly TfjsLayer[]; readonly groups: readonly TfjsGroup[] } {
  const fail: Fail = (reason) => {
    throw cannotReadTfjs(path, reason);
  };
  let file: unknown;
  try {
    file = parseJSON(text);
  } catch (error) {
    fail(`it ${(error as Error).message}`);
  }
  if (!isObject(file)) return fail("it is not a JSON object");
  if (!("modelTopology" in file) && file.format !== "graph-model") {
    fail("it has no modelTopology: it is another kind of file, give a model.json");
  }
  if (file.format !== undefined && file.format !== "layers-model") {
    const way = "convert it with --output_format=tfjs_layers_model";
    fail(`it is a ${quote(file.format)}, layers models are supported: ${way}`);
  }
  const layers = layersOf(file.modelTopology, fail);
  if (!Array.isArray(file.weightsManifest)) return fail("it has no weightsManifest");
  return { layers, groups: groupsOf(file.weightsManifest, fail) };
}

/** The weights of a group from the bytes of its shards. */
function decodeTfjsGroup({ weights }: TfjsGroup, bytes: Uint8Array): TfjsWeight[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  return weights.map(({ name, shape }) => {
    const data = new Float32Array(sizeOf(shape) / 4);
    for (let i = 0; i < data.length; i++, at += 4) data[i] = view.getFloat32(at, true);
    return { name, shape, data };
  });
}

/**
 * Reads a `model.json` and its shards.
 *
 * @param path what messages call it
 * @param readShards gives the bytes of a group's shards, one after another
 * @throws {CheckpointError} when it is damaged or of another kind, or its shards are.
 */
export async function readTfjs(
  text: string,
  path: string,
  readShards: (group: TfjsGroup) => Promise<Uint8Array>,
): Promise<TfjsModel> {
  const { layers, groups } = parseTfjsModel(text, path);
  const weights: TfjsWeight[] = [];
  for (const group of groups) {
    const bytes = await readShards(group);
    if (bytes.length !== group.bytes) {
      const reason = `its shards hold ${bytes.length} bytes, its weights need ${group.bytes}`;
      throw cannotReadTfjs(path, reason);
    }
    weights.push(...decodeTfjsGroup(group, bytes));
  }
  return { layers, weights };
}
