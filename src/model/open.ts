/** Opens the weights of a model, wherever they are. */

import { concat } from "../formats/bytes.ts";
import { plain } from "../formats/json.ts";
import { fetchBytes, pathOf, readSource, type Source } from "../formats/source.ts";
import { cannotReadTfjs, readTfjs } from "../formats/tfjs_model.ts";
import { tfjsWeights } from "./topology.ts";
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
  const text = new TextDecoder().decode(bytes);
  const tfjs = await readTfjs(text, name, async ({ shards }) =>
    concat(
      await Promise.all(shards.map((shard) =>
        fetchBytes(new URL(encodeURIComponent(shard), source)).catch(({ message }) => {
          throw cannotReadTfjs(name, `its shard ${plain(shard)} cannot be opened: ${message}`);
        })
      )),
    ));
  return tfjsWeights(tfjs, name);
}
