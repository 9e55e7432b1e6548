/**
 * The losses of a run as a figure.
 *
 * @module
 */

import { type Bucket, Buckets } from "./buckets.ts";
import type { MetricsRow } from "./metrics.ts";
import { escapeXML, grouped, linePath, type Point, round, stretches, ticks } from "./svg.ts";

/** Options of {@linkcode Curves} and {@linkcode lossCurves}. */
export interface CurvesOptions {
  /** Above the figure. Default "Losses of the DCGAN". */
  readonly title?: string;
}

/** One network's loss. */
interface Series {
  readonly name: string;
  readonly legend: string;
  readonly color: string;
  /** The loss where the discriminator gives every image one half. */
  readonly equilibrium: number;
  readonly equilibriumText: string;
}

/** Colors of Okabe and Ito, which people with any kind of color vision can distinguish. */
const GENERATOR: Series = {
  name: "generator",
  legend: "generator",
  color: "#0072b2",
  equilibrium: Math.LN2,
  equilibriumText: "ln 2",
};
const DISCRIMINATOR: Series = {
  name: "discriminator",
  legend: "discriminator, real + generated",
  color: "#d55e00",
  equilibrium: 2 * Math.LN2,
  equilibriumText: "2 ln 2",
};

/** More than the figure has pixels from left to right, and few enough for 100 kB. */
const CAPACITY = 960;
const MOST_EPOCHS = 1000;

const SIZE = { width: 760, height: 440 };
const BOX = { left: 62, right: 694, top: 88, bottom: 362 };
const INK = "#222";
const FAINT = "#666";
const FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/**
 * Draws both losses over the steps of a run of any length in bounded memory: beyond 960 steps, several
 * share a bucket that keeps their minimum, maximum and mean.
 *
 * ```ts
 * import { Curves } from "@dcgan/webgpu";
 *
 * const curves = new Curves({ title: "A run" });
 * curves.add(1, 0.69, 1.39);
 * curves.add(2, 0.71, 1.35);
 * curves.markEpoch(2, 1);
 * await Deno.writeTextFile("losses.svg", curves.svg());
 * ```
 */
export class Curves {
  readonly #title: string;
  readonly #generator = new Buckets(CAPACITY);
  readonly #discriminator = new Buckets(CAPACITY);
  #first = 0;
  #last = 0;
  #notFinite = 0;
  #epochs = new Map<number, number>();
  /** Only epochs that are a multiple of this are kept. */
  #everyEpochs = 1;

  /** Begins a figure without a step. */
  constructor(options: CurvesOptions = {}) {
    this.#title = options.title ?? "Losses of the DCGAN";
  }

  /**
   * Adds the losses of a step. A loss that is not finite as a 32-bit float leaves a gap, which the figure
   * mentions.
   *
   * @throws {RangeError} when the step is not a whole number of at least 1, or before the first one.
   */
  add(step: number, generatorLoss: number, discriminatorLoss: number): void {
    requireStep(step);
    this.#first ||= step;
    if (step < this.#first) {
      throw new RangeError(`Cannot add step ${step} to curves that begin at step ${this.#first}`);
    }
    this.#last = Math.max(this.#last, step);
    const [g, d] = [Math.fround(generatorLoss), Math.fround(discriminatorLoss)];
    this.#generator.add(step, Number.isFinite(g) ? generatorLoss : NaN);
    this.#discriminator.add(step, Number.isFinite(d) ? discriminatorLoss : NaN);
    if (!Number.isFinite(g) || !Number.isFinite(d)) this.#notFinite++;
  }

  /**
   * Marks the last step of an epoch. When an epoch is marked twice, the later mark counts.
   *
   * @throws {RangeError} when the step is not a whole number of at least 1.
   */
  markEpoch(step: number, epoch: number): void {
    requireStep(step);
    if (epoch % this.#everyEpochs === 0) this.#epochs.set(epoch, step);
    if (this.#epochs.size <= MOST_EPOCHS) return;
    this.#everyEpochs *= 10; // The axis names multiples of powers of ten.
    for (const e of this.#epochs.keys()) if (e % this.#everyEpochs) this.#epochs.delete(e);
  }

  /** Adds a line of a metrics log: the losses of a step, or the end of an epoch. */
  addRow(row: MetricsRow): void {
    if (row.type === "step") this.add(row.step, row.generatorLoss, row.discriminatorLoss);
    else this.markEpoch(row.step, row.epoch);
  }

  /** The figure, at most 100 kB whatever the run's length. Before the first step it is empty. */
  svg(): string {
    const low = this.#last ? this.#first - 1 : 0;
    const high = Math.max(this.#last, low + 2); // A lone step is in the middle.
    const sigma = Math.max(1, (high - low) / 200);
    const curves = [
      curveOf(GENERATOR, this.#generator, sigma),
      curveOf(DISCRIMINATOR, this.#discriminator, sigma),
    ];
    const top = heightOf(curves);
    const x = (step: number) => BOX.left + (step - low) / (high - low) * (BOX.right - BOX.left);
    // The plot is clipped, and renderers calculate in 32-bit floats: coordinates stay small.
    const y = (loss: number) =>
      Math.max(-1000, Math.min(1000, BOX.bottom - loss / top * (BOX.bottom - BOX.top)));

    const parts = [
      horizontal(y, top),
      vertical(x, low, high),
      epochAxis(x, this.#epochs, low),
      equilibria(y),
      `<g clip-path="url(#dcgan-plot)">`,
      ...curves.map((curve) => drawRange(curve, x, y)),
      ...curves.map((curve) => drawMean(curve, x, y)),
      "</g>",
      rect("none", `stroke="${INK}" stroke-width="1"`),
      legend(),
      this.#caption(curves, top, sigma),
    ];
    return frame(this.#title, this.#description(curves), parts);
  }

  #description(curves: readonly Curve[]): string {
    if (!this.#last) return "No step has been trained yet.";
    const ends = curves.map(({ series, smooth }) => {
      const value = smooth.findLast(([, y]) => Number.isFinite(y))?.[1];
      return `${series.name} ${value === undefined ? "without a finite loss" : value.toFixed(3)}`;
    });
    return `Binary cross-entropy in nats over ${this.#last} training steps; ` +
      `at the end, smoothed: ${ends.join(", ")}.`;
  }

  #caption(curves: readonly Curve[], top: number, sigma: number): string {
    const { width } = this.#generator;
    const notes = [
      width === 1 && sigma <= 1
        ? ""
        : `Thick: Gaussian mean, \u03c3 = ${grouped(Math.round(sigma))} ${
          Math.round(sigma) === 1 ? "step" : "steps"
        }.`,
      width === 1 ? "" : `Shaded: minimum to maximum of ${grouped(width)} steps.`,
      "Dashed: the discriminator cannot tell (p = 1/2).",
    ];
    const peak = Math.max(...curves.map(({ peak }) => peak));
    const warnings = [
      peak > top ? `Peaks up to ${peak.toPrecision(3)} are cut off.` : "",
      this.#notFinite
        ? `${grouped(this.#notFinite)} ${
          this.#notFinite === 1 ? "step has a loss" : "steps have a loss"
        } that is not finite.`
        : "",
    ];
    const lines = [notes, warnings].map((list) => list.filter(Boolean).join(" "));
    return lines.map((line, i) =>
      line &&
      text(BOX.left, SIZE.height - 24 + 15 * i, line, `font-size="11" fill="${i ? "#a00" : FAINT}"`)
    ).join("");
  }
}

/**
 * Draws the losses of a log. For a long log, pass row after row to {@linkcode Curves.addRow}.
 *
 * ```ts
 * import { lossCurves, readMetrics } from "@dcgan/webgpu";
 *
 * const rows = await Array.fromAsync(readMetrics("out/metrics.jsonl"));
 * await Deno.writeTextFile("losses.svg", lossCurves(rows));
 * ```
 *
 * @returns An SVG file of at most 100 kB.
 */
export function lossCurves(rows: Iterable<MetricsRow>, options: CurvesOptions = {}): string {
  const curves = new Curves(options);
  for (const row of rows) curves.addRow(row);
  return curves.svg();
}

function requireStep(step: number): void {
  if (!Number.isSafeInteger(step) || step < 1) {
    throw new RangeError(`A step must be a whole number of at least 1, got ${step}`);
  }
}

interface Curve {
  readonly series: Series;
  readonly buckets: readonly Bucket[];
  /** Steps and smoothed losses. */
  readonly smooth: readonly Point[];
  readonly peak: number;
}

function curveOf(series: Series, data: Buckets, sigma: number): Curve {
  const buckets = data.list();
  const smooth = smoothed(buckets, sigma / data.width);
  const peak = buckets.reduce((most, { max }) => max > most ? max : most, 0);
  return { series, buckets, smooth, peak };
}

/** The step in the middle of a bucket. */
const middle = ({ from, to }: Bucket) => (from + to) / 2;

/** Gaussian means, weighted by the number of steps in each bucket; gaps stay gaps. */
function smoothed(buckets: readonly Bucket[], sigma: number): Point[] {
  const reach = Math.ceil(3 * sigma);
  return buckets.map((bucket, i) => {
    if (!bucket.count) return [middle(bucket), NaN];
    let [sum, weights] = [0, 0];
    for (let j = Math.max(0, i - reach); j <= Math.min(buckets.length - 1, i + reach); j++) {
      const { count, mean } = buckets[j];
      if (!count) continue;
      const weight = count * Math.exp(-0.5 * ((j - i) / sigma) ** 2);
      sum += weight * mean;
      weights += weight;
    }
    return [middle(bucket), sum / weights];
  });
}

/** The loss at the top edge, chosen so that a few high peaks do not flatten the rest. */
function heightOf(curves: readonly Curve[]): number {
  const maxima = curves.flatMap(({ buckets }) => buckets.map(({ max }) => max))
    .filter(Number.isFinite).sort((a, b) => a - b);
  const peak = maxima.at(-1) ?? 0;
  const most = maxima[Math.floor(0.995 * (maxima.length - 1))] ?? 0;
  const usual = peak > 2 * Math.max(1, most) ? most : peak;
  const wanted = Math.max(1.6, 1.04 * usual);
  const [, step] = ticks(0, wanted, 6);
  return Math.ceil(wanted / (step / 2)) * (step / 2);
}

type Scale = (value: number) => number;

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeXML(content)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, attributes: string): string {
  return `<path d="M${round(x1)},${round(y1)}L${round(x2)},${round(y2)}" ${attributes}/>`;
}

function rect(fill: string, attributes = ""): string {
  const { left, right, top, bottom } = BOX;
  return `<rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}" ` +
    `fill="${fill}" ${attributes}/>`;
}

function horizontal(y: Scale, top: number): string {
  const lines = ticks(0, top, 6).map((loss) =>
    line(BOX.left, y(loss), BOX.right, y(loss), `stroke="#e6e6e6"`) +
    text(
      BOX.left - 8,
      y(loss) + 4,
      loss < 1e5 ? grouped(loss) : loss.toExponential(),
      `text-anchor="end"`,
    )
  );
  const center = (BOX.top + BOX.bottom) / 2;
  return lines.join("") +
    text(
      0,
      0,
      "binary cross-entropy (nats)",
      `transform="translate(18 ${center}) rotate(-90)" ` +
        `text-anchor="middle" font-size="13"`,
    );
}

function vertical(x: Scale, low: number, high: number): string {
  const lines = ticks(low, high, 8, true).map((step) =>
    line(x(step), BOX.bottom, x(step), BOX.bottom + 5, `stroke="${INK}"`) +
    text(x(step), BOX.bottom + 19, grouped(step), `text-anchor="middle"`)
  );
  const center = (BOX.left + BOX.right) / 2;
  return lines.join("") +
    text(center, BOX.bottom + 38, "training step", `text-anchor="middle" font-size="13"`);
}

/** Ends of epochs above the plot: a number for some, a tick for as many as fit. */
function epochAxis(x: Scale, epochs: ReadonlyMap<number, number>, low: number): string {
  const shown = [...epochs].filter(([, step]) => step > low).sort(([a], [b]) => a - b);
  if (!shown.length) return "";
  const most = Math.max(...shown.map(([epoch]) => epoch));
  const named = new Set(ticks(0, most, 10, true));
  // In a run of one or two epochs all have a number.
  const every = shown.length <= 120 ? 1 : Math.ceil(shown.length / 120);
  const marks = shown.map(([epoch, step], i) => {
    const name = named.has(epoch);
    if (!name && i % every) return "";
    return line(x(step), BOX.top, x(step), BOX.top - (name ? 6 : 3), `stroke="${INK}"`) +
      (name ? text(x(step), BOX.top - 10, grouped(epoch), `text-anchor="middle"`) : "");
  });
  return marks.join("") + text(BOX.right + 16, BOX.top - 10, "epoch", "");
}

/** Dashed lines where neither network wins, their values beside the plot. */
function equilibria(y: Scale): string {
  const apart = y(GENERATOR.equilibrium) - y(DISCRIMINATOR.equilibrium);
  const nudge = Math.max(0, 12 - apart) / 2; // so that the texts do not overlap
  return [GENERATOR, DISCRIMINATOR].map((series) => {
    const { color, equilibrium, equilibriumText } = series;
    const at = y(equilibrium);
    const base = at + (apart > 28 ? 0 : series === GENERATOR ? 4 + nudge : 4 - nudge);
    const value = text(
      BOX.right + 7,
      base + 13,
      `= ${equilibrium.toFixed(3)}`,
      `fill="${color}" font-size="11"`,
    );
    return line(
      BOX.left,
      at,
      BOX.right,
      at,
      `stroke="${color}" stroke-dasharray="5 4" opacity="0.55"`,
    ) +
      text(BOX.right + 7, base, equilibriumText, `fill="${color}"`) + (apart > 28 ? value : "");
  }).join("");
}

/** The losses of single steps, or the range from minimum to maximum of buckets of several. */
function drawRange({ series, buckets }: Curve, x: Scale, y: Scale): string {
  const points = (value: (bucket: Bucket) => number) =>
    buckets.map((bucket): Point => [x(middle(bucket)), y(value(bucket))]);
  if (buckets.every(({ from, to }) => from === to)) {
    const d = linePath(points(({ mean }) => mean));
    return `<path d="${d}" fill="none" stroke="${series.color}" stroke-width="0.8" opacity="0.4"/>`;
  }
  const lower = stretches(points(({ min }) => min));
  const d = stretches(points(({ max }) => max)).map((upper, i) =>
    `${linePath(upper)}L${linePath(lower[i].toReversed()).slice(1)}Z`
  );
  return `<path d="${d.join("")}" fill="${series.color}" opacity="0.2"/>`;
}

function drawMean({ series, smooth }: Curve, x: Scale, y: Scale): string {
  const parts = stretches(smooth.map(([step, loss]): Point => [x(step), y(loss)]));
  const draw = (parts: readonly Point[][], width: number) =>
    parts.length
      ? `<path d="${parts.map(linePath).join("")}" fill="none" stroke="${series.color}" ` +
        `stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"/>`
      : "";
  // A single step between gaps is a dot, which must be larger than the line's width.
  return draw(parts.filter(({ length }) => length > 1), 2) +
    draw(parts.filter(({ length }) => length === 1), 5);
}

function legend(): string {
  let left = BOX.left;
  return [GENERATOR, DISCRIMINATOR].map(({ legend, color }) => {
    const at = left;
    left += 60 + 6.6 * legend.length;
    return line(at, 50, at + 24, 50, `stroke="${color}" stroke-width="2.5"`) +
      text(at + 32, 54, legend, `font-size="13"`);
  }).join("");
}

function frame(title: string, description: string, parts: readonly string[]): string {
  const { width, height } = SIZE;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
    `height="${height}" role="img" aria-labelledby="dcgan-title dcgan-description" ` +
    `font-family="${FONT}" font-size="12" fill="${INK}">`,
    `<title id="dcgan-title">${escapeXML(title)}</title>`,
    `<desc id="dcgan-description">${escapeXML(description)}</desc>`,
    `<clipPath id="dcgan-plot">${rect("#fff")}</clipPath>`,
    `<rect width="${width}" height="${height}" rx="6" fill="#fff"/>`,
    text(BOX.left, 28, title, `font-size="16" font-weight="bold"`),
    ...parts,
    "</svg>\n",
  ].filter(Boolean).join("\n");
}
