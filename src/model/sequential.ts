/**
 * A stack of layers with its weights on a device.
 *
 * @module
 */

import type { Gpu } from "../graph/gpu.ts";
import { type TensorLike, toTensor } from "../graph/graph.ts";
import { type Shape, sizeOf, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import { writeFileAtomic } from "../io/atomic.ts";
import { encodeSafetensors } from "../io/safetensors.ts";
import {
  type CallOptions,
  type Initializer,
  type Layer,
  type LayerFactory,
  requireSamples,
} from "./layers.ts";
import { summaryTable } from "./summary.ts";
import { RandomSequence } from "./threefry.ts";

interface BuiltLayer {
  readonly name: string;
  readonly layer: Layer;
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
  readonly #layers: readonly BuiltLayer[];

  /**
   * Makes the weights.
   *
   * @param name of the model, in its summary and messages
   * @param inputShape of one sample, without the batch axis
   * @param seed of the initial weights; `stream` keeps two models of one seed apart
   * @param weights gives the values of a weight by its name, in place of the seed; what it throws
   *   is thrown before anything is allocated
   */
  constructor(
    gpu: Gpu,
    readonly name: string,
    inputShape: Shape,
    factories: readonly LayerFactory[],
    { seed, stream, weights }: {
      readonly seed: number;
      readonly stream: number;
      readonly weights?: (name: string, shape: Shape) => Float32Array;
    },
  ) {
    const random = new RandomSequence(seed, stream);
    const seen = new Map<string, number>();
    let shape = inputShape;
    const built = factories.map((factory) => {
      const layer = factory(shape);
      shape = layer.outputShape;
      const count = seen.get(layer.base) ?? 0;
      seen.set(layer.base, count + 1);
      return { layer, name: count ? `${layer.base}_${count}` : layer.base };
    });
    const specs = built.flatMap(({ layer, name }) =>
      layer.weights.map(({ name: own, shape, trainable, initializer }) => ({
        name: `${name}/${own}`,
        shape,
        trainable,
        data: weights?.(`${name}/${own}`, shape) ??
          initialValues(initializer, sizeOf(shape), random),
      }))
    );
    this.variables = gpu.variables(specs);
    this.trainableVariables = this.variables.filter((v) => v.trainable);
    this.inputShape = inputShape;
    this.outputShape = shape;
    let at = 0;
    this.#layers = built.map(({ layer, name }) => ({
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
   * Writes the weights as a safetensors file, with Keras' names and layouts. The file is there whole
   * or not at all.
   *
   * Permissions: read and write for the folder.
   *
   * @param path ending in `.safetensors`; its folder must exist
   * @returns the path
   * @throws {RangeError} when the path ends otherwise.
   */
  async save(path: string): Promise<string> {
    if (!path.endsWith(".safetensors")) {
      throw new RangeError(`Cannot save the ${this.name} as ${path}: use a name in .safetensors`);
    }
    const data = await this.#read();
    const tensors = this.variables.map(({ name, shape }, i) =>
      [name, { dtype: "F32", shape, data: data[i] }] as const
    );
    const metadata = this.metadata();
    await writeFileAtomic(path, encodeSafetensors({ tensors: new Map(tensors), metadata }));
    return path;
  }

  /** What a file of the weights says beside them. */
  protected metadata(): Record<string, string> {
    return {};
  }

  /** Values of all weights; the reads are enqueued together and share one wait. */
  #read(): Promise<Float32Array<ArrayBuffer>[]> {
    return Promise.all(this.variables.map((variable) => variable.read()));
  }

  /** Frees the weights; programs that use them must not run any more. */
  dispose(): void {
    for (const variable of this.variables) variable.dispose();
  }

  /** Number of weights, all and trainable. */
  get parameterCount(): { readonly total: number; readonly trainable: number } {
    const count = (list: readonly Variable[]) => list.reduce((sum, v) => sum + v.size, 0);
    return { total: count(this.variables), trainable: count(this.trainableVariables) };
  }

  /** The table that Keras prints: each layer, the shape of its output, its number of weights. */
  summary(): string {
    const rows = this.#layers.map(({ name, layer, variables }) => ({
      layer: `${name} (${layer.type})`,
      shape: `(None, ${layer.outputShape.join(", ")})`,
      parameters: variables.reduce((sum, v) => sum + v.size, 0),
    }));
    return summaryTable(this.name, rows, this.parameterCount);
  }
}
