import code from "../kernels/adam.wgsl" with { type: "text" };
import type { Gpu } from "../graph/gpu.ts";
import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import { grid, type Lowering, Storage } from "../graph/lower.ts";
import { type Op, sameShape, show, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import { kernel } from "../gpu/shader.ts";

const adamKernel = kernel("adam", code);

/** Options of {@linkcode Adam}; the defaults are Keras' own. */
export interface AdamOptions {
  /** Default 1e-3; the tutorial uses 1e-4. */
  readonly learningRate?: number;
  /** Decay of the first moment. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment. Default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment. Default 1e-7. */
  readonly epsilon?: number;
  /**
   * The learning rate falls linearly to 0 over so many updates, as in Keras' PolynomialDecay with an
   * end of 0. Default 0: it stays.
   */
  readonly decaySteps?: number;
}

/** Variables side by side in one buffer, and their moments: one dispatch updates them all. */
interface Group {
  readonly parameters: readonly Variable[];
  /** Moving means of the gradients. */
  readonly moments: readonly Variable[];
  /** Moving means of the squared gradients. */
  readonly squares: readonly Variable[];
}

/** The storage from the first to the last of variables that lie side by side. */
function span(variables: readonly Variable[]): Storage {
  const [first, last] = [variables[0], variables.at(-1)!];
  const { buffer, offset } = first.view;
  const bytes = last.view.offset + last.view.bytes - offset;
  const ends = [...new Set([first, last])].map(({ name, shape }) => `${name} ${show(shape)}`);
  const storage = new Storage(bytes, ends.join(" to "));
  storage.fixed = { buffer, offset, bytes };
  return storage;
}

interface ApplyAttributes extends Required<AdamOptions> {
  readonly groups: readonly Group[];
  readonly gradients: ReadonlyMap<Variable, Tensor>;
  readonly state: Variable;
}

const adamOp: Op<ApplyAttributes> = {
  name: "adam",
  effect: true,
  lower({ attributes }, lowering: Lowering) {
    const { groups, gradients, state, beta1, beta2, epsilon, decaySteps } = attributes;
    const decays = { B1: beta1, B2: beta2, ONE_MINUS_B1: 1 - beta1, ONE_MINUS_B2: 1 - beta2 };
    lowering.dispatch({
      kernel: adamKernel,
      entryPoint: "step",
      constants: decays,
      bindings: { next: lowering.variable(state) },
      workgroups: [1, 1, 1],
      detail: "step",
    });
    for (const { parameters, moments, squares } of groups) {
      const p = span(parameters);
      const offsets = parameters.map(({ view }) => view.offset - parameters[0].view.offset);
      const count = p.bytes / 16;
      lowering.dispatch({
        kernel: adamKernel,
        constants: {
          ...decays,
          COUNT: count,
          EPSILON: epsilon,
          ...(decaySteps > 0 ? { DECAY_STEPS: decaySteps } : {}),
        },
        bindings: {
          p,
          m: span(moments),
          v: span(squares),
          g: lowering.pack(parameters.map((v) => gradients.get(v)!), offsets, p.bytes),
          state: lowering.variable(state),
        },
        workgroups: grid(count, 64),
      });
    }
  },
};

/**
 * Adam (Kingma and Ba 2015) in the form of Keras:
 * p -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon).
 *
 * A network whose variables lie side by side (those of a model do) is updated in one dispatch.
 *
 * ```ts
 * import { Adam, Gpu, grad, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const w = gpu.variable([1], [1]);
 * const adam = new Adam(gpu, [w], { learningRate: 0.25 });
 * const program = gpu.compile({}, () => {
 *   const loss = ops.sum(ops.mul(w, w));
 *   adam.apply(grad(loss, [w]));
 *   return { loss };
 * });
 * program.run();
 * console.log(await w.read()); // Float32Array(1) [ 0.75 ]
 * ```
 */
export class Adam {
  /** The variables that it updates, in the order in which {@linkcode Adam.apply} takes gradients. */
  readonly variables: readonly Variable[];
  /** [t, 1 - b1^t, 1 - b2^t, learning rate]. A step reads the learning rate, so writing one changes it. */
  readonly state: Variable<"f32">;
  readonly #groups: readonly Group[];
  readonly #options: Required<AdamOptions>;

  /**
   * Makes the moments, all zero.
   *
   * @param variables what to update, all f32 and of this device
   * @throws {RangeError} when an option is out of range.
   * @throws {TypeError} when there are no variables, or one is given twice, not f32, disposed, or of
   *   another device.
   */
  constructor(gpu: Gpu, variables: readonly Variable[], options: AdamOptions = {}) {
    const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
    const { decaySteps = 0 } = options;
    const given = { beta1, beta2, learningRate, epsilon, decaySteps };
    for (const [name, value] of Object.entries(given)) {
      const [limit, needed] = name.startsWith("beta")
        ? [1, "at least 0 and below 1"]
        : [Infinity, "a number of at least 0"];
      if (value >= 0 && value < limit) continue;
      throw new RangeError(`Adam got ${name} ${value}; it must be ${needed}`);
    }
    if (!variables.length) throw new TypeError("Adam needs at least one variable");
    for (const variable of variables) {
      const { name, dtype } = variable;
      if (dtype !== "f32") throw new TypeError(`Adam updates f32 variables, ${name} is ${dtype}`);
      variable.requireUsable(gpu.context);
    }
    if (new Set(variables).size !== variables.length) {
      throw new TypeError("Adam got a variable twice: add its gradients and give it once");
    }
    this.#options = given;
    this.variables = [...variables];
    this.state = gpu.variable([4], [0, 0, 0, learningRate], {
      name: "adam/state",
      trainable: false,
    });
    this.#groups = sideBySide(this.variables).map((parameters) => {
      const zeros = (suffix: string) =>
        gpu.variables(parameters.map(({ name, shape }) => ({
          name: `${name}/${suffix}`,
          shape,
          trainable: false,
        })));
      return { parameters, moments: zeros("m"), squares: zeros("v") };
    });
  }

  /** The first and second moments of every variable, named `<variable>/m` and `<variable>/v`. */
  get moments(): readonly Variable[] {
    return this.#groups.flatMap(({ moments, squares }) => [...moments, ...squares]);
  }

  /** Frees the moments; programs that apply this optimizer must not run any more. */
  dispose(): void {
    for (const variable of [this.state, ...this.moments]) variable.dispose();
  }

  /**
   * Records one update. What the recording reads of the variables before this call are the old values,
   * afterwards the new ones.
   *
   * @param gradients one for each of {@linkcode Adam.variables}, f32 and of its shape
   * @throws {TypeError} when there are more or fewer gradients, or one has another shape or type.
   */
  apply(gradients: readonly TensorLike[]): void {
    const graph = currentGraph();
    if (!Array.isArray(gradients)) {
      throw new TypeError(
        "Adam takes a list of gradients, one for each variable: adam.apply(grad(loss, variables))",
      );
    }
    if (gradients.length !== this.variables.length) {
      throw new TypeError(
        `Adam updates ${this.variables.length} variables, got ${gradients.length} gradients: ` +
          "give one for each, in the order of adam.variables",
      );
    }
    const tensors = this.variables.map((variable, i) => {
      const gradient = toTensor(gradients[i], `the gradient of ${variable.name}`);
      const { shape, dtype } = gradient;
      const reason = !sameShape(shape, variable.shape)
        ? `has shape ${show(shape)}, the variable ${show(variable.shape)}`
        : dtype !== "f32" && `is ${dtype}: gradients are f32`;
      if (reason) throw new TypeError(`The gradient of ${variable.name} ${reason}`);
      return gradient;
    });
    const written = [this.state, ...this.variables, ...this.moments];
    for (const variable of written) graph.variable(variable);
    graph.add(adamOp, tensors, {
      ...this.#options,
      groups: this.#groups,
      gradients: new Map(this.variables.map((variable, i) => [variable, tensors[i]])),
      state: this.state,
    }, []);
    for (const variable of written) graph.overwrite(variable);
  }
}

/** Groups of variables that lie side by side without a gap. */
function sideBySide(variables: readonly Variable[]): Variable[][] {
  const groups: Variable[][] = [];
  for (const together of Map.groupBy(variables, (v) => v.view.buffer).values()) {
    let end = -1;
    for (const variable of together.toSorted((a, b) => a.view.offset - b.view.offset)) {
      const { offset, bytes } = variable.view;
      if (offset === end) groups.at(-1)!.push(variable);
      else groups.push([variable]);
      end = offset + bytes;
    }
  }
  return groups;
}
