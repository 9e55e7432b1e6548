/**
 * A model into files of other programs.
 *
 * @module
 */

import { basename, dirname, extname, join } from "node:path";
import { makeFolder, writeFileAtomic } from "../files/atomic.ts";
import { encodeSafetensors, type SafeTensor } from "../formats/safetensors.ts";
import { encodeTfjsModel, MODEL_FILE, SHARD_FILE } from "../formats/tfjs_model.ts";
import { VERSION } from "../version.ts";
import { modelToONNX } from "./onnx.ts";
import { type ModelParts, weightsOf } from "./parts.ts";

/** What a model can be written as; `folder` is a tfjs model in a folder of any name. */
export type Form = "safetensors" | "onnx" | "tfjs" | "folder";

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * The form that a path asks for.
 *
 * @param model what messages call the model
 * @throws {RangeError} when it asks for none.
 */
export async function requireForm(path: string, model: string): Promise<Form> {
  if (/[/\\]$/.test(path) || await isFolder(path)) return "folder";
  if (basename(path) === MODEL_FILE) return "tfjs";
  switch (extname(path)) {
    case ".safetensors":
      return "safetensors";
    case ".onnx":
      return "onnx";
    case "":
      return "folder";
    default:
      throw new RangeError(
        `Cannot save the ${model} as ${path}: end its name in .safetensors, .onnx or ` +
          `${MODEL_FILE}, or name a folder`,
      );
  }
}

/** Weights alone. What their shapes do not tell stands in the metadata. */
function toSafetensors(model: ModelParts): Uint8Array<ArrayBuffer> {
  const tensors = weightsOf(model).map(({ name, shape, data }) =>
    [name, { dtype: "F32", shape, data } satisfies SafeTensor] as const
  );
  const at = model.ends.indexOf("images");
  const image = [model.inputShape, model.outputShape][at];
  return encodeSafetensors({
    tensors: new Map(tensors),
    metadata: image ? { image: JSON.stringify(image) } : {},
  });
}

async function saveTfjs(model: ModelParts, path: string): Promise<void> {
  const files = encodeTfjsModel({
    name: model.name,
    inputShape: model.inputShape,
    layers: model.layers.map(({ name, layer: { type, config } }) => ({ type, name, config })),
    weights: weightsOf(model),
    generatedBy: `@dcgan/webgpu ${VERSION}`,
  });
  await makeFolder(dirname(path));
  // The shard first: a model.json never names one that is not there.
  await writeFileAtomic(join(dirname(path), SHARD_FILE), files.shard);
  await writeFileAtomic(path, files.model);
}

/** Writes the model, and returns the path of the file that one opens. */
export async function saveParts(model: ModelParts, path: string, form: Form): Promise<string> {
  switch (form) {
    case "safetensors":
      await writeFileAtomic(path, toSafetensors(model));
      return path;
    case "onnx":
      await writeFileAtomic(path, modelToONNX(model));
      return path;
    case "tfjs":
      await saveTfjs(model, path);
      return path;
    case "folder":
      return await saveParts(model, join(path, MODEL_FILE), "tfjs");
  }
}
