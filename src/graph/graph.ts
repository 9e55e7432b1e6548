/** The recording: nodes in the order in which ops were called. */

import type { GpuContext } from "../gpu/context.ts";
import { once } from "../gpu/once.ts";
import {
  type DType,
  Node,
  type Op,
  type OutputSpec,
  requireDType,
  type Shape,
  Tensor,
  validateShape,
} from "./tensor.ts";
import { describe } from "./arrays.ts";
import { Variable } from "./variable.ts";

/** What an op takes where it takes a tensor. */
export type TensorLike = Tensor | Variable;

/** The result of an op that moves elements of any type: a tensor of its operand's type. */
export type SameType<X extends TensorLike> = Tensor<
  // Results of arithmetic are of any DType to TypeScript; a TypeScript variable may hold both.
  X["dtype"] extends "f32" ? DType : X["dtype"]
>;

/** Leaf: an input of the program. Attribute: its name. */
export const inputOp: Op<string> = { name: "input" };

/** Leaf: a variable's value at one point of the recording. Attribute: the variable. */
export const variableOp: Op<Variable> = { name: "variable" };

/** Leaf: a random state that the program keeps. Attribute: its seed. */
export const seedOp: Op<number> = { name: "seed" };

/** Leaf: one number in every element. Attribute: the number. Ops read it without computing it first. */
export const constantOp: Op<number> = { name: "constant", instruction: "copy" };

/** The number that a tensor holds in every element, if the recording says so. */
export function constantOf({ node }: Tensor): number | undefined {
  return node.op === constantOp ? node.attributes as number : undefined;
}

/** A recorded computation. */
export class Graph {
  /** Every node, in recording order, which is a topological one. */
  readonly nodes: Node[] = [];
  /** Successive values of each variable: read, then overwritten, then read again. */
  readonly versions: Map<Variable, Tensor[]> = new Map();
  #seeded = new Map<number, Tensor>();
  #streams = new Map<Tensor, number>();
  #atEnd: (() => void)[] = [];

  /** @param context where it will run, if that is known; variables must live there. */
  constructor(private readonly context?: GpuContext) {}

  /** Records a node. */
  add<A>(
    op: Op<A>,
    inputs: readonly Tensor[],
    attributes: NoInfer<A>,
    outputs: readonly OutputSpec[],
  ): Node<A> {
    for (const { shape } of outputs) validateShape(shape, `The result of ${op.name}`);
    const node = new Node(this.nodes.length, op, inputs, attributes, outputs);
    this.nodes.push(node);
    return node;
  }

  /** Records an input of the program. */
  input(name: string, shape: Shape, dtype: DType = "f32"): Tensor {
    validateShape(shape, `Input ${name}`);
    requireDType(dtype, `Input ${name}`);
    return this.add(inputOp, [], name, [{ shape, dtype }]).outputs[0];
  }

  /**
   * The current value of a variable.
   *
   * @throws {TypeError} when it was disposed, or lives on another device.
   */
  variable(variable: Variable): Tensor {
    if (this.context) variable.requireUsable(this.context);
    return this.versions.get(variable)?.at(-1) ?? this.#newVersion(variable);
  }

  /**
   * The last node overwrites the variable: later reads see the new value.
   *
   * @throws {TypeError} when it is a random state that was drawn from: it would not be clear whether
   *   the new value or the advanced state counts.
   */
  overwrite(variable: Variable): void {
    const overwritten = this.variable(variable);
    if (this.#streams.has(overwritten)) {
      throw new TypeError(
        `Cannot assign to the random state ${variable.name} after a draw from it in the same ` +
          "recording: assign before the first draw, or write to it between runs",
      );
    }
    this.#newVersion(variable);
  }

  /** The program's own random state of a seed: [seed, step]. */
  seeded(seed: number): Tensor {
    return once(
      this.#seeded,
      seed,
      () => this.add(seedOp, [], seed, [{ shape: [2], dtype: "u32" }]).outputs[0],
    );
  }

  /**
   * A number of its own for each random op that draws from a state. `advance` is called for each
   * state at the end of the recording.
   */
  stream(state: Tensor, advance: () => void): number {
    const stream = this.#streams.get(state) ?? 0;
    if (stream === 0) this.#atEnd.push(advance);
    this.#streams.set(state, stream + 1);
    return stream;
  }

  /** Records what comes after everything else. */
  finish(): void {
    this.#streams.clear(); // no more draws: now states may be overwritten
    for (const record of this.#atEnd.splice(0)) record();
  }

  #newVersion(variable: Variable): Tensor {
    const { shape, dtype } = variable;
    const [tensor] = this.add(variableOp, [], variable, [{ shape, dtype }]).outputs;
    once(this.versions, variable, (): Tensor[] => []).push(tensor);
    return tensor;
  }
}

let current: Graph | undefined;

/**
 * The graph being recorded.
 *
 * @throws {TypeError} outside a recording.
 */
export function currentGraph(): Graph {
  if (!current) {
    throw new TypeError(
      "Ops are recorded, not run: call them inside gpu.compile(inputs, recording)",
    );
  }
  return current;
}

/** Turns a variable into its current value in the recording. */
export function toTensor(x: TensorLike, what = "argument"): Tensor {
  const graph = currentGraph();
  if (x instanceof Variable) return graph.variable(x);
  if (!(x instanceof Tensor)) {
    throw new TypeError(`Expected a Tensor or a Variable as ${what}, got ${describe(x)}`);
  }
  if (graph.nodes[x.node.id] !== x.node) {
    throw new TypeError(
      `The tensor given as ${what} belongs to another recording; pass data between programs ` +
        "as inputs or variables",
    );
  }
  return x;
}

/** Shape of an input, with its type where that is not f32. */
export type InputSpec = Shape | { readonly shape: Shape; readonly dtype: DType };

/** The tensors that stand for inputs of these shapes and types. */
export type InputTensors<S extends Readonly<Record<string, InputSpec>>> = {
  [K in keyof S]: S[K] extends { readonly dtype: infer D extends DType } ? Tensor<D> : Tensor;
};

/** A graph with its named inputs and outputs. */
export interface Recording {
  readonly graph: Graph;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/**
 * Records what `body` computes from inputs of the given shapes. Needs no device; with one, variables
 * must live there.
 */
export function record<
  const S extends Readonly<Record<string, InputSpec>>,
  T extends Readonly<Record<string, TensorLike>>,
>(inputs: S, body: (inputs: InputTensors<S>) => T, context?: GpuContext): Recording {
  if (current) throw new TypeError("Recordings cannot be nested");
  if (typeof body !== "function") {
    throw new TypeError(
      `A recording is a function from inputs to outputs, got ${describe(body)}: ` +
        "gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }))",
    );
  }
  const graph = new Graph(context);
  current = graph;
  try {
    const tensors: Record<string, Tensor> = {};
    for (const [name, spec] of Object.entries(inputs)) {
      tensors[name] = typeof spec === "object" && spec !== null && "shape" in spec
        ? graph.input(name, spec.shape, spec.dtype)
        : graph.input(name, spec);
    }
    const outputs: Record<string, Tensor> = {};
    const results = body(tensors as InputTensors<S>);
    if (results instanceof Promise) {
      results.catch(() => {}); // its ops fail outside the recording, which says less than this
      throw new TypeError(
        "The recording returned a promise: it must call ops and return its outputs at once; " +
          "await what it needs before gpu.compile",
      );
    }
    if (
      typeof results !== "object" || results === null || results instanceof Tensor ||
      results instanceof Variable
    ) {
      throw new TypeError(
        `The recording returned ${describe(results)}: it must return its outputs by name, ` +
          "such as { y }, or {} if it has none",
      );
    }
    for (const [name, value] of Object.entries(results)) {
      outputs[name] = toTensor(value, `output ${name}`);
    }
    graph.finish();
    return { graph, inputs: tensors, outputs };
  } finally {
    current = undefined;
  }
}
