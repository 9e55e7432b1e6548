/**
 * Charts of the losses and of the discriminator's decisions.
 *
 * @module
 */

import uPlot from "npm:uplot@1.6.32";
import type { Client } from "../client.ts";
import { color, get, onScheme } from "../dom.ts";
import { Series } from "../series.ts";

const BINS = 24;

/** A chart as wide as its place, in the colors of the page; drawn anew when either changes. */
class Chart {
  #plot: uPlot | undefined;
  #data: uPlot.AlignedData;

  constructor(
    private readonly place: HTMLElement,
    empty: uPlot.AlignedData,
    private readonly options: () => Omit<uPlot.Options, "width" | "height">,
  ) {
    this.#data = empty;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(place);
    onScheme(() => {
      this.#plot?.destroy();
      this.#plot = new uPlot({ ...this.options(), ...this.#size() }, this.#data, this.place);
    });
  }

  set(data: uPlot.AlignedData): void {
    this.#data = data;
    this.#plot!.setData(data);
  }

  #size() {
    return { width: Math.max(200, this.place.clientWidth), height: this.place.clientHeight };
  }
}

/** Distances of ticks at steps: there is none between two of them. */
const WHOLE = [0, 1, 2, 3, 4, 5, 6].flatMap((e) => [1, 2, 5].map((n) => n * 10 ** e));

const NOTHING = {
  legend: { show: false },
  cursor: { show: false },
  padding: [6, 12, 0, 0] as [number, number, number, number],
};

function axis(more: uPlot.Axis): uPlot.Axis {
  return {
    stroke: color("quiet"),
    grid: { stroke: color("line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
    size: 32,
    ...more,
  };
}

/** Sets up the part. */
export function chartsPart(client: Client): void {
  let series = new Series();
  const losses = new Chart(get("losses"), [[], [], []], () => ({
    ...NOTHING,
    scales: {
      x: { time: false, range: (_, low, high) => [low ?? 1, high ?? 10] },
      y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(2, high ?? 2)] },
    },
    axes: [axis({ size: 22, grid: { show: false }, incrs: WHOLE }), axis({})],
    series: [
      {},
      { stroke: color("g"), width: 1.75, points: { show: false } },
      { stroke: color("d"), width: 1.75, dash: [5, 3], points: { show: false } },
    ],
  }));
  const edges = Array.from({ length: BINS + 1 }, (_, i) => i / BINS);
  const none = edges.map(() => 0);
  const stepped = uPlot.paths.stepped!({ align: 1 });
  const decisions = new Chart(get("decisions"), [edges, none, none], () => ({
    ...NOTHING,
    scales: {
      x: { time: false, range: [0, 1] },
      y: { range: (_, _low, high) => [0, Math.max(8, high)] },
    },
    axes: [{ show: false }, { show: false }],
    series: [
      {},
      {
        stroke: color("d"),
        fill: color("d-soft"),
        width: 1.25,
        paths: stepped,
        points: { show: false },
      },
      {
        stroke: color("g"),
        fill: color("g-soft"),
        width: 1.25,
        paths: stepped,
        points: { show: false },
      },
    ],
  }));

  let due = false;
  const draw = () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      const { points } = series.soFar;
      const span = points.length ? ` ${points[0].step} to ${points.at(-1)!.step}` : "";
      get("losses").setAttribute("aria-label", `Chart of both losses over the steps${span}`);
      losses.set([
        points.map(({ step }) => step),
        points.map(({ generator }) => generator),
        points.map(({ discriminator }) => discriminator),
      ]);
    }, 100);
  };
  client.on("ready", ({ run }) => {
    series = new Series(run.losses);
    decisions.set([edges, none, none]);
    draw();
  });
  client.on("losses", (event) => {
    for (const each of event.losses) series.add(each);
    draw();
  });
  client.on("frame", ({ frame }) => {
    decisions.set([edges, histogram(frame.real), histogram(frame.generated)]);
  });
  client.on("rewound", ({ step }) => {
    series.cut(step);
    draw();
  });
}

/** How many fall into each bin; the last is repeated, for the edge at 1. */
function histogram(probabilities: Float32Array): number[] {
  const bins = new Array(BINS).fill(0);
  for (const p of probabilities) bins[Math.min(BINS - 1, Math.floor(p * BINS))]++;
  return [...bins, bins[BINS - 1]];
}
