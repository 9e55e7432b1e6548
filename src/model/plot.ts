/**
 * Drawings of models: their layers, one below the other.
 *
 * @module
 */

import { type Architecture, batchShape, parameterCount, weightsOf } from "./architecture.ts";

/** One box of a drawing. */
interface Box {
  readonly name: string;
  readonly type: string;
  readonly shape: string;
  /** Number of weights; nothing for an input. */
  readonly parameters?: number;
}

function boxesOf({ inputShape, layers }: Architecture): Box[] {
  const input = { name: "input", type: "Input", shape: batchShape(inputShape) };
  return [
    input,
    ...layers.map(({ name, layer }) => ({
      name,
      type: layer.type,
      shape: batchShape(layer.outputShape),
      parameters: weightsOf(layer),
    })),
  ];
}

const grouped = (count: number) => count.toLocaleString("en-US");
const plural = (count: number) => `${grouped(count)} ${count === 1 ? "weight" : "weights"}`;

function totals(model: Architecture): string {
  const { total, trainable } = parameterCount(model);
  return trainable === total ? plural(total) : `${plural(total)}, ${grouped(trainable)} trainable`;
}

/** Whether the second of two models takes the output of the first. */
function joined(models: readonly Architecture[]): boolean {
  return models.length === 2 && models[0].outputShape.join() === models[1].inputShape.join();
}

/**
 * Models as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html), which GitHub and
 * many editors draw.
 *
 * ```ts
 * import { generatorArchitecture, plotMermaid } from "@dcgan/webgpu";
 *
 * console.log(plotMermaid([generatorArchitecture()]));
 * ```
 */
export function plotMermaid(models: readonly Architecture[]): string {
  const lines = ["flowchart TB"];
  for (const [m, model] of models.entries()) {
    const boxes = boxesOf(model);
    const id = (i: number) => `m${m}_${i}`;
    lines.push(`  subgraph m${m}["${model.name}: ${totals(model)}"]`, "    direction TB");
    for (const [i, { name, type, shape, parameters }] of boxes.entries()) {
      const facts = parameters ? `${shape}<br/>${plural(parameters)}` : shape;
      const title = parameters === undefined ? name : `${name} (${type})`;
      const [open, close] = parameters === undefined ? ["([", "])"] : ["[", "]"];
      lines.push(`    ${id(i)}${open}"${title}<br/>${facts}"${close}`);
    }
    lines.push(`    ${boxes.map((_, i) => id(i)).join(" --> ")}`, "  end");
  }
  if (joined(models)) lines.push(`  m0_${models[0].layers.length} -.-> m1_0`);
  return lines.join("\n") + "\n";
}

// Sizes of the drawing, in pixels.
const WIDTH = 360;
const HEIGHT = 46;
const GAP = 22;
const MARGIN = 28;
const GUTTER = 72;
const TOP = 92;

/** Fill and border by what a layer does. */
const COLORS: Readonly<Record<string, readonly [fill: string, border: string]>> = {
  Input: ["#ffffff", "#8a94a3"],
  Dense: ["#dbe9ff", "#4a7fd1"],
  Conv2D: ["#dbe9ff", "#4a7fd1"],
  Conv2DTranspose: ["#dbe9ff", "#4a7fd1"],
  BatchNormalization: ["#e9e0fb", "#8662c7"],
  LeakyReLU: ["#ddf3e4", "#45976a"],
  Dropout: ["#fdeacd", "#c58a2b"],
};
const OTHER = ["#f0f2f5", "#8a94a3"] as const;

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/**
 * Models side by side as an SVG drawing: each layer's name, the shape of its output, its number of
 * weights.
 *
 * ```ts
 * import { discriminatorArchitecture, generatorArchitecture, plotSVG } from "@dcgan/webgpu";
 *
 * const svg = plotSVG([generatorArchitecture(), discriminatorArchitecture()]);
 * await Deno.writeTextFile("networks.svg", svg);
 * ```
 */
export function plotSVG(models: readonly Architecture[]): string {
  const columns = models.map(boxesOf);
  const most = Math.max(...columns.map((boxes) => boxes.length));
  const width = 2 * MARGIN + models.length * WIDTH + (models.length - 1) * GUTTER;
  const height = TOP + most * (HEIGHT + GAP) - GAP + MARGIN;
  const left = (m: number) => MARGIN + m * (WIDTH + GUTTER);
  const top = (i: number) => TOP + i * (HEIGHT + GAP);

  const parts: string[] = [];
  const text = (x: number, y: number, className: string, content: string) =>
    parts.push(`<text x="${x}" y="${y}" class="${className}">${escape(content)}</text>`);
  for (const [m, boxes] of columns.entries()) {
    text(left(m), 44, "title", models[m].name);
    text(left(m), 66, "facts", totals(models[m]));
    for (const [i, { name, type, shape, parameters }] of boxes.entries()) {
      const [x, y] = [left(m), top(i)];
      const [fill, border] = COLORS[type] ?? OTHER;
      const round = parameters === undefined ? HEIGHT / 2 : 7;
      parts.push(
        `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="${round}" ` +
          `fill="${fill}" stroke="${border}"/>`,
      );
      // The text keeps off the round sides of an input.
      const inset = parameters === undefined ? 22 : 14;
      const alone = parameters === undefined;
      text(x + inset, y + (alone ? 28 : 20), "name", name);
      if (!alone) text(x + inset, y + 36, "facts", type);
      text(x + WIDTH - inset, y + (parameters ? 20 : 28), "shape", shape);
      if (parameters) text(x + WIDTH - inset, y + 36, "facts right", plural(parameters));
      if (i > 0) {
        const middle = x + WIDTH / 2;
        parts.push(
          `<path d="M${middle} ${y - GAP}V${y - 3}" class="arrow" marker-end="url(#tip)"/>`,
        );
      }
    }
  }
  if (joined(models)) {
    const from = top(columns[0].length - 1) + HEIGHT / 2;
    const to = top(0) + HEIGHT / 2;
    const [x0, x1, x2] = [left(0) + WIDTH, left(1) - GUTTER / 2, left(1) - 3];
    parts.push(
      `<path d="M${x0} ${from}H${x1 - 8}Q${x1} ${from} ${x1} ${from - 8}V${to + 8}` +
        `Q${x1} ${to} ${x1 + 8} ${to}H${x2}" class="arrow dashed" marker-end="url(#tip)"/>`,
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img">
<title>${escape(models.map(({ name }) => name).join(" and "))}</title>
<style>
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", Arial, sans-serif; fill: #1f2733; }
.title { font-size: 21px; font-weight: 600; }
.name { font-size: 13.5px; font-weight: 600; }
.shape { font-size: 13px; text-anchor: end; }
.facts { font-size: 11.5px; fill: #556070; }
.right { text-anchor: end; }
.arrow { stroke: #556070; stroke-width: 1.4; fill: none; }
.dashed { stroke-dasharray: 5 4; }
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">` +
    `<path d="M0 0L8 4L0 8Z" fill="#556070"/></marker></defs>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${parts.join("\n")}
</svg>
`;
}
