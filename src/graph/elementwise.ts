/**
 * Elementwise chains: many nodes, one dispatch of `elementwise.wgsl`.
 *
 * @module
 */

import code from "../kernels/elementwise.wgsl" with { type: "text" };
import { kernel } from "../gpu/shader.ts";
import { grid, type Lowering, type Operand } from "./lower.ts";
import { type Node, sameShape, type Shape, type Tensor } from "./tensor.ts";

const elementwise = kernel("elementwise", code);

/** The kernel's instruction codes; a and b are registers, c a constant. */
export const CODE = {
  copy: 0, // a
  add: 1, // a + b
  sub: 2, // a - b
  mul: 3, // a * b
  div: 4, // a / b
  addConstant: 5, // a + c
  mulConstant: 6, // a * c
  constantSub: 7, // c - a
  constantDiv: 8, // c / a
  divConstant: 9, // a / c
  neg: 10,
  exp: 11,
  log: 12,
  sqrt: 13,
  abs: 14,
  tanh: 15,
  sigmoid: 16,
  leakyRelu: 17, // a > 0 ? a : c * a
  step: 18, // a > 0 ? 1 : c
  sign: 19,
  sigmoidCrossEntropy: 20, // logits a, labels b
  inverseSqrt: 21, // 1 / sqrt(a + c)
  constant: 22, // c
} as const;

/** Inputs and instructions that one dispatch can hold. */
export const MAX_INPUTS = 6;
/** See {@linkcode MAX_INPUTS}. */
export const MAX_INSTRUCTIONS = 16;

/** Instructions that the kernel's entry point for short chains can hold. */
const SHORT = 6;

/** Reading patterns of `elementwise.wgsl`. */
const MODE = { flat: 1, four: 2, splat: 3, gather: 4 } as const;

/** Axes of the output after neighbours that no input tells apart are merged; at most four. */
export interface Collapsed {
  readonly dims: readonly number[];
  /** Per input, strides in elements; 0 along a broadcast axis. */
  readonly strides: readonly (readonly number[])[];
}

/** Merges neighbouring axes along which every input is either whole or broadcast. */
export function collapse(shape: Shape, inputs: readonly Shape[]): Collapsed {
  const padded = inputs.map((s) => [...new Array(shape.length - s.length).fill(1), ...s]);
  const dims: number[] = [];
  const broadcast: boolean[][] = []; // per merged axis, per input
  shape.forEach((n, axis) => {
    if (n === 1) return;
    const pattern = padded.map((s) => s[axis] === 1);
    const last = broadcast.at(-1);
    if (last && last.every((b, i) => b === pattern[i])) {
      dims[dims.length - 1] *= n;
    } else {
      dims.push(n);
      broadcast.push(pattern);
    }
  });
  const strides = inputs.map((_, i) => {
    let stride = 1;
    const result = new Array<number>(dims.length).fill(0);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (broadcast[axis][i]) continue;
      result[axis] = stride;
      stride *= dims[axis];
    }
    return result;
  });
  return { dims, strides };
}

/** Axes that the kernel's address arithmetic knows. */
export const MAX_AXES = 4;

/** Emits one dispatch for a chain of nodes of one shape; the last is the one that is stored. */
export function lowerChain(nodes: readonly Node[], lowering: Lowering): void {
  const root = nodes[nodes.length - 1];
  const [output] = root.outputs;
  const members = new Set(nodes);
  const inputs: Tensor[] = [];
  for (const node of nodes) {
    for (const input of node.inputs) {
      if (!members.has(input.node) && !inputs.includes(input)) inputs.push(input);
    }
  }
  const register = (tensor: Tensor) =>
    members.has(tensor.node) ? MAX_INPUTS + nodes.indexOf(tensor.node) : inputs.indexOf(tensor);

  const count = Math.ceil(output.size / 4);
  const constants: Record<string, number> = { COUNT: count, LENGTH: nodes.length };
  nodes.forEach((node, n) => {
    const { code, constant = 0 } = node.op.instruction!(node);
    const [a = 0, b = 0] = node.inputs.map(register);
    constants[`I${n}`] = code | a << 8 | b << 16;
    if (constant !== 0) constants[`C${n}`] = constant;
  });

  const { dims, strides } = collapse(output.shape, inputs.map((t) => t.shape));
  const padding = MAX_AXES - dims.length;
  dims.forEach((n, axis) => {
    if (axis + padding > 0) constants[`D${axis + padding}`] = n;
  });
  const aligned = (dims.at(-1) ?? 1) % 4 === 0;
  inputs.forEach((input, i) => {
    const inner = strides[i].at(-1) ?? 0;
    const mode = input.size === output.size
      ? MODE.flat
      : input.size === 1
      ? MODE.splat
      : !aligned
      ? MODE.gather
      : inner === 1
      ? MODE.four
      : MODE.splat;
    constants[`M${i}`] = mode;
    if (mode === MODE.flat) return;
    strides[i].forEach((s, axis) => {
      if (s !== 0) constants[`S${i}_${axis + padding}`] = s;
    });
  });

  const bindings: Record<string, Operand> = { y: output };
  // Unused inputs need something bound that is not written: the first input, or any memory.
  const unused = inputs[0] ?? lowering.scratch(4, "unused");
  for (let i = 0; i < MAX_INPUTS; i++) bindings[`x${i}`] = inputs[i] ?? unused;
  lowering.dispatch({
    kernel: elementwise,
    entryPoint: nodes.length > SHORT ? "long" : "main",
    constants,
    bindings,
    workgroups: grid(count, 256),
    detail: nodes.length > 1 ? `(${nodes.map((n) => n.op.name).join(", ")})` : undefined,
  });
}

/** Forms the chain that ends at `root`: producers of its shape that nobody outside the chain needs. */
export function growChain(
  root: Node,
  consumers: ReadonlyMap<Tensor, readonly Node[]>,
  isFree: (node: Node) => boolean,
): Node[] {
  const { shape } = root.outputs[0];
  let chain = [root];
  for (let grown = true; grown;) {
    grown = false;
    const members = new Set(chain);
    const inputs = chain.flatMap((n) => n.inputs).filter((t) => !members.has(t.node));
    for (const { node } of inputs) {
      if (!node.op.instruction || !isFree(node)) continue;
      const [output] = node.outputs;
      if (!sameShape(output.shape, shape)) continue;
      if (!consumers.get(output)!.every((n) => members.has(n))) continue;
      const candidate = [...chain, node].sort((a, b) => a.id - b.id);
      if (!fits(candidate)) continue;
      chain = candidate;
      grown = true;
      break;
    }
  }
  return chain;
}

/** Whether one dispatch can hold the chain. */
function fits(chain: readonly Node[]): boolean {
  if (chain.length > MAX_INSTRUCTIONS) return false;
  const members = new Set(chain);
  const inputs = new Set(chain.flatMap((n) => n.inputs).filter((t) => !members.has(t.node)));
  if (inputs.size > MAX_INPUTS) return false;
  const { shape } = chain[0].outputs[0];
  return collapse(shape, [...inputs].map((t) => t.shape)).dims.length <= MAX_AXES;
}
