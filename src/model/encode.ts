/** A model as the bytes of files. */

import { withChecksums } from "../formats/checksums.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { encodeTfjsModel, MODEL_FILE, SHARD_FILE } from "../formats/tfjs_model.ts";
import { VERSION } from "../version.ts";
import { classesOf, type ModelParts } from "./architecture.ts";
import { modelToONNX } from "./onnx.ts";
import { tensorsOf } from "./weights.ts";

/** Weights alone, with checksums. The metadata has the size of images, which shapes do not give. */
function toSafetensors(model: ModelParts): Uint8Array<ArrayBuffer> {
  const image = [model.inputShape, model.outputShape][model.ends.indexOf("images")];
  const metadata: Record<string, string> = image ? { image: JSON.stringify(image) } : {};
  return encodeSafetensors(withChecksums({ tensors: tensorsOf(model.weights), metadata }));
}

/** Files by name. The shard comes first: written in this order, no `model.json` names a missing one. */
function toTfjs(model: ModelParts): Map<string, Uint8Array<ArrayBuffer>> {
  if (classesOf(model)) {
    throw new RangeError(
      `Cannot write the ${model.name} as a TensorFlow.js layers model: it takes labels beside its ` +
        "input, and such a model has one input. Write it as .onnx or .safetensors",
    );
  }
  const files = encodeTfjsModel({
    ...model,
    layers: model.layers.map(({ name, layer: { type, config } }) => ({ type, name, config })),
    generatedBy: `@dcgan/webgpu ${VERSION}`,
  });
  return new Map([[SHARD_FILE, files.shard], [MODEL_FILE, files.model]]);
}

/** The bytes of a model in each format. */
export const encodeModel = { safetensors: toSafetensors, onnx: modelToONNX, tfjs: toTfjs };
