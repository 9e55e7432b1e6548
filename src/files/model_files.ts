/** Models on disk: the files that weights are read from and models are written to. */

import { basename, dirname, extname, join } from "npm:pathe@2.0.3";
import { CheckpointError } from "../errors.ts";
import { concat } from "../formats/bytes.ts";
import { plain } from "../formats/json.ts";
import {
  cannotReadTfjs,
  MODEL_FILE,
  readTfjs,
  type TfjsGroup,
  type TfjsModel,
} from "../formats/tfjs_model.ts";
import type { ModelParts } from "../model/architecture.ts";
import { encodeModel } from "../model/encode.ts";
import { tfjsWeights } from "../model/topology.ts";
import { type WeightFile, weightsFromBytes } from "../model/weights.ts";
import { makeFolder, writeFileAtomic } from "./atomic.ts";
import { kindOf, readFile, readTextFile } from "./kind.ts";
import { system } from "./system.ts";

/**
 * What a path asks for; `folder` is a tfjs model in a folder of any name.
 *
 * @param model what messages call the model
 * @throws {RangeError} when the path ends in another extension.
 */
export async function requireForm(path: string, model: string) {
  if (/[/\\]$/.test(path) || await kindOf(path) === "directory") return "folder";
  if (basename(path) === MODEL_FILE) return "tfjs";
  const extension = extname(path).slice(1);
  if (extension === "") return "folder";
  if (extension === "safetensors" || extension === "onnx") return extension;
  throw new RangeError(
    `Cannot save the ${model} as ${path}: end its name in .safetensors, .onnx or ` +
      `${MODEL_FILE}, or name a folder`,
  );
}

/**
 * Writes a model, which is read from the device after its path is checked.
 *
 * @returns the path of the file that one opens
 * @throws {RangeError} as {@linkcode requireForm}
 */
export async function saveModel(
  path: string,
  name: string,
  read: () => Promise<ModelParts>,
): Promise<string> {
  const form = await requireForm(path, name);
  const model = await read();
  if (form === "safetensors" || form === "onnx") {
    await writeFileAtomic(path, encodeModel[form](model));
    return path;
  }
  const files = encodeModel.tfjs(model);
  const folder = form === "tfjs" ? dirname(path) : path;
  await makeFolder(folder);
  for (const [name, bytes] of files) await writeFileAtomic(join(folder, name), bytes);
  return form === "tfjs" ? path : join(path, MODEL_FILE);
}

/** The bytes of a group's shards, one after another. */
async function readShards({ shards, bytes: needed }: TfjsGroup, path: string): Promise<Uint8Array> {
  /** Does something with each shard, one after another. */
  const each = <T>(act: (shard: string) => Promise<T>): Promise<T[]> =>
    Array.fromAsync(shards, (name) =>
      act(join(dirname(path), name)).catch(({ message }) => {
        const reason = `its shard ${plain(name)} cannot be opened: ${plain(message, 400)}`;
        throw cannotReadTfjs(path, reason);
      }));
  // All are measured before one is read: a few words must not make this need any amount of memory.
  const infos = await each(system.stat);
  const other = infos.findIndex(({ isFile }) => !isFile);
  if (other >= 0) throw cannotReadTfjs(path, `its shard ${plain(shards[other])} is not a file`);
  const held = infos.reduce((sum, { size }) => sum + size, 0);
  if (held !== needed) {
    const list = shards.map((name, i) => `${plain(name)} (${infos[i].size} bytes)`).join(", ");
    throw cannotReadTfjs(
      path,
      `its shards ${plain(list, 400)} hold ${held} bytes, its weights need ${needed}`,
    );
  }
  return concat(await each(system.readFile));
}

/**
 * Reads a `model.json` and the shards beside it, and nothing else.
 *
 * Array buffers made: at most three times the bytes of the shards. Heap: what `JSON.parse` makes of
 * `model.json`, at most 40 times its length.
 *
 * @throws {CheckpointError} when a file is missing, damaged, or of another kind; the message says which
 *   and why.
 */
export async function readTfjsModel(path: string): Promise<TfjsModel> {
  const text = await readTextFile(path).catch(({ message }) => {
    throw cannotReadTfjs(path, plain(message, 400));
  });
  return await readTfjs(text, path, (group) => readShards(group, path));
}

/**
 * Opens a file of weights: a checkpoint of a run, a safetensors file of weights alone, or a tfjs
 * model (its `model.json`, or the folder of it).
 *
 * @param model what its tensors' names may begin with in the file, `generator`
 * @throws {CheckpointError} when it is missing, damaged or of another kind.
 */
export async function readWeights(path: string, model: string): Promise<WeightFile> {
  const isFolder = await kindOf(path).catch(() => {}) === "directory";
  if (isFolder || path.endsWith(".json")) {
    const file = path.endsWith(".json") ? path : join(path, MODEL_FILE);
    return tfjsWeights(await readTfjsModel(file), file);
  }
  if (/\.(onnx|h5|keras|bin|pth?)$/.test(path)) {
    throw new CheckpointError(
      `Cannot take weights from ${path}: safetensors files and tfjs' model.json are read`,
    );
  }
  const bytes = await readFile(path).catch((cause) => {
    throw new CheckpointError(`Cannot open the weights ${path}: ${cause.message}`, { cause });
  });
  return weightsFromBytes(bytes, path, model);
}
