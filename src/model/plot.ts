/** Drawings of models: their layers, one below the other. */

import { escapeXML } from "../formats/svg.ts";
import { type Architecture, batchShape, countWeights, parameterCount } from "./architecture.ts";

const plural = (count: number) =>
  `${count.toLocaleString("en-US")} ${count === 1 ? "weight" : "weights"}`;

/** The input, whose type is empty, and the layers; `weights` is empty for a layer without weights. */
function boxesOf({ inputShape, layers }: Architecture) {
  const boxes = layers.map(({ name, layer: { type, outputShape, weights } }) => {
    const count = countWeights(weights);
    return { name, type, shape: batchShape(outputShape), weights: count ? plural(count) : "" };
  });
  return [{ name: "input", type: "", shape: batchShape(inputShape), weights: "" }, ...boxes];
}

function totals(model: Architecture): string {
  const { total, trainable } = parameterCount(model);
  const some = `, ${trainable.toLocaleString("en-US")} trainable`;
  return plural(total) + (trainable === total ? "" : some);
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
    for (const [i, { name, type, shape, weights }] of boxes.entries()) {
      const text = [type ? `${name} (${type})` : name, shape, weights].filter((each) => each);
      const [open, close] = type ? ["[", "]"] : ["([", "])"];
      lines.push(`    ${id(i)}${open}"${text.join("<br/>")}"${close}`);
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

/** Fill and border by Keras' class name; the input has none. */
const COLORS: Readonly<Record<string, readonly [fill: string, border: string]>> = {
  "": ["#ffffff", "#8a94a3"],
  Dense: ["#dbe9ff", "#4a7fd1"],
  ClassEmbedding: ["#dbe9ff", "#4a7fd1"],
  ClassProjection: ["#dbe9ff", "#4a7fd1"],
  Conv2D: ["#dbe9ff", "#4a7fd1"],
  Conv2DTranspose: ["#dbe9ff", "#4a7fd1"],
  BatchNormalization: ["#e9e0fb", "#8662c7"],
  LeakyReLU: ["#ddf3e4", "#45976a"],
  Dropout: ["#fdeacd", "#c58a2b"],
  other: ["#f0f2f5", "#8a94a3"],
};

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
    parts.push(`<text x="${x}" y="${y}" class="${className}">${escapeXML(content)}</text>`);
  const arrow = (className: string, line: string) =>
    parts.push(`<path d="${line}" class="${className}" marker-end="url(#tip)"/>`);
  for (const [m, boxes] of columns.entries()) {
    text(left(m), 44, "title", models[m].name);
    text(left(m), 66, "facts", totals(models[m]));
    for (const [i, { name, type, shape, weights }] of boxes.entries()) {
      const [x, y] = [left(m), top(i)];
      const [fill, border] = COLORS[type] ?? COLORS.other;
      const round = type ? 7 : HEIGHT / 2;
      parts.push(
        `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="${round}" ` +
          `fill="${fill}" stroke="${border}"/>`,
      );
      const inset = type ? 14 : 22; // the text keeps off the round sides of an input
      text(x + inset, y + (type ? 20 : 28), "name", name);
      if (type) text(x + inset, y + 36, "facts", type);
      text(x + WIDTH - inset, y + (weights ? 20 : 28), "shape", shape);
      if (weights) text(x + WIDTH - inset, y + 36, "facts right", weights);
      if (i > 0) arrow("arrow", `M${x + WIDTH / 2} ${y - GAP}V${y - 3}`);
    }
  }
  if (joined(models)) {
    const from = top(columns[0].length - 1) + HEIGHT / 2;
    const to = top(0) + HEIGHT / 2;
    const [x0, x1, x2] = [left(0) + WIDTH, left(1) - GUTTER / 2, left(1) - 3];
    arrow(
      "arrow dashed",
      `M${x0} ${from}H${x1 - 8}Q${x1} ${from} ${x1} ${from - 8}V${to + 8}` +
        `Q${x1} ${to} ${x1 + 8} ${to}H${x2}`,
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeXML(models.map(({ name }) => name).join(" and "))}</title>
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
