/** A stack of layers with its weights on a device. */

import type { Gpu } from "../graph/gpu.ts";
import { type TensorLike, toTensor } from "../graph/graph.ts";
import { sameShape, type Shape, show, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import { requireSeed } from "../ops/random.ts";
import {
  type Architecture,
  architecture,
  architectureSummary,
  classesOf,
  type ModelParts,
  parameterCount,
  weightSpecs,
} from "./architecture.ts";
import { initialValues } from "./initializers.ts";
import { requireLabels } from "./labels.ts";
import type { CallOptions, LayerFactory } from "./layer.ts";
import { RandomSequence, STREAM } from "./threefry.ts";
import type { Source } from "../formats/source.ts";
import { weightsOf } from "./open.ts";
import { weightData } from "./weights.ts";

/** Options of {@linkcode Sequential}. */
export interface SequentialOptions {
  /** Name in the summary, in messages and in files. Default "sequential". */
  readonly name?: string;
  /** Seed of the initial weights, a whole number from 0 to 2^32 - 1. Default 0. */
  readonly seed?: number;
  /** Two models of the same seed begin with different weights if their streams differ. Default 3. */
  readonly stream?: number;
  /** Names of the input and the output in ONNX files. Default "input" and "output". */
  readonly ends?: readonly [input: string, output: string];
  /** Gives the first values of a weight by its name (`dense/kernel`); the seed is then not used. */
  readonly weights?: (name: string, shape: Shape) => Float32Array;
}

/**
 * Layers one after another, with their weights on a device: Keras' Sequential. `Generator` and
 * `Discriminator` are built on it.
 *
 * ```ts
 * import { Adam, Gpu, grad, layers, ops, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [8, 8, 1], [
 *   layers.conv2D(4, { kernelSize: 3, strides: 2, padding: "same", activation: "relu" }),
 *   layers.flatten(),
 *   layers.dense(2),
 * ], { seed: 1, name: "classifier" });
 * console.log(network.outputShape); // [ 2 ]
 *
 * const adam = new Adam(gpu, network.trainableVariables);
 * const step = gpu.compile({ x: [16, 8, 8, 1], labels: [16, 2] }, ({ x, labels }) => {
 *   const logits = network.call(x, { training: true });
 *   const loss = ops.mean(ops.softmaxCrossEntropyWithLogits(logits, labels));
 *   adam.apply(grad(loss, network.trainableVariables));
 *   return { loss };
 * });
 * ```
 */
export class Sequential {
  /** Name in the summary, in messages and in files. */
  readonly name: string;
  /** All weights, layer by layer, each layer's in Keras' order. */
  readonly variables: readonly Variable<"f32">[];
  /** The weights that an optimizer may change. */
  readonly trainableVariables: readonly Variable<"f32">[];
  /** Shape of one sample of the input. */
  readonly inputShape: Shape;
  /** Shape of one sample of the output. */
  readonly outputShape: Shape;
  /** How many classes the labels of a call may name; 0 for a model that takes no labels. */
  readonly classes: number;
  readonly #architecture: Architecture;
  readonly #ends: readonly [input: string, output: string];

  /**
   * Makes the weights: Glorot-uniform kernels, the others as Keras starts them.
   *
   * @param inputShape of one sample, without the batch axis
   * @param factories layers, in the order in which they are called
   * @throws {RangeError} when the seed is out of range.
   * @throws {TypeError} when a layer does not take the shape that the layer before it gives.
   */
  constructor(
    /** The device that holds the weights. */
    readonly gpu: Gpu,
    inputShape: Shape,
    factories: readonly LayerFactory[],
    options: SequentialOptions = {},
  ) {
    const { name = "sequential", seed = 0, stream = STREAM.sequential, weights } = options;
    requireSeed(seed);
    const random = new RandomSequence(seed, stream);
    const model = architecture(name, [...inputShape], factories);
    this.name = name;
    this.variables = gpu.variables(
      weightSpecs(model).map((weight) => ({
        ...weight,
        // Called once there is room: a network that is too large must not fill the host's memory.
        data: () => weights?.(weight.name, weight.shape) ?? initialValues(weight, random),
      })),
    );
    this.trainableVariables = this.variables.filter((v) => v.trainable);
    this.inputShape = model.inputShape;
    this.outputShape = model.outputShape;
    this.classes = classesOf(model);
    this.#architecture = model;
    this.#ends = options.ends ?? ["input", "output"];
  }

  /**
   * Records the model.
   *
   * @param x [batch, ...inputShape]
   * @returns [batch, ...outputShape]
   * @throws {TypeError} when x is of another shape, or the labels are not those that it takes.
   */
  call(x: TensorLike, options: CallOptions): Tensor {
    let y = toTensor(x, `the input of the ${this.name}`);
    if (!y.rank || !sameShape(y.shape.slice(1), this.inputShape)) {
      throw new TypeError(
        `The ${this.name} takes [batch, ${this.inputShape.join(", ")}], got ${show(y.shape)}`,
      );
    }
    const labels = requireLabels(this.name, this.classes, options.labels, y.shape[0]);
    let at = 0;
    for (const { layer } of this.#architecture.layers) {
      y = layer.call(y, this.variables.slice(at, at += layer.weights.length), {
        ...options,
        labels,
      });
    }
    return y;
  }

  /**
   * Writes the model as it stands after everything enqueued so far. The end of the path chooses the
   * form:
   *
   * - `.safetensors`: the weights, with Keras' names (`dense/kernel`) and layouts
   * - `.onnx`: the model for inference, see {@linkcode Sequential.toONNX}
   * - `model.json`, or a folder (a path without extension, or a folder that exists): a TensorFlow.js
   *   layers model, with its weights in `weights.bin` beside it; the folder is created. Not for a
   *   model with classes
   *
   * A file of the same name is replaced. If a write fails, the old file stays as it was.
   *
   * ```ts
   * import { Generator, Gpu } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * const generator = await Generator.load(gpu, "out/training_checkpoints/ckpt-0050.safetensors");
   * await generator.save("generator.safetensors");
   * await generator.save("generator.onnx");
   * await generator.save("web/generator"); // web/generator/model.json and weights.bin
   * await generator.loadWeights("web/generator");
   * ```
   *
   * Permissions: read and write for the folder.
   *
   * @returns the path of the file to open: `web/generator/model.json`
   * @throws {RangeError} when the path has another ending, or asks for a tfjs model with classes.
   * @throws {TypeError} when ONNX is asked of a layer of your own.
   * @throws {Error} when a file cannot be written, naming the path and the reason.
   */
  async save(path: string): Promise<string> {
    const { saveModel } = await import("../files/model_files.ts");
    return await saveModel(path, this.name, () => this.#parts());
  }

  /**
   * Replaces the weights by those in a file that `save` wrote, a safetensors file or a tfjs model: a
   * path, a URL, or its bytes as a `Uint8Array` or a `Blob`.
   *
   * Permissions: read for the file, or the folder of the tfjs model; net for the host of a URL.
   *
   * @throws {CheckpointError} as `Generator.load` does; the weights then stay as they were.
   */
  async loadWeights(source: Source): Promise<void> {
    const file = await weightsOf(source, this.name);
    const { requireSameModel } = await import("./topology.ts");
    requireSameModel(file, this.#architecture);
    const data = this.variables.map(({ name, shape }) => weightData(file, name, shape));
    this.variables.forEach((variable, i) => variable.write(data[i]));
  }

  /**
   * The model in inference mode as an ONNX file (opset 17) with its weights. The generator takes
   * `noise` [N, noiseDim] and gives `images` [N, height, width, channels] on [-1, 1]; the discriminator
   * takes `images` and gives `logits` [N, 1]. N may be any number. A model with classes also takes
   * `labels`, int64 [N].
   */
  async toONNX(): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#encode("onnx");
  }

  /** The weights as a safetensors file, as `save` writes it. */
  async toSafetensors(): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#encode("safetensors");
  }

  /** The formats are loaded when one is used. The weights are those of the call. */
  async #encode(form: "onnx" | "safetensors"): Promise<Uint8Array<ArrayBuffer>> {
    const [{ encodeModel }, parts] = await Promise.all([import("./encode.ts"), this.#parts()]);
    return encodeModel[form](parts);
  }

  async #parts(): Promise<ModelParts> {
    // The reads are enqueued together, so one wait is enough.
    const weights = await Promise.all(
      this.variables.map(async (v) => ({ name: v.name, shape: v.shape, data: await v.read() })),
    );
    return { ...this.#architecture, ends: this.#ends, weights };
  }

  /** Frees the weights; programs that use them must not run any more. */
  dispose(): void {
    for (const variable of this.variables) variable.dispose();
  }

  /** Number of weights, all and trainable. */
  get parameterCount(): { readonly total: number; readonly trainable: number } {
    return parameterCount(this.#architecture);
  }

  /** The table that Keras prints: each layer, the shape of its output, its number of weights. */
  summary(): string {
    return architectureSummary(this.#architecture);
  }
}
