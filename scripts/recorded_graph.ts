/**
 * Draws docs/images/recorded-graph.svg: the example of docs/recorded-graph.md as nodes, as steps and
 * as the memory plan, from what the compiler makes of it.
 *
 *   deno run --allow-read --allow-write=docs scripts/recorded_graph.ts
 *
 * @module
 */

import { Gpu, grad, ops, type ProgramStats, type Tensor } from "../mod.ts";
import { lower } from "../src/graph/compile.ts";
import { constantOp, inputOp, record, variableOp } from "../src/graph/graph.ts";
import { accesses } from "../src/graph/invariant.ts";
import { type Step, Storage } from "../src/graph/lower.ts";
import { liveRanges, plan } from "../src/graph/plan.ts";
import { Variable } from "../src/graph/variable.ts";
import { type Node, sameShape, show } from "../src/graph/tensor.ts";
import { ALIGNMENT, roundUp } from "../src/gpu/memory.ts";

const INPUTS = { x: [16, 28, 28, 1] } as const;
/** Kernels that are the same on every adapter. */
const TUNING = { gemm: "direct", parallelism: 64 } as const;

/** The recording of the page. */
function example(w: Variable, b: Variable, gain: Variable) {
  return ({ x }: { x: Tensor }) => {
    const c = ops.conv2d(x, w, { strides: 2, padding: "same" });
    const y = ops.leakyRelu(ops.add(ops.mul(c, ops.exp(gain)), b));
    const loss = ops.mean(ops.mul(y, y));
    const [dw, db] = grad(loss, [w, b]);
    ops.assign(w, ops.sub(w, ops.mul(dw, 0.1)));
    ops.assign(b, ops.sub(b, ops.mul(db, 0.1)));
    return { loss };
  };
}

/** What the page quotes, and the image. */
export interface Drawing {
  readonly nodes: number;
  readonly dropped: readonly number[];
  readonly steps: readonly Step[];
  readonly invariant: number;
  readonly slotBytes: readonly number[];
  readonly stats: ProgramStats;
  readonly svg: string;
}

/** Compiles the example and draws it. */
export function draw(gpu: Gpu): Drawing {
  const [w, b, gain] = Object.entries({ w: [5, 5, 1, 8], b: [8], gain: [8] })
    .map(([name, shape]) => gpu.variable(shape, undefined, { name }));
  const body = example(w, b, gain);
  using program = gpu.compile(INPUTS, body, { tuning: TUNING });
  const recording = record(INPUTS, body, gpu.context);
  const { nodes } = recording.graph;
  const lowered = lower(recording, TUNING);
  const { steps, invariant } = lowered;
  const blocks = [...liveRanges(lowered)].flatMap(([operand, life]) =>
    operand instanceof Storage && !operand.port && !operand.initial
      ? [{ operand, bytes: roundUp(operand.bytes, ALIGNMENT), ...life }]
      : []
  );
  const { slotOf, slotBytes } = plan(blocks);
  const { plannedBytes } = program.stats;
  const total = slotBytes.reduce((a, c) => a + c, 0);
  if (total !== plannedBytes) throw new Error(`the plan here is ${total}, of ${plannedBytes}`);
  const stepOf = findSteps(nodes, steps, invariant);
  const dropped = nodes.filter((node) => !stepOf.has(node) && !isLeaf(node)).map(({ id }) => id);
  const bars = blocks.map((block, i) => ({
    slot: slotOf[i],
    maker: Math.max(
      block.first,
      steps.findIndex((step) => accesses(step).writes.some((w) => w === block.operand)),
    ),
    first: block.first,
    last: Math.min(block.last, steps.length - 1),
    bytes: block.operand.bytes,
  }));
  return {
    nodes: nodes.length,
    dropped,
    steps,
    invariant,
    slotBytes,
    stats: program.stats,
    svg: image(nodes, stepOf, steps, invariant, slotBytes, bars),
  };
}

const isLeaf = ({ op }: Node) => op === inputOp || op === variableOp || op === constantOp;
const nameOf = (node: Node) => {
  const { op, outputs, attributes } = node;
  const name = attributes instanceof Variable ? attributes.name : String(attributes);
  const shape = outputs.length ? show(outputs[0].shape) : name;
  return isLeaf(node) ? `${op.name} ${name} ${shape}` : `${op.name} ${shape}`.trim();
};

/** The step that stores each node's result; of a chain's members, the chain's. */
function findSteps(nodes: readonly Node[], steps: readonly Step[], invariant: number) {
  const stepOf = new Map<Node, number>();
  const isOf = (i: number, node: Node) => {
    const step = steps[i];
    if (step?.kind === "copy") return step.label.startsWith(`${node.op.name} `);
    return step !== undefined && `${step.label} `.startsWith(`${nameOf(node)} `);
  };
  const isRound = (i: number) => / of \d+$/.test(steps[i]?.label ?? ""); // sums take several
  const take = (node: Node, i: number) => {
    const names = / \((.*)\)$/.exec(steps[i].label)?.[1].split(", ") ?? [node.op.name];
    const chain = chainOf(node, names);
    if (chain.length !== names.length) return false;
    for (const member of chain) stepOf.set(member, i);
    return true;
  };
  const early = new Set(steps.slice(0, invariant).keys());
  let next = invariant; // from there on, steps are in the order of the nodes
  for (const node of nodes) {
    if (isLeaf(node)) continue;
    const moved = [...early].find((i) => isOf(i, node));
    if (isOf(next, node) && take(node, next)) {
      next++;
      while (isRound(next) && isOf(next, node)) next++;
    } else if (moved !== undefined && take(node, moved)) {
      early.delete(moved);
    }
  }
  if (next !== steps.length || early.size) throw new Error(`step ${next} belongs to no node`);
  for (const node of nodes) {
    const source = node.op.alias && stepOf.get(node.inputs[0].node);
    if (typeof source === "number") stepOf.set(node, source);
  }
  return stepOf;
}

/** The nodes of a chain that ends at `root`, as far as their names are found above it. */
function chainOf(root: Node, names: readonly string[]): Node[] {
  const left = names.slice(0, -1);
  const members = new Set([root]);
  for (const { inputs } of members) {
    for (const { node } of inputs) {
      const at = left.lastIndexOf(node.op.name);
      if (at < 0 || members.has(node) || !node.op.instruction) continue;
      if (!sameShape(node.outputs[0].shape, root.outputs[0].shape)) continue;
      left.splice(at, 1);
      members.add(node);
    }
  }
  return [...members];
}

const TOP = 78;
const ROW = 19;
const STEP_X = 310;
const STEP_WIDTH = 400;
const SLOT_X = 734;
const SLOT = 60;
const COLORS = ["#3f6fa6", "#c2662b", "#39865a", "#a3477d", "#7357b0", "#8a6d1f", "#b83a4b"];

interface Bar {
  readonly slot: number;
  /** The step that writes it. */
  readonly maker: number;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

const escape = (s: string) => s.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const label = (x: number, y: number, content: string, kind = "") =>
  `<text x="${x}" y="${y}"${kind && ` class="${kind}"`}>${escape(content)}</text>`;

function image(
  nodes: readonly Node[],
  stepOf: ReadonlyMap<Node, number>,
  steps: readonly Step[],
  invariant: number,
  slotBytes: readonly number[],
  bars: readonly Bar[],
): string {
  const parts: string[] = [];
  const width = SLOT_X + SLOT * slotBytes.length + 20;
  const height = TOP + ROW * nodes.length + 30;
  // Steps are fewer than nodes: each gets more room.
  const pitch = ROW * nodes.length / steps.length;
  const middle = (step: number) => TOP + pitch * (step + 0.5);
  const color = (step: number) => COLORS[step % COLORS.length];

  parts.push(
    label(20, 30, `${nodes.length} nodes, as recorded`, "title"),
    label(20, 50, "struck out: nobody needs it; gray: takes no step", "small"),
    label(STEP_X, 30, `${steps.length} steps, as replayed`, "title"),
    label(
      STEP_X,
      50,
      `above the line: ${invariant}, run again only after gain was written`,
      "small",
    ),
    label(SLOT_X, 30, `${slotBytes.length} slots of memory`, "title"),
    label(SLOT_X, 50, "each bar: what a step made, to its last reader; in bytes", "small"),
  );
  nodes.forEach((node, i) => {
    const step = stepOf.get(node);
    const y = TOP + ROW * (i + 0.5);
    const kind = isLeaf(node) || (node.op.alias && step !== undefined)
      ? "leaf"
      : step === undefined
      ? "dead"
      : "";
    parts.push(label(20, y + 4, `${node.id}`.padStart(2), `number ${kind}`));
    parts.push(label(46, y + 4, nameOf(node), kind));
    if (step === undefined || node.op.alias) return; // an alias is its input's memory
    const from = 236;
    parts.push(
      `<path d="M${from} ${y} C${from + 50} ${y} ${STEP_X - 50} ${middle(step)} ${STEP_X} ${
        middle(step).toFixed(1)
      }" stroke="${color(step)}"/>`,
      `<circle cx="${from}" cy="${y}" r="2.5" fill="${color(step)}"/>`,
    );
  });
  steps.forEach((step, i) => {
    const y = middle(i);
    parts.push(
      `<rect x="${STEP_X}" y="${
        (y - 9.5).toFixed(1)
      }" width="${STEP_WIDTH}" height="19" rx="4" fill="${color(i)}"/>`,
      label(STEP_X + 8, y + 4, step.kind === "copy" ? `copy: ${step.label}` : step.label, "on"),
    );
  });
  const line = TOP + pitch * invariant;
  parts.push(`<path d="M${STEP_X - 6} ${line} H${width - 14}" class="line"/>`);
  slotBytes.forEach((bytes, slot) => {
    parts.push(
      label(SLOT_X + SLOT * slot, 68, bytes.toLocaleString("en"), "small"),
      `<rect x="${SLOT_X + SLOT * slot}" y="${TOP}" width="${SLOT - 8}" height="${
        ROW * nodes.length
      }" rx="4" class="slot"/>`,
    );
  });
  for (const { slot, maker, first, last, bytes } of bars) {
    const [x, y] = [SLOT_X + SLOT * slot, TOP + pitch * first + 1.5];
    const tall = pitch * (last - first + 1) - 3;
    parts.push(
      `<rect x="${x}" y="${y.toFixed(1)}" width="${SLOT - 8}" height="${
        tall.toFixed(1)
      }" rx="4" fill="${color(maker)}"/>`,
      label(x + 5, Number((y + 13).toFixed(1)), bytes.toLocaleString("en"), "on small"),
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>
text { font: 12px ui-sans-serif, "Segoe UI", "DejaVu Sans", sans-serif; fill: #222; }
.title { font-size: 15px; font-weight: 600; }
.small { font-size: 11px; }
.number, .leaf { fill: #777; }
.dead { fill: #aaa; text-decoration: line-through; }
.on { fill: #fff; }
path { fill: none; stroke-opacity: 0.55; }
.line { stroke: #222; stroke-dasharray: 4 4; }
.slot { fill: #ececea; }
</style>
<rect width="${width}" height="${height}" rx="10" fill="#fbfbf9" stroke="#d8d8d4"/>
${parts.join("\n")}
</svg>
`;
}

if (import.meta.main) {
  using gpu = await Gpu.request();
  const { svg, ...facts } = draw(gpu);
  await Deno.writeTextFile(new URL("../docs/images/recorded-graph.svg", import.meta.url), svg);
  console.log({ ...facts, steps: facts.steps.map(({ kind, label }) => `${kind} ${label}`) });
}
