/** The losses of a run as a figure. */

import { type Bucket, Buckets } from "./buckets.ts";
import type { MetricsRow } from "./metrics.ts";
import { grouped, linePath, type Point, round, stretches, ticks } from "./svg.ts";

/**
 * Each network's curve, in colors of Okabe and Ito, which people with any kind of color vision can
 * distinguish.
 */
const NETWORKS = [
  { name: "generator", color: "#0072b2" },
  { name: "discriminator", color: "#d55e00" },
];

/** What the losses of an objective are, and those where the discriminator gives both answers one half. */
interface Scale {
  readonly what: string;
  /** What the discriminator's is the sum of, for the legend. */
  readonly sum?: string;
  /** Of the generator and the discriminator, in multiples of ln 2. */
  readonly equilibria?: readonly [number, number];
}

const SUM = ", real + generated";

const CROSS_ENTROPY: Scale = {
  what: "binary cross-entropy (nats)",
  sum: SUM,
  equilibria: [1, 2],
};

/** Of the objectives with another scale than the tutorial's. */
const SCALES: Readonly<Record<string, Scale>> = {
  relativistic: { what: "cross-entropy of pairs (nats)", equilibria: [1, 1] },
  hinge: { what: "hinge loss", sum: SUM },
  "wgan-gp": { what: "Wasserstein loss" },
};

/** More than the figure has pixels from left to right, and few enough for 100 kB. */
const CAPACITY = 960;
const MOST_EPOCHS = 1000;

/** Something of each epoch: at most 1,000 entries, else only those of multiples of 10, 100 and so on. */
class Epochs<T> {
  readonly entries = new Map<number, T>();
  /** Only epochs that are a multiple of this are kept: the axis names multiples of powers of ten. */
  #every = 1;

  /** Sets an epoch's entry, or removes it. */
  set(epoch: number, entry: T | undefined): void {
    this.entries.delete(epoch);
    if (entry === undefined || epoch % this.#every) return;
    this.entries.set(epoch, entry);
    while (this.entries.size > MOST_EPOCHS) {
      this.#every *= 10;
      for (const e of this.entries.keys()) if (e % this.#every) this.entries.delete(e);
    }
  }
}

/** What the Fréchet distances add below, where there are any. */
const PANEL = { height: 140, top: 474, bottom: 562, color: "#009e73" };

const TITLE = "Losses of the DCGAN";
const SIZE = { width: 760, height: 440 };
const BOX = { left: 62, right: 694, top: 88, bottom: 362 };
/** To be filled, and closed. */
const PLOT = `<rect x="${BOX.left}" y="${BOX.top}" width="${BOX.right - BOX.left}" ` +
  `height="${BOX.bottom - BOX.top}"`;
const INK = "#222";
const MIDDLE = `text-anchor="middle"`;
const LABEL = `${MIDDLE} font-size="13"`;
const FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/**
 * Draws both losses over the steps of a run of any length in bounded memory: beyond 960 steps, several
 * share a bucket that keeps their minimum, maximum and mean.
 */
export class Curves {
  readonly #losses = NETWORKS.map(() => new Buckets(CAPACITY));
  #notFinite = 0;
  /** Their last steps. */
  readonly #epochs = new Epochs<number>();
  /** Fréchet distances, with their steps. Few epochs may have one, so that they are thinned alone. */
  readonly #distances = new Epochs<Point>();
  readonly #scale: Scale;

  /** @param objective whose losses they are */
  constructor(objective = "nonsaturating") {
    this.#scale = SCALES[objective] ?? CROSS_ENTROPY;
  }

  /**
   * Adds the losses of a step, which is at least the first one. A loss that is not finite as a 32-bit
   * float leaves a gap, which the figure mentions.
   */
  add(step: number, generatorLoss: number, discriminatorLoss: number): void {
    const losses = [generatorLoss, discriminatorLoss]
      .map((loss) => Number.isFinite(Math.fround(loss)) ? loss : NaN);
    losses.forEach((loss, i) => this.#losses[i].add(step, loss));
    if (losses.some(Number.isNaN)) this.#notFinite++;
  }

  /**
   * Marks the last step of an epoch, with its Fréchet distance if it was measured. When an epoch is
   * marked twice, the later mark counts.
   */
  markEpoch(step: number, epoch: number, distance?: number): void {
    this.#epochs.set(epoch, step);
    this.#distances.set(epoch, Number.isFinite(distance) ? [step, distance!] : undefined);
  }

  /** Adds a line of a metrics log: the losses of a step, or the end of an epoch. */
  addRow(row: MetricsRow): void {
    if (row.type === "step") this.add(row.step, row.generatorLoss, row.discriminatorLoss);
    else this.markEpoch(row.step, row.epoch, row.frechetDistance);
  }

  /** The figure, at most 100 kB whatever the run's length. Before the first step it is empty. */
  svg(): string {
    const { first, last, width } = this.#losses[0];
    const low = last ? first - 1 : 0;
    const high = Math.max(last, low + 2); // A lone step is in the middle.
    const sigma = Math.max(1, (high - low) / 200);
    const curves = NETWORKS.map((network, i): Curve => {
      const buckets = this.#losses[i].list();
      return { ...network, buckets, smooth: smoothed(buckets, sigma / width) };
    });
    const { what, sum = "", equilibria } = this.#scale;
    const { bottom, top, peak } = heightOf(curves);
    const x = (step: number) => BOX.left + (step - low) / (high - low) * (BOX.right - BOX.left);
    // The plot is clipped, and renderers calculate in 32-bit floats: coordinates stay small.
    const y = (loss: number) =>
      Math.max(
        -1000,
        Math.min(1000, BOX.bottom - (loss - bottom) / (top - bottom) * (BOX.bottom - BOX.top)),
      );

    const notes = [
      sigma > 1 && `Thick: Gaussian mean, \u03c3 = ${counted(Math.round(sigma), "step")}.`,
      width > 1 && `Shaded: minimum to maximum of ${grouped(width)} steps.`,
      equilibria && "Dashed: the discriminator cannot tell (p = 1/2).",
    ];
    const have = this.#notFinite === 1 ? "has" : "have";
    const warnings = [
      peak > top && `Peaks up to ${peak.toPrecision(3)} are cut off.`,
      this.#notFinite > 0 &&
      `${counted(this.#notFinite, "step")} ${have} a loss that is not finite.`,
    ];
    const parts = [
      horizontal(y, [bottom, top], what),
      vertical(x, low, high),
      epochAxis(x, this.#epochs.entries, low),
      equilibria ? dashed(y, equilibria) : "",
      `<g clip-path="url(#dcgan-plot)">`,
      ...curves.map((curve) => drawRange(curve, x, y)),
      ...curves.map((curve) => drawMean(curve, x, y)),
      "</g>",
      `${PLOT} fill="none" stroke="${INK}" stroke-width="1"/>`,
      legend(sum),
      caption(0, "#666", notes) + caption(15, "#a00", warnings),
    ];
    const distances = [...this.#distances.entries.values()].filter(([step]) => step > low)
      .sort(([a], [b]) => a - b);
    if (distances.length) parts.push(drawDistances(distances, x));
    const height = SIZE.height + (distances.length ? PANEL.height : 0);
    return frame(descriptionOf(curves, what, last), height, parts);
  }
}

/** A network's losses, and steps with smoothed losses. */
type Curve = typeof NETWORKS[number] & { buckets: readonly Bucket[]; smooth: readonly Point[] };

function descriptionOf(curves: readonly Curve[], what: string, steps: number): string {
  if (!steps) return "No step has been trained yet.";
  const ends = curves.map(({ name, smooth }) => {
    const [, loss] = smooth.findLast(([, y]) => Number.isFinite(y)) ?? [];
    return `${name} ${loss?.toFixed(3) ?? "without a finite loss"}`;
  });
  return `${what[0].toUpperCase()}${what.slice(1)} over ${steps} training steps; ` +
    `at the end, smoothed: ${ends.join(", ")}.`;
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

/**
 * The highest loss, and those at the edges: a few high peaks must not flatten the rest. Losses below 0
 * move the lower edge.
 */
function heightOf(curves: readonly Curve[]): { bottom: number; top: number; peak: number } {
  const maxima = curves.flatMap(({ buckets }) => buckets.map(({ max }) => max))
    .filter(Number.isFinite).sort((a, b) => a - b);
  const peak = maxima.at(-1) ?? 0;
  const most = maxima[Math.floor(0.995 * (maxima.length - 1))] ?? 0;
  const wanted = Math.max(1.6, 1.04 * (peak > 2 * Math.max(1, most) ? most : peak));
  const [, step] = ticks(0, wanted, 6);
  const least = Math.min(
    0,
    ...curves.flatMap(({ buckets }) => buckets.map(({ min }) => min)).filter(Number.isFinite),
  );
  const edge = (loss: number) => Math.ceil(loss / (step / 2)) * (step / 2);
  return { bottom: least < 0 ? -edge(-least) : 0, top: edge(wanted), peak };
}

type Place = (value: number) => number;

const counted = (n: number, what: string) => `${grouped(n)} ${what}${n === 1 ? "" : "s"}`;

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${content}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, attributes: string): string {
  return `<path d="M${round(x1)},${round(y1)}L${round(x2)},${round(y2)}" ${attributes}/>`;
}

function caption(
  down: number,
  color: string,
  sentences: readonly (string | false | undefined)[],
): string {
  const content = sentences.filter(Boolean).join(" ");
  const attributes = `font-size="11" fill="${color}"`;
  return content && text(BOX.left, SIZE.height - 24 + down, content, attributes);
}

function horizontal(y: Place, [bottom, top]: readonly [number, number], what: string): string {
  const lines = ticks(bottom, top, 6).map((loss) => {
    const label = Math.abs(loss) < 1e5 ? grouped(loss) : loss.toExponential();
    return line(BOX.left, y(loss), BOX.right, y(loss), `stroke="#e6e6e6"`) +
      text(BOX.left - 8, y(loss) + 4, label, `text-anchor="end"`);
  });
  const turned = `transform="translate(18 ${(BOX.top + BOX.bottom) / 2}) rotate(-90)"`;
  return lines.join("") + text(0, 0, what, `${turned} ${LABEL}`);
}

function vertical(x: Place, low: number, high: number): string {
  const lines = ticks(low, high, 8, true).map((step) =>
    line(x(step), BOX.bottom, x(step), BOX.bottom + 5, `stroke="${INK}"`) +
    text(x(step), BOX.bottom + 19, grouped(step), MIDDLE)
  );
  return lines.join("") + text((BOX.left + BOX.right) / 2, BOX.bottom + 38, "training step", LABEL);
}

/** Ends of epochs above the plot: a number for some, a tick for as many as fit. */
function epochAxis(x: Place, epochs: ReadonlyMap<number, number>, low: number): string {
  const shown = [...epochs].filter(([, step]) => step > low).sort(([a], [b]) => a - b);
  if (!shown.length) return "";
  const named = new Set(ticks(0, shown.at(-1)![0], 10, true));
  const every = Math.ceil(shown.length / 120);
  const marks = shown.map(([epoch, step], i) => {
    const name = named.has(epoch);
    if (!name && i % every) return "";
    return line(x(step), BOX.top, x(step), BOX.top - (name ? 6 : 3), `stroke="${INK}"`) +
      (name ? text(x(step), BOX.top - 10, grouped(epoch), MIDDLE) : "");
  });
  return marks.join("") + text(BOX.right + 16, BOX.top - 10, "epoch");
}

/** Dashed lines where neither network wins, their values beside the plot. */
function dashed(y: Place, multiples: readonly [number, number]): string {
  const [generator, discriminator] = multiples.map((multiple) => y(multiple * Math.LN2));
  const apart = generator - discriminator;
  const room = apart > 28;
  const nudge = Math.max(0, 12 - apart) / 2; // so that the texts do not overlap
  return NETWORKS.map(({ color }, i) => {
    const equilibrium = multiples[i] * Math.LN2;
    const formula = multiples[i] === 1 ? "ln 2" : `${multiples[i]} ln 2`;
    const at = y(equilibrium);
    const base = room ? at : at + 4 + (i ? -nudge : nudge);
    const value = `= ${equilibrium.toFixed(3)}`;
    const style = `stroke="${color}" stroke-dasharray="5 4" opacity="0.55"`;
    return line(BOX.left, at, BOX.right, at, style) +
      text(BOX.right + 7, base, formula, `fill="${color}"`) +
      (room ? text(BOX.right + 7, base + 13, value, `fill="${color}" font-size="11"`) : "");
  }).join("");
}

/** The losses of single steps, or the range from minimum to maximum of buckets of several. */
function drawRange({ color, buckets }: Curve, x: Place, y: Place): string {
  const parts = (value: (bucket: Bucket) => number) =>
    stretches(buckets.map((bucket) => [x(middle(bucket)), y(value(bucket))]));
  if (buckets.every(({ from, to }) => from === to)) {
    const d = parts(({ mean }) => mean).map(linePath).join("");
    return `<path d="${d}" fill="none" stroke="${color}" stroke-width="0.8" opacity="0.4"/>`;
  }
  const lower = parts(({ min }) => min);
  const d = parts(({ max }) => max).map((upper, i) =>
    `${linePath(upper)}L${linePath(lower[i].toReversed()).slice(1)}Z`
  );
  return `<path d="${d.join("")}" fill="${color}" opacity="0.2"/>`;
}

function drawMean({ color, smooth }: Curve, x: Place, y: Place): string {
  const parts = stretches(smooth.map(([step, loss]) => [x(step), y(loss)]));
  // A single step between gaps is a dot, which must be larger than the line's width.
  return [false, true].map((dot) => {
    const d = parts.filter(({ length }) => (length === 1) === dot).map(linePath).join("");
    return d && `<path d="${d}" fill="none" stroke="${color}" ` +
        `stroke-width="${dot ? 5 : 2}" stroke-linecap="round" stroke-linejoin="round"/>`;
  }).join("");
}

/** The Fréchet distances in a panel of their own, on the steps of the losses. */
function drawDistances(distances: readonly Point[], x: Place): string {
  const { top, bottom, color } = PANEL;
  const values = distances.map(([, distance]) => distance);
  const most = Math.max(...values, Number.MIN_VALUE);
  const y = (distance: number) => bottom - Math.max(0, distance) / most * (bottom - top);
  const points = distances.map(([step, distance]): Point => [x(step), y(distance)]);
  const lines = ticks(0, most, 3).map((value) =>
    line(BOX.left, y(value), BOX.right, y(value), `stroke="#e6e6e6"`) +
    text(BOX.left - 8, y(value) + 4, grouped(value), `text-anchor="end"`)
  );
  const least = Math.min(...values);
  const best = points[values.indexOf(least)];
  const style = `stroke="${color}" stroke-linecap="round" stroke-linejoin="round" fill="none"`;
  const title = `Fréchet distance of generated images, at best ${Number(least.toPrecision(4))}`;
  return lines.join("") + text(BOX.left, top - 8, title, `font-size="13"`) +
    `<path d="${linePath(points)}" ${style} stroke-width="2"/>` +
    `<path d="${linePath([best])}" ${style} stroke-width="6"/>`;
}

function legend(sum: string): string {
  let left = BOX.left;
  return NETWORKS.map(({ name, color }, i) => {
    const at = left;
    const label = i ? name + sum : name;
    left += 60 + 6.6 * label.length;
    return line(at, 50, at + 24, 50, `stroke="${color}" stroke-width="2.5"`) +
      text(at + 32, 54, label, `font-size="13"`);
  }).join("");
}

function frame(description: string, height: number, parts: readonly string[]): string {
  const { width } = SIZE;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
    `height="${height}" role="img" aria-labelledby="dcgan-title dcgan-description" ` +
    `font-family="${FONT}" font-size="12" fill="${INK}">`,
    `<title id="dcgan-title">${TITLE}</title>`,
    `<desc id="dcgan-description">${description}</desc>`,
    `<clipPath id="dcgan-plot">${PLOT} fill="#fff"/></clipPath>`,
    `<rect width="${width}" height="${height}" rx="6" fill="#fff"/>`,
    text(BOX.left, 28, TITLE, `font-size="16" font-weight="bold"`),
    ...parts,
    "</svg>\n",
  ].filter(Boolean).join("\n");
}
