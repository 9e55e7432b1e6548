/**
 * A model as an ONNX graph. ONNX convolves images [batch, channels, height, width]: the graph transposes
 * them before the first layer that needs this order, and back before a reshape and at the end.
 */

import type { Shape } from "../graph/tensor.ts";
import { encodeONNX, type OnnxAttribute, type OnnxNode, type OnnxTensor } from "../formats/onnx.ts";
import { padAxis } from "../ops/gemm/geometry.ts";
import { VERSION } from "../version.ts";
import { classesOf, type ModelParts } from "./architecture.ts";
import type { Layer } from "./layer.ts";
import type { Activation } from "./layers.ts";

/** Keras' kernel [kh, kw, a, b] as ONNX' [b, a, kh, kw]. */
function kernelTensor(name: string, [h, w, a, b]: Shape, data: Float32Array): OnnxTensor {
  const points = h * w;
  const moved = data.map((_, at) => {
    const [point, i] = [at % points, Math.floor(at / points)];
    return data[(point * a + i % a) * b + Math.floor(i / a)];
  });
  return { name, shape: [b, a, h, w], data: moved };
}

/** Collects nodes. `at` is the name of the last result; `shape` is its shape without the batch axis. */
class Recorder {
  readonly nodes: OnnxNode[] = [];
  readonly tensors: OnnxTensor[] = [];
  #channelsFirst = false;

  constructor(public at: string, public shape: Shape) {}

  node(
    name: string,
    op: string,
    constants: readonly string[] = [],
    attributes?: Record<string, OnnxAttribute>,
  ): void {
    this.nodes.push({ name, op, inputs: [this.at, ...constants], outputs: [name], attributes });
    this.at = name;
  }

  /** Transposes images into the order of axes that `layer` needs. */
  order(layer: string, channelsFirst: boolean): void {
    if (this.shape.length !== 3 || this.#channelsFirst === channelsFirst) return;
    this.#channelsFirst = channelsFirst;
    const suffix = channelsFirst ? "channels_first" : "channels_last";
    const perm = channelsFirst ? [0, 3, 1, 2] : [0, 2, 3, 1];
    this.node(`${layer}/${suffix}`, "Transpose", [], { perm: { ints: perm } });
  }
}

/** Input of a model with classes. */
const LABELS = "labels";

/** The row of a table for each label. */
function rows(to: Recorder, layer: string, table: string): string {
  const name = `${layer}/rows`;
  to.nodes.push({ name, op: "Gather", inputs: [table, LABELS], outputs: [name] });
  return name;
}

const OPERATORS = { relu: "Relu", sigmoid: "Sigmoid", tanh: "Tanh" } as const;

function activate(to: Recorder, name: string, { config }: Layer): void {
  const activation = config.activation as Activation;
  if (activation !== "linear") to.node(`${name}/${activation}`, OPERATORS[activation]);
}

function reshape(to: Recorder, name: string, { outputShape }: Layer): void {
  to.order(name, false);
  const sizes = [-1, ...outputShape];
  to.tensors.push({ name: `${name}/shape`, shape: [sizes.length], data: { int64: sizes } });
  to.node(name, "Reshape", [`${name}/shape`]);
}

/** Writes a layer; `constants` are the names of its weights. */
type Writer = (to: Recorder, name: string, layer: Layer, constants: readonly string[]) => void;

const convolution: Writer = (to, name, layer, constants) => {
  const transposed = layer.type === "Conv2DTranspose";
  const { kernel_size: kernel, strides, padding } = layer.config as {
    readonly kernel_size: readonly number[];
    readonly strides: readonly number[];
    readonly padding: "same" | "valid";
  };
  to.order(name, true);
  // A transposed convolution has the padding of the convolution that takes its output to its input.
  const size = transposed ? layer.outputShape : to.shape;
  const axes = kernel.map((k, axis) => {
    const { small, before } = padAxis(size[axis], k, strides[axis], padding);
    return { before, after: Math.max((small - 1) * strides[axis] + k - size[axis] - before, 0) };
  });
  // A kernel smaller than the stride does not reach the last rows and columns.
  const beyond = strides.map((stride, axis) => Math.max(stride - kernel[axis], 0));
  to.node(name, transposed ? "ConvTranspose" : "Conv", constants, {
    kernel_shape: { ints: kernel },
    strides: { ints: strides },
    pads: { ints: [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)] },
    ...transposed && { output_padding: { ints: beyond } },
  });
  activate(to, name, layer);
};

/** By Keras' class name. */
const WRITERS: Readonly<Record<string, Writer>> = {
  Dense(to, name, layer, constants) {
    to.node(name, "Gemm", constants);
    activate(to, name, layer);
  },
  Conv2D: convolution,
  Conv2DTranspose: convolution,
  BatchNormalization(to, name, { config }, constants) {
    to.order(name, true);
    const epsilon = { float: config.epsilon as number };
    to.node(name, "BatchNormalization", constants, { epsilon });
  },
  LeakyReLU(to, name, { config }) {
    to.node(name, "LeakyRelu", [], { alpha: { float: config.alpha as number } });
  },
  ReLU: (to, name) => to.node(name, "Relu"),
  Activation: activate,
  Reshape: reshape,
  Flatten: reshape,
  Dropout() {}, // does nothing in inference
  ClassEmbedding(to, name, _, [table]) {
    to.node(name, "Concat", [rows(to, name, table)], { axis: { int: 1 } });
  },
  ClassProjection(to, name, _, [kernel, bias, table]) {
    const x = to.at;
    to.node(`${name}/products`, "Mul", [rows(to, name, table)]);
    to.tensors.push({ name: `${name}/axes`, shape: [1], data: { int64: [1] } });
    to.node(`${name}/of_class`, "ReduceSum", [`${name}/axes`]);
    const ofClass = to.at;
    to.at = x;
    to.node(`${name}/dense`, "Gemm", [kernel, bias]);
    to.node(name, "Add", [ofClass]);
  },
};

/** The bytes of a model in inference mode as an ONNX file. */
export function modelToONNX(model: ModelParts): Uint8Array<ArrayBuffer> {
  const [input, output] = model.ends;
  const to = new Recorder(input, model.inputShape);
  let at = 0;
  for (const { name, layer } of model.layers) {
    const write = WRITERS[layer.type];
    if (!write) {
      throw new TypeError(
        `Cannot write the layer ${name} (${layer.type}) as ONNX: only this package's layers can be ` +
          "written. Save the weights as .safetensors",
      );
    }
    const weights = model.weights.slice(at, at += layer.weights.length);
    for (const { name, shape, data } of weights) {
      to.tensors.push(shape.length === 4 ? kernelTensor(name, shape, data) : { name, shape, data });
    }
    write(to, name, layer, weights.map((weight) => weight.name));
    to.shape = layer.outputShape;
  }
  to.order(output, false);
  const labels = { name: LABELS, shape: ["N"], type: "int64" } as const;
  if (!to.nodes.length) to.node("identity", "Identity");
  const last = to.nodes.pop()!;
  to.nodes.push({ ...last, outputs: [output] });
  return encodeONNX({
    name: model.name,
    producer: ["@dcgan/webgpu", VERSION],
    nodes: to.nodes,
    tensors: to.tensors,
    inputs: [
      { name: input, shape: ["N", ...model.inputShape] },
      ...classesOf(model) ? [labels] : [],
    ],
    outputs: [{ name: output, shape: ["N", ...model.outputShape] }],
  });
}
