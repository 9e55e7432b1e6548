/**
 * A model as the bytes of files.
 *
 * @module
 */

import { withChecksums } from "../formats/checksums.ts";
import { encodeSafetensors, type SafeTensor } from "../formats/safetensors.ts";
import { encodeTfjsModel, MODEL_FILE, SHARD_FILE } from "../formats/tfjs_model.ts";
import { VERSION } from "../version.ts";
import { type ModelParts, weightSpecs } from "./architecture.ts";
import { modelToONNX } from "./onnx.ts";

function weightsOf(model: ModelParts) {
  return weightSpecs(model).map(({ name, shape }) => ({
    name,
    shape,
    data: model.values.get(name)!,
  }));
}

/** Weights alone, with checksums. The metadata has the size of images, which shapes do not give. */
function toSafetensors(model: ModelParts): Uint8Array<ArrayBuffer> {
  const tensors = new Map(
    weightsOf(model).map(({ name, shape, data }) =>
      [name, { dtype: "F32", shape, data } satisfies SafeTensor] as const
    ),
  );
  const image = [model.inputShape, model.outputShape][model.ends.indexOf("images")];
  const metadata: Record<string, string> = image ? { image: JSON.stringify(image) } : {};
  return encodeSafetensors(withChecksums({ tensors, metadata }));
}

/** Files by name. The shard comes first: written in this order, no `model.json` names a missing one. */
function toTfjs(model: ModelParts): Map<string, Uint8Array<ArrayBuffer>> {
  const files = encodeTfjsModel({
    name: model.name,
    inputShape: model.inputShape,
    layers: model.layers.map(({ name, layer: { type, config } }) => ({ type, name, config })),
    weights: weightsOf(model),
    generatedBy: `@dcgan/webgpu ${VERSION}`,
  });
  return new Map([[SHARD_FILE, files.shard], [MODEL_FILE, files.model]]);
}

/** The bytes of a model in each format. */
export const encodeModel = { safetensors: toSafetensors, onnx: modelToONNX, tfjs: toTfjs };
