/** Reverse-mode differentiation: appends the backward nodes to the recording. */

import { once } from "../gpu/once.ts";
import { currentGraph, type TensorLike, toTensor } from "./graph.ts";
import { type Node, sameShape, type Shape, show, type Tensor } from "./tensor.ts";
import { Variable } from "./variable.ts";

/** The ops that differentiation itself needs. */
export interface Algebra {
  add(a: Tensor, b: Tensor): Tensor;
  /** Sums over the axes along which the shape broadcasts to x's. */
  sumTo(x: Tensor, shape: Shape): Tensor;
  /** Multiplies each sample, along the first axis of x, by its weight. */
  weigh(x: Tensor, weights: Tensor): Tensor;
  constant(value: number, shape: Shape): Tensor;
}

function gradientInputs(node: Node): readonly Tensor[] {
  return node.op.gradientInputs?.(node) ?? node.inputs;
}

/** Whether a target lies between a node and the inputs of its gradient, which its rule would skip. */
function bypasses(node: Node, targets: ReadonlySet<Tensor>): boolean {
  if (!node.op.gradientInputs) return false;
  const ends = new Set(gradientInputs(node));
  const between = new Set(node.inputs);
  for (const tensor of between) {
    if (ends.has(tensor)) continue;
    if (targets.has(tensor)) return true;
    for (const input of tensor.node.inputs) between.add(input);
  }
  return false;
}

/** Gradients of `loss` with respect to `targets`. See `grad`. */
export function backward(
  loss: TensorLike,
  targets: readonly TensorLike[],
  { add, sumTo, weigh, constant }: Algebra,
  sampleWeights?: Tensor,
): Tensor[] {
  const { nodes, versions } = currentGraph();
  const root = toTensor(loss, "the loss");
  if (root.size !== 1) {
    throw new TypeError(
      `grad needs a loss of one element, got ${show(root.shape)}: take its mean or sum first`,
    );
  }
  const above = ancestors(root.node);
  const wanted = targets.map((target, i) => {
    const current = toTensor(target, `target ${i} of grad`);
    if (!(target instanceof Variable)) return current;
    // The newest value of the variable that the loss has seen.
    return versions.get(target)?.findLast((t) => above.has(t.node)) ?? current;
  });

  // Only nodes between a target and the loss carry a gradient.
  const carries = new Set<Node>();
  const isTarget = new Set(wanted);
  const stepwise = new Set([...above].filter((node) => bypasses(node, isTarget)));
  const inputsOf = (node: Node) => stepwise.has(node) ? node.inputs : gradientInputs(node);
  for (const node of nodes.slice(0, root.node.id + 1)) {
    if (!above.has(node)) continue;
    const depends = node.outputs.some((t) => isTarget.has(t)) ||
      inputsOf(node).some((t) => carries.has(t.node));
    if (depends) carries.add(node);
  }

  if (sampleWeights && targets.every((target) => target instanceof Variable)) {
    throw new TypeError(
      "Sample weights need a tensor among the targets, such as the images: what depends " +
        "on it holds the samples",
    );
  }
  // With weights: what depends on those targets that are tensors.
  const samples = new Set(
    sampleWeights
      ? wanted.filter((_, i) => !(targets[i] instanceof Variable)).map((t) => t.node)
      : [],
  );
  for (const node of carries) {
    if (samples.size && inputsOf(node).some((t) => samples.has(t.node))) samples.add(node);
  }
  const products = new Map<Tensor, Tensor>();
  const weightedOf = (cotangent: Tensor): Tensor =>
    once(products, cotangent, () => weigh(cotangent, sampleWeights!));

  const cotangents = new Map<Tensor, Tensor>([[root, constant(1, root.shape)]]);
  for (const node of nodes.slice(0, root.node.id + 1).reverse()) {
    if (!carries.has(node)) continue;
    const arrived = node.outputs.map((t) => cotangents.get(t));
    const inputs = inputsOf(node);
    const useful = inputs.some((t) => carries.has(t.node));
    if (!useful || arrived.every((c) => c === undefined)) continue;
    if (!node.op.gradient) {
      throw new TypeError(
        `${node.op.name} has no gradient; use stopGradient if none should flow through it`,
      );
    }
    const rule = (dy: readonly (Tensor | undefined)[]) =>
      stepwise.has(node) ? dy : node.op.gradient!(node, dy);
    const gradients = rule(arrived);
    // Where samples meet a variable, its gradient comes from weighted cotangents. Half of what the two
    // calls of the rule record is not needed, and the compiler drops it.
    const meets = samples.has(node) &&
      inputs.some((t) => carries.has(t.node) && !samples.has(t.node));
    const weighted = meets ? rule(arrived.map((c) => c && weightedOf(c))) : gradients;
    inputs.forEach((input, i) => {
      const cotangent = (samples.has(input.node) ? gradients : weighted)[i];
      if (!cotangent || !carries.has(input.node)) return;
      const gradient = sameShape(cotangent.shape, input.shape)
        ? cotangent
        : sumTo(cotangent, input.shape);
      const sum = cotangents.get(input);
      cotangents.set(input, sum ? add(sum, gradient) : gradient);
    });
  }
  return wanted.map((t) => cotangents.get(t) ?? constant(0, t.shape));
}

/** The node and everything it is computed from. */
function ancestors(root: Node): Set<Node> {
  const found = new Set([root]);
  for (const node of found) {
    for (const input of [...node.inputs, ...gradientInputs(node)]) found.add(input.node);
  }
  return found;
}
