/**
 * A model as an ONNX graph.
 *
 * ONNX convolves images [batch, channels, height, width]. The graph transposes them before the first
 * layer that needs this order, and back before a reshape and at the end.
 *
 * @module
 */

import type { Shape } from "../graph/tensor.ts";
import { encodeONNX, type OnnxAttribute, type OnnxNode, type OnnxTensor } from "../formats/onnx.ts";
import { VERSION } from "../version.ts";
import type { ModelParts, NamedLayer } from "./architecture.ts";
import type { Activation } from "./kernel_layers.ts";

/** A layer with the values of its weights, in the layer's order. */
interface LayerParts extends NamedLayer {
  readonly data: readonly Float32Array[];
}

const TO_CHANNELS_FIRST = [0, 3, 1, 2];
const TO_CHANNELS_LAST = [0, 2, 3, 1];

/** The data of four axes in another order of axes. */
function permute(data: Float32Array, shape: Shape, order: readonly number[]): Float32Array {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const [A, B, C, D] = order.map((axis) => shape[axis]);
  const [a, b, c, d] = order.map((axis) => strides[axis]);
  const out = new Float32Array(data.length);
  let at = 0;
  for (let i = 0; i < A; i++) {
    for (let j = 0; j < B; j++) {
      for (let k = 0; k < C; k++) {
        for (let l = 0; l < D; l++) out[at++] = data[i * a + j * b + k * c + l * d];
      }
    }
  }
  return out;
}

/** Collects nodes; `at` is the name of the last result, `shape` its shape here. */
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

  constant(name: string, shape: Shape, data: OnnxTensor["data"]): string {
    this.tensors.push({ name, shape, data });
    return name;
  }

  /** Transposes images into the order of axes that `layer` needs. */
  order(layer: string, channelsFirst: boolean): void {
    if (this.shape.length !== 3 || this.#channelsFirst === channelsFirst) return;
    this.#channelsFirst = channelsFirst;
    const [suffix, perm] = channelsFirst
      ? ["channels_first", TO_CHANNELS_FIRST]
      : ["channels_last", TO_CHANNELS_LAST];
    this.node(`${layer}/${suffix}`, "Transpose", [], { perm: { ints: perm } });
  }

  /** Names the last result. */
  rename(name: string): void {
    const last = this.nodes.pop()!;
    this.nodes.push({ ...last, outputs: [name] });
  }
}

interface ConvConfig {
  readonly kernel_size: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: "same" | "valid";
  readonly activation: Activation;
}

/**
 * TensorFlow's padding "same" of a convolution of an image of a size: the smaller half before. A
 * transposed convolution is the gradient of one of its output, and has the padding of that one.
 */
function samePads(size: Shape, kernel: readonly number[], strides: readonly number[]) {
  const totals = [0, 1].map((axis) => {
    const out = Math.ceil(size[axis] / strides[axis]);
    return Math.max((out - 1) * strides[axis] + kernel[axis] - size[axis], 0);
  });
  const before = totals.map((total) => Math.floor(total / 2));
  return [...before, ...totals.map((total, axis) => total - before[axis])];
}

const OPERATORS = { relu: "Relu", sigmoid: "Sigmoid", tanh: "Tanh" } as const;

function activate(to: Recorder, layer: string, activation: Activation): void {
  if (activation !== "linear") to.node(`${layer}/${activation}`, OPERATORS[activation]);
}

function convolution(to: Recorder, { name, layer, data }: LayerParts, transposed: boolean): void {
  const { kernel_size: kernel, strides, padding, activation } = layer
    .config as unknown as ConvConfig;
  to.order(name, true);
  const shape = layer.weights[0].shape;
  // Keras' [kh, kw, in, out] to [out, in, kh, kw]; transposed, [kh, kw, out, in] to [in, out, kh, kw].
  const order = [3, 2, 0, 1];
  const constants = [to.constant(
    `${name}/kernel`,
    order.map((axis) => shape[axis]),
    permute(data[0], shape, order),
  )];
  if (data[1]) constants.push(to.constant(`${name}/bias`, [data[1].length], data[1]));
  const attributes: Record<string, OnnxAttribute> = {
    kernel_shape: { ints: kernel },
    strides: { ints: strides },
    pads: {
      ints: padding === "valid"
        ? [0, 0, 0, 0]
        : samePads(transposed ? layer.outputShape : to.shape, kernel, strides),
    },
  };
  if (transposed) {
    // A kernel smaller than the stride does not reach the last rows and columns.
    const beyond = strides.map((stride, axis) => Math.max(stride - kernel[axis], 0));
    attributes.output_padding = { ints: beyond };
  }
  to.node(name, transposed ? "ConvTranspose" : "Conv", constants, attributes);
  activate(to, name, activation);
}

type Writer = (to: Recorder, parts: LayerParts) => void;

function reshape(to: Recorder, { name, layer }: LayerParts): void {
  to.order(name, false);
  const sizes = [-1, ...layer.outputShape];
  to.node(name, "Reshape", [to.constant(`${name}/shape`, [sizes.length], { int64: sizes })]);
}

/** Writes a layer, by Keras' class name. */
const WRITERS: Readonly<Record<string, Writer>> = {
  Dense(to, { name, layer, data }) {
    const [kernel, bias] = data;
    const constants = [to.constant(`${name}/kernel`, layer.weights[0].shape, kernel)];
    if (bias) constants.push(to.constant(`${name}/bias`, [bias.length], bias));
    to.node(name, "Gemm", constants);
    activate(to, name, layer.config.activation as Activation);
  },
  Conv2D: (to, parts) => convolution(to, parts, false),
  Conv2DTranspose: (to, parts) => convolution(to, parts, true),
  BatchNormalization(to, { name, layer, data }) {
    to.order(name, true);
    const constants = layer.weights.map((weight, i) =>
      to.constant(`${name}/${weight.name}`, weight.shape, data[i])
    );
    const epsilon = { float: layer.config.epsilon as number };
    to.node(name, "BatchNormalization", constants, { epsilon });
  },
  LeakyReLU(to, { name, layer }) {
    to.node(name, "LeakyRelu", [], { alpha: { float: layer.config.alpha as number } });
  },
  ReLU: (to, { name }) => to.node(name, "Relu"),
  Activation: (to, { name, layer }) => activate(to, name, layer.config.activation as Activation),
  Reshape: reshape,
  Flatten: reshape,
  Dropout() {}, // does nothing in inference
};

/** The bytes of a model in inference mode as an ONNX file. */
export function modelToONNX(model: ModelParts): Uint8Array<ArrayBuffer> {
  const [input, output] = model.ends;
  const to = new Recorder(input, model.inputShape);
  for (const { name, layer } of model.layers) {
    const data = layer.weights.map((weight) => model.values.get(`${name}/${weight.name}`)!);
    const write = WRITERS[layer.type];
    if (!write) {
      throw new TypeError(
        `Cannot write the layer ${name} (${layer.type}) as ONNX: only this package's layers can be ` +
          "written. Save the weights as .safetensors",
      );
    }
    write(to, { name, layer, data });
    to.shape = layer.outputShape;
  }
  to.order(output, false);
  if (!to.nodes.length) to.node("identity", "Identity");
  to.rename(output);
  return encodeONNX({
    name: model.name,
    producer: ["@dcgan/webgpu", VERSION],
    nodes: to.nodes,
    tensors: to.tensors,
    inputs: [{ name: input, shape: ["N", ...model.inputShape] }],
    outputs: [{ name: output, shape: ["N", ...model.outputShape] }],
  });
}
