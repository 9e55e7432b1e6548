/**
 * From a recording to lowered steps: drop what nobody needs, fuse elementwise chains, lower the
 * rest in recording order.
 */

import type { Buffer } from "../gpu/memory.ts";
import { growChain, lowerChain } from "./elementwise.ts";
import { findInvariants } from "./invariant.ts";
import { constantOf, inputOp, type Recording, seedOp, variableOp } from "./graph.ts";
import { Lowering, type Step, Storage } from "./lower.ts";
import { bytesOf, type Node, show, type Tensor } from "./tensor.ts";
import type { Variable } from "./variable.ts";
import type { GemmUse, Tuning } from "./tuning.ts";
import { FiniteCheck } from "./non_finite.ts";

/** A lowered recording. */
export interface Lowered {
  readonly steps: readonly Step[];
  /** How many steps, from the first one on, are the same in every run. */
  readonly invariant: number;
  /** The variables' buffers that those read. */
  readonly sources: readonly Buffer[];
  /** The GEMM-like ops, each of its sizes once. */
  readonly gemms: readonly GemmUse[];
  /** Where each input is expected. */
  readonly inputs: ReadonlyMap<string, Storage>;
  /** Where each output is left. */
  readonly outputs: ReadonlyMap<string, Storage>;
  /** Tests of its results, if they were asked for. */
  readonly finite?: FiniteCheck;
}

/**
 * Lowers a recording. Needs no device.
 *
 * @param checkFinite whether each result is tested for numbers that are not finite
 */
export function lower(recording: Recording, tuning: Tuning, checkFinite = false): Lowered {
  const { nodes } = recording.graph;
  const outputs = new Set(Object.values(recording.outputs));
  const live = liveNodes(nodes, outputs);
  const consumers = findConsumers(nodes, live);
  const { chains, positionOf } = findChains(nodes, live, consumers, outputs);
  const snapshots = findSnapshots(recording, consumers, positionOf, live);

  const lowering = new Lowering(tuning);
  const finite = checkFinite
    ? new FiniteCheck(nodes.reduce((sum, { outputs }) => sum + outputs.length, 0))
    : undefined;
  const inputs = new Map<string, Storage>();
  // Inputs that nobody needs are accepted all the same.
  for (const [name, tensor] of Object.entries(recording.inputs)) {
    const storage = new Storage(
      bytesOf(tensor.shape, tensor.dtype),
      `input ${name} ${show(tensor.shape)}`,
    );
    storage.port = true;
    lowering.place(tensor, storage);
    inputs.set(name, storage);
  }
  for (const node of nodes) {
    const { op, attributes, outputs: [tensor] } = node;
    lowering.enter(node);
    if (op === inputOp || op === variableOp) {
      const storage = op === inputOp
        ? lowering.storage(tensor)
        : lowering.variable(attributes as Variable);
      // What a variable holds is tested whether the recording reads it or not.
      finite?.test(tensor, storage, storage.label, lowering);
      if (op === variableOp && live.has(node)) {
        lowering.place(tensor, snapshots.has(tensor) ? snapshot(storage, lowering) : storage);
      }
      continue;
    }
    const chain = chains.get(node);
    if (!live.has(node) || op.alias || (op.instruction && !chain)) continue;
    if (op === seedOp) {
      const state = new Storage(8, "random state");
      state.port = true;
      state.initial = new Uint32Array([attributes as number, 0]);
      lowering.place(tensor, state);
    } else if (chain) {
      lowerChain(chain, lowering);
    } else {
      if (!op.lower) throw new TypeError(`The op ${op.name} has no lowering`);
      op.lower(node, lowering);
    }
    const names = (chain ?? [node]).map((n) => n.op.name).join(", ");
    for (const tensor of node.outputs) {
      const label = `${names} ${show(tensor.shape)}`;
      finite?.test(tensor, lowering.storage(tensor), label, lowering);
    }
  }
  const results = new Map(
    Object.entries(recording.outputs).map(([name, t]) => [name, lowering.storage(t)]),
  );
  const { steps, count, sources } = findInvariants(lowering.steps);
  const gemms = [...lowering.gemms.values()];
  return { steps, invariant: count, sources, gemms, inputs, outputs: results, finite };
}

function liveNodes(nodes: readonly Node[], outputs: ReadonlySet<Tensor>): Set<Node> {
  const live = new Set([...outputs].map((t) => t.node));
  for (const node of nodes.toReversed()) {
    if (node.op.effect) live.add(node);
    if (live.has(node)) { for (const input of node.inputs) live.add(input.node); }
  }
  return live;
}

function findConsumers(nodes: readonly Node[], live: ReadonlySet<Node>): Map<Tensor, Node[]> {
  const consumers = new Map<Tensor, Node[]>();
  for (const node of nodes) {
    if (!live.has(node)) continue;
    for (const output of node.outputs) consumers.set(output, []);
    for (const input of node.inputs) consumers.get(input)!.push(node);
  }
  return consumers;
}

/** Chains by the node that stores their result; and when each node is really computed. */
function findChains(
  nodes: readonly Node[],
  live: ReadonlySet<Node>,
  consumers: ReadonlyMap<Tensor, readonly Node[]>,
  outputs: ReadonlySet<Tensor>,
) {
  const chains = new Map<Node, Node[]>();
  const positionOf = new Map<Node, number>();
  for (const root of nodes.toReversed()) {
    if (!live.has(root) || positionOf.has(root) || !root.op.instruction) continue;
    const [output] = root.outputs;
    // Chains hold the numbers that they read.
    const isRead = outputs.has(output) || consumers.get(output)!.some((n) => !n.op.instruction);
    if (constantOf(output) !== undefined && !isRead) continue;
    const isFree = (n: Node) =>
      live.has(n) && !positionOf.has(n) && !n.outputs.some((t) => outputs.has(t));
    const chain = growChain(root, consumers, isFree);
    chains.set(root, chain);
    for (const node of chain) positionOf.set(node, root.id);
  }
  return { chains, positionOf };
}

/**
 * Values of variables that are still needed after the variable is overwritten: by the recording, or,
 * where they are outputs, by anything that happens after the run.
 */
function findSnapshots(
  { graph, outputs }: Recording,
  consumers: ReadonlyMap<Tensor, readonly Node[]>,
  positionOf: ReadonlyMap<Node, number>,
  live: ReadonlySet<Node>,
): Set<Tensor> {
  const isOutput = new Set(Object.values(outputs));
  const lastUse = (tensor: Tensor): number => {
    if (isOutput.has(tensor)) return Infinity;
    return Math.max(
      -1,
      ...(consumers.get(tensor) ?? []).map((node) =>
        node.op.alias ? lastUse(node.outputs[0]) : positionOf.get(node) ?? node.id
      ),
    );
  };
  const snapshots = new Set<Tensor>();
  for (const versions of graph.versions.values()) {
    versions.forEach((version, i) => {
      const overwritten = versions[i + 1]?.node.id ?? Infinity;
      if (live.has(version.node) && lastUse(version) >= overwritten) snapshots.add(version);
    });
  }
  return snapshots;
}

/** A copy of what a variable holds, for those who need it after the variable is overwritten. */
function snapshot(variable: Storage, lowering: Lowering): Storage {
  const copy = new Storage(variable.bytes, `${variable.label} (before it is overwritten)`);
  lowering.copy(variable, copy, variable.bytes, "snapshot of");
  return copy;
}
