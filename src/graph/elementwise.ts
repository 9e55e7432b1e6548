/** Elementwise chains: many nodes, one dispatch of `elementwise.wgsl`. */

import code from "../kernels/elementwise.wgsl" with { type: "text" };
import { kernel } from "../gpu/shader.ts";
import { constantOf } from "./graph.ts";
import { grid, type Lowering, type Operand } from "./lower.ts";
import { type Node, sameShape, type Shape, type Tensor } from "./tensor.ts";

const elementwise = kernel("elementwise", code);

/** The kernel's instructions: the number of each by its name, read from the lines of `apply`. */
export const INSTRUCTIONS: ReadonlyMap<string, number> = new Map(
  [...code.matchAll(/case (\d+) \{.*\} \/\/ (\w+)/g)].map(([, n, name]) => [name, Number(n)]),
);

/** Inputs and instructions that one dispatch can hold. */
export const MAX_INPUTS = 6;
/** See {@linkcode MAX_INPUTS}. */
export const MAX_INSTRUCTIONS = 16;

/** Words of the kernel's uniform buffer, of which two are zeros and the others numbers. */
const WORDS = 20;
const MAX_CONSTANTS = WORDS - 2;
/** Register of the first word. */
const FIRST_WORD = MAX_INPUTS + MAX_INSTRUCTIONS;

/** Instructions that the kernel's entry point for short chains can hold. */
const SHORT = 6;

/** Reading patterns of `elementwise.wgsl`. */
const MODE = { flat: 1, four: 2, splat: 3, gather: 4 } as const;

/** Axes of the output after neighbors that no input tells apart are merged; at most four. */
export interface Collapsed {
  readonly dims: readonly number[];
  /** Per input, strides in elements; 0 along a broadcast axis. */
  readonly strides: readonly (readonly number[])[];
}

/** Merges neighboring axes along which every input is either whole or broadcast. */
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
  const [output] = nodes[nodes.length - 1].outputs;
  const inputs = inputsOf(nodes);
  const words = wordsOf(nodes);
  const register = (tensor: Tensor) => {
    const word = wordOf(tensor);
    if (word !== undefined) return FIRST_WORD + 2 + words.indexOf(word);
    const at = nodes.indexOf(tensor.node);
    return at < 0 ? inputs.indexOf(tensor) : MAX_INPUTS + at;
  };

  const count = Math.ceil(output.size / 4);
  const constants: Record<string, number> = { COUNT: count, LENGTH: nodes.length };
  nodes.forEach((node, n) => {
    const [a = 0, b = 0, c = 0] = operandsOf(node).map(register);
    constants[`I${n}`] = INSTRUCTIONS.get(node.op.instruction!)! + 2 ** 8 * a + 2 ** 16 * b +
      2 ** 24 * c;
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

  const padded = [0, 0, ...words, ...new Array(MAX_CONSTANTS - words.length).fill(0)];
  const bindings: Record<string, Operand> = {
    y: output,
    words: lowering.constant(padded, "numbers of elementwise ops"),
  };
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

/** What an instruction reads: of a constant by itself, its number. */
function operandsOf(node: Node): readonly Tensor[] {
  return constantOf(node.outputs[0]) === undefined ? node.inputs : node.outputs;
}

/** What a chain reads from memory, each once. */
function inputsOf(nodes: readonly Node[]): Tensor[] {
  const members = new Set(nodes);
  const read = nodes.flatMap((n) => n.inputs)
    .filter((t) => !members.has(t.node) && constantOf(t) === undefined);
  return [...new Set(read)];
}

/** The numbers that a chain reads, each once, as the bits of a float32. */
function wordsOf(nodes: readonly Node[]): number[] {
  const words = nodes.flatMap(operandsOf).map(wordOf).filter((word) => word !== undefined);
  return [...new Set(words)];
}

function wordOf(tensor: Tensor): number | undefined {
  const number = constantOf(tensor);
  if (number === undefined) return undefined;
  return new Uint32Array(Float32Array.of(number).buffer)[0];
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
    for (const { node } of inputsOf(chain)) {
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
  const inputs = inputsOf(chain);
  if (chain.length > MAX_INSTRUCTIONS || inputs.length > MAX_INPUTS) return false;
  if (wordsOf(chain).length > MAX_CONSTANTS) return false;
  const { shape } = chain[0].outputs[0];
  return collapse(shape, inputs.map((t) => t.shape)).dims.length <= MAX_AXES;
}
