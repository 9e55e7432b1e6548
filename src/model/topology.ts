/** Which weight of a tfjs model is which of ours, and whether a file's layers compute what ours do. */

import { CheckpointError } from "../errors.ts";
import { type Shape, show } from "../graph/tensor.ts";
import { plain, quote } from "../formats/json.ts";
import type { TfjsLayer, TfjsModel, TfjsWeight } from "../formats/tfjs_model.ts";
import { type Architecture, layerNames, weightSpecs } from "./architecture.ts";
import { isImage, tensorsOf, type WeightFile } from "./weights.ts";

/** The layers with weights: how their names begin, and their weights in Keras' order. */
const WEIGHTED: Readonly<Record<string, readonly [base: string, ...weights: string[]]>> = {
  Dense: ["dense", "kernel", "bias"],
  Conv2D: ["conv2d", "kernel", "bias"],
  Conv2DTranspose: ["conv2d_transpose", "kernel", "bias"],
  BatchNormalization: ["batch_normalization", "gamma", "beta", "moving_mean", "moving_variance"],
};

/**
 * The weights of a tfjs model by the names that they have here. A weight belongs to the layer that its
 * name contains, with any prefix (`sequential/dense/kernel`). If no weight has such a name, the first
 * kernel belongs to the first layer with a kernel, and so on. Weights without a layer keep their names.
 */
export function tfjsWeights({ layers, weights }: TfjsModel, path: string): WeightFile {
  const weighted = layers.filter(({ type }) => Object.hasOwn(WEIGHTED, type));
  const names = layerNames(weighted.map(({ type }) => WEIGHTED[type][0]));
  const places = weighted.flatMap(({ type, name, config }, i) =>
    WEIGHTED[type].slice(1)
      .filter((weight) => weight !== "bias" || config.use_bias !== false)
      .map((weight) => ({ ours: `${names[i]}/${weight}`, theirs: `${name}/${weight}`, weight }))
  );
  const ends = (weight: TfjsWeight, name: string) =>
    `/${weight.name.replace(/:0$/, "")}`.endsWith(`/${name}`);
  const named = places.some(({ theirs }) => weights.some((weight) => ends(weight, theirs)));
  const left = new Set(weights);
  const found = new Map<string, TfjsWeight>();
  for (const { ours, theirs, weight } of places) {
    const next = [...left].find((each) => ends(each, named ? theirs : weight));
    if (!next) continue;
    left.delete(next);
    found.set(ours, next);
  }
  for (const weight of left) {
    found.set(found.has(weight.name) ? `${weight.name} (again)` : weight.name, weight);
  }
  // A generator doubles the height and width of its Reshape layer: each transposed convolution does,
  // but the first.
  const scale = 2 ** (layers.filter(({ type }) => type === "Conv2DTranspose").length - 1);
  const shape = layers.find(({ type }) => type === "Reshape")?.config.target_shape;
  return {
    path,
    called: (name) => found.get(name)?.name ?? name,
    tensors: tensorsOf([...found].map(([name, weight]) => ({ ...weight, name }))),
    image: isImage(shape) ? [scale * shape[0], scale * shape[1]] : undefined,
    layers,
  };
}

/** Defaults of settings that a file leaves out: those of tfjs and of every version of Keras. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  activation: "linear",
  use_bias: true,
  strides: [1, 1],
  padding: "valid",
  data_format: "channels_last",
  dilation_rate: [1, 1],
  axis: -1,
  epsilon: 1e-3,
  center: true,
  scale: true,
  alpha: 0.3,
  negative_slope: 0,
  threshold: 0,
};

/** A setting of a layer, or its default. */
function settingOf(config: TfjsLayer["config"], key: string): unknown {
  const ofKeras3 = key === "alpha" ? config.negative_slope : undefined; // its name there
  return config[key] ?? ofKeras3 ?? DEFAULTS[key];
}

/** A setting in one form for all versions of Keras. */
function normalized(value: unknown, key: string, inputShape: Shape): unknown {
  if (key === "axis") {
    const axis = Array.isArray(value) && value.length === 1 ? value[0] : value;
    return axis === inputShape.length ? -1 : axis; // counted with the batch axis
  }
  if (["kernel_size", "strides", "dilation_rate"].includes(key) && typeof value === "number") {
    return [value, value];
  }
  return typeof value === "number" ? Math.fround(value) : value; // some versions write float32 numbers
}

/** Refuses layers that compute something else than ours in inference. */
function requireLayers(
  path: string,
  layers: readonly TfjsLayer[],
  { layers: ours, inputShape }: Architecture,
): void {
  const theirs = layers.filter(({ type }) => type !== "InputLayer");
  const fail = (reason: string): never => {
    throw new CheckpointError(`Cannot take the weights of the tfjs model ${path}: ${reason}`);
  };
  let shape = inputShape;
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    const called = `its layer ${i + 1}${theirs[i] ? ` (${plain(theirs[i].name)})` : ""}`;
    const needed = ours[i]?.layer.type ?? "no more layers";
    if (theirs[i]?.type !== ours[i]?.layer.type) {
      fail(`${called} is ${plain(theirs[i]?.type ?? "missing")}, this network has ${needed}`);
    }
    const { config, outputShape } = ours[i].layer;
    for (const key of Object.keys(config)) {
      if (key === "momentum") continue; // only training uses it
      const values = [theirs[i].config, config].map((each) => settingOf(each, key));
      const [a, b] = values.map((value) => JSON.stringify(normalized(value, key, shape)));
      if (a === b) continue;
      fail(
        `${called}, a ${needed}, has ${key} ${quote(values[0])}, this network ` +
          `${JSON.stringify(config[key])} (from ${show(shape)} to ${show(outputShape)})`,
      );
    }
    shape = outputShape;
  }
}

/**
 * Refuses a file of another model: one with other layers, if the file lists layers, or with tensors
 * that this model does not have.
 *
 * @throws {CheckpointError} naming the first layer, setting of one, or tensor that differs.
 */
export function requireSameModel(file: WeightFile, model: Architecture): void {
  if (file.layers) requireLayers(file.path, file.layers, model);
  const used = new Set(weightSpecs(model).map(({ name }) => name));
  const unknown = [...file.tensors.keys()].find((name) => !used.has(name));
  if (unknown === undefined) return;
  throw new CheckpointError(`${file.path} has an unknown tensor ${plain(file.called(unknown))}`);
}
