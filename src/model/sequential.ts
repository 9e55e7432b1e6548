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
import {
  type CallOptions,
  type Initializer,
  type Layer,
  type LayerFactory,
  requireSamples,
} from "./layers.ts";
import { RandomSequence } from "./threefry.ts";

interface BuiltLayer {
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
  readonly #architecture: Architecture;
  readonly #layers: readonly BuiltLayer[];

  /**
   * Makes the weights.
   *
   * @param name of the model, in its summary and messages
   * @param inputShape of one sample, without the batch axis
   * @param seed of the initial weights; `stream` keeps two models of one seed apart
   */
  constructor(
    gpu: Gpu,
    readonly name: string,
    inputShape: Shape,
    factories: readonly LayerFactory[],
    { seed, stream }: { readonly seed: number; readonly stream: number },
  ) {
    const random = new RandomSequence(seed, stream);
    this.#architecture = architecture(name, inputShape, factories);
    const { layers, outputShape } = this.#architecture;
    const specs = layers.flatMap(({ layer, name }) =>
      layer.weights.map((weight) => ({
        name: `${name}/${weight.name}`,
        shape: weight.shape,
        trainable: weight.trainable,
        data: initialValues(weight.initializer, sizeOf(weight.shape), random),
      }))
    );
    this.variables = gpu.variables(specs);
    this.trainableVariables = this.variables.filter((v) => v.trainable);
    this.inputShape = inputShape;
    this.outputShape = outputShape;
    let at = 0;
    this.#layers = layers.map(({ layer }) => ({
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
