/** Opens the weights of a model, wherever they are. */

import { pathOf, readSource, type Source } from "../formats/source.ts";
import { type WeightFile, weightsFromBytes } from "./weights.ts";

/**
 * The weights of a model: a checkpoint of a run, a safetensors file of weights alone, or a tfjs model
 * (its `model.json`; on the disk also the folder of it).
 *
 * @throws {CheckpointError} when it cannot be opened, is damaged or of another kind.
 */
export async function weightsOf(source: Source, model: string): Promise<WeightFile> {
  const path = pathOf(source);
  if (path !== undefined) {
    const { readWeights } = await import("../files/model_files.ts");
    return await readWeights(path, model);
  }
  const { name, bytes } = await readSource(source, "weights");
  if (!(source instanceof URL) || !source.pathname.endsWith(".json")) {
    return weightsFromBytes(bytes, name, model);
  }
  const { fetchTfjs } = await import("./fetch_tfjs.ts");
  return await fetchTfjs(source, new TextDecoder().decode(bytes), name);
}
