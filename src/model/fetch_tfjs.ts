/** Fetches the weights of a tfjs model. */

import { concat } from "../formats/bytes.ts";
import { plain } from "../formats/json.ts";
import { fetchBytes } from "../formats/source.ts";
import { cannotReadTfjs, readTfjs } from "../formats/tfjs_model.ts";
import { tfjsWeights } from "./topology.ts";
import type { WeightFile } from "./weights.ts";

/**
 * The weights in the shards beside a `model.json`.
 *
 * @param text what it holds
 * @param name what messages call it
 * @throws {CheckpointError} when it is damaged, or a shard cannot be fetched.
 */
export async function fetchTfjs(source: URL, text: string, name: string): Promise<WeightFile> {
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
