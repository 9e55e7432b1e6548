/**
 * A stack of layers with its weights on a device.
 *
 * @module
 */

import type { Gpu } from "../graph/gpu.ts";
import { type TensorLike, toTensor } from "../graph/graph.ts";
import { type Shape, sizeOf, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import {
  type Architecture,
  architecture,
  architectureSummary,
  parameterCount,
} from "./architecture.ts";
import { type CallOptions, type Initializer, type LayerFactory, requireSamples } from "./layers.ts";
import { modelToONNX } from "./onnx.ts";
import type { ModelParts } from "./parts.ts";
import { requireForm, saveParts } from "./save.ts";
import { RandomSequence } from "./threefry.ts";
import type { NamedLayer } from "./topology.ts";

interface BuiltLayer extends NamedLayer {
  readonly variables: readonly Variable<"f32">[];
}

function initialValues(initializer: Initializer, size: number, random: RandomSequence) {
  const values = new Float32Array(size);
  if (initializer.kind === "constant") return values.fill(initializer.value);
  const limit = Math.sqrt(6 / (initializer.fanIn + initializer.fanOut));
  return values.map(() => (2 * random.uniform() - 1) * limit);
}

/** Layers one after another. Base of `Generator` and `Discriminator`. */
export class Sequential {
  /** All weights, layer by layer, each layer's in Keras' order. */
  readonly variables: readonly Variable<"f32">[];
  /** Those that an optimizer may change. */
  readonly trainableVariables: readonly Variable<"f32">[];
  /** Shape of one sample of the input. */
  readonly inputShape: Shape;
  /** Shape of one sample of the output. */
  readonly outputShape: Shape;
  readonly #architecture: Architecture;
  readonly #layers: readonly BuiltLayer[];
  readonly #ends: readonly [input: string, output: string];

  /**
   * Makes the weights.
   *
   * @param name of the model, in its summary and messages
   * @param inputShape of one sample, without the batch axis
   * @param seed of the initial weights; `stream` keeps two models of one seed apart
   * @param ends what goes in and comes out, in files of the model
   * @param weights gives the values of a weight by its name, in place of the seed; what it throws
   *   is thrown before anything is allocated
   */
  constructor(
    gpu: Gpu,
    readonly name: string,
    inputShape: Shape,
    factories: readonly LayerFactory[],
    { seed, stream, ends = ["input", "output"], weights }: {
      readonly seed: number;
      readonly stream: number;
      readonly ends?: readonly [input: string, output: string];
      readonly weights?: (name: string, shape: Shape) => Float32Array;
    },
  ) {
    const random = new RandomSequence(seed, stream);
    this.#architecture = architecture(name, inputShape, factories);
    const { layers, outputShape } = this.#architecture;
    const specs = layers.flatMap(({ layer, name }) =>
      layer.weights.map(({ name: own, shape, trainable, initializer }) => ({
        name: `${name}/${own}`,
        shape,
        trainable,
        // Asked for once there is room: a network that is too large must not fill the host's memory.
        data: () =>
          weights?.(`${name}/${own}`, shape) ??
            initialValues(initializer, sizeOf(shape), random),
      }))
    );
    this.variables = gpu.variables(specs);
    this.#ends = ends;
    this.trainableVariables = this.variables.filter((v) => v.trainable);
    this.inputShape = inputShape;
    this.outputShape = outputShape;
    let at = 0;
    this.#layers = layers.map(({ layer, name }) => ({
      name,
      layer,
      variables: this.variables.slice(at, at += layer.weights.length),
    }));
  }

  /**
   * Records the model.
   *
   * @param x [batch, ...inputShape]
   * @returns [batch, ...outputShape]
   * @throws {TypeError} when x is of another shape.
   */
  call(x: TensorLike, options: CallOptions): Tensor {
    let y = toTensor(x, `the input of the ${this.name}`);
    requireSamples(y, this.inputShape, `The ${this.name}`);
    for (const { layer, variables } of this.#layers) y = layer.call(y, variables, options);
    return y;
  }

  /**
   * Writes the model as it stands after everything enqueued so far. The end of the path says in which
   * form:
   *
   * - `.safetensors`: the weights, with Keras' names (`dense/kernel`) and layouts
   * - `.onnx`: the model for inference, see {@linkcode Sequential.toONNX}
   * - `model.json`, or a folder (no extension, or one that exists): a TensorFlow.js layers model, with
   *   its weights in `weights.bin` beside it; the folder is created
   *
   * Each file is there whole or not at all, and replaces one of its name.
   *
   * ```ts
   * import { Generator, Gpu } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * const generator = await Generator.load(gpu, "out/training_checkpoints/ckpt-0050.safetensors");
   * await generator.save("generator.safetensors");
   * await generator.save("generator.onnx");
   * await generator.save("web/generator"); // web/generator/model.json and weights.bin
   * ```
   *
   * Permissions: read and write for the folder.
   *
   * @returns the path of the file that one opens: `web/generator/model.json`
   * @throws {RangeError} when the path ends otherwise.
   * @throws {Error} when a file cannot be written, naming the path and the reason.
   */
  async save(path: string): Promise<string> {
    const form = await requireForm(path, this.name);
    return await saveParts(await this.#parts(), path, form);
  }

  /**
   * The model in inference mode as an ONNX file (opset 17), weights inside. The generator's input is
   * `noise` [N, noiseDim] and its output `images` [N, height, width, channels] on [-1, 1]; the
   * discriminator takes `images` and gives `logits` [N, 1]. N may be any number.
   *
   * ```ts
   * import { Generator, Gpu } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * const bytes = await new Generator(gpu).toONNX();
   * await Deno.writeFile("generator.onnx", bytes);
   * ```
   */
  async toONNX(): Promise<Uint8Array<ArrayBuffer>> {
    return modelToONNX(await this.#parts());
  }

  /** The reads are enqueued together and share one wait. */
  async #parts(): Promise<ModelParts> {
    const layers = this.#layers.map(async ({ name, layer, variables }) => ({
      name,
      layer,
      data: await Promise.all(variables.map((variable) => variable.read())),
    }));
    const { name, inputShape, outputShape } = this;
    return { name, ends: this.#ends, inputShape, outputShape, layers: await Promise.all(layers) };
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
