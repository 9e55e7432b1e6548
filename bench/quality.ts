/**
 * Trains recipes and says how good their images are.
 *
 *   deno task bench:quality [--recipes LIST] [--options JSON] [--seeds LIST] [--data NAME]
 *                           [--steps N | --minutes M] [--count N] [--results FILE] [--out DIR]
 *
 * Every recipe is trained with every seed, for so many steps or for so many minutes, and its
 * generator is compared with the data set's test images (see docs/metrics.md). Each run is a line of
 * JSON in the results file as soon as it is done; runs that the file has already are not repeated, so
 * that a table can be made in pieces. At the end the file's runs are printed as a table of means, with
 * the lowest and the highest of the seeds.
 *
 * @module
 */

import { evaluate, type Hyperparameters, type RecipeName, trainDCGAN } from "../mod.ts";
import { loadData } from "../src/cli/data.ts";
import { list, options, path, whole, word } from "./support/options.ts";

const text = (value: string) => value;
const object = (value: string): Hyperparameters => JSON.parse(value);
const number = (value: string) => {
  if (!(Number(value) > 0)) throw "a number above 0";
  return Number(value);
};
const seed = (value: string) => {
  if (!/^\d+$/.test(value)) throw "a whole number";
  return Number(value);
};

const asked = options("bench:quality", {
  recipes: [["tutorial"], "LIST", "recipes by name (tutorial)", list(text)],
  options: [{}, "JSON", "hyperparameters in place of the recipes'", object],
  name: ["", "NAME", "what the table calls the recipe with these options", text],
  seeds: [[0, 1, 2], "LIST", "seeds (0,1,2)", list(seed)],
  data: ["mnist", "NAME", "mnist or fashion-mnist (mnist)", word("mnist", "fashion-mnist")],
  steps: [undefined, "N", "steps of each run", whole],
  minutes: [undefined, "M", "or minutes of training", number],
  count: [10_000, "N", "images that are compared (10000)", whole],
  results: [path("quality.jsonl"), "FILE", "where the runs are kept (quality.jsonl)", path],
  out: [undefined, "DIR", "write each run's images and checkpoints there", path],
});

/** One run. */
interface Result {
  readonly recipe: string;
  readonly data: string;
  readonly seed: number;
  /** The limit of the run, as it was asked for. */
  readonly limit: string;
  readonly steps: number;
  /** Of training, in all. */
  readonly seconds: number;
  readonly metrics: Awaited<ReturnType<typeof evaluate>>;
}

const limit = asked.steps ? `${asked.steps} steps` : `${asked.minutes ?? 10} minutes`;

async function results(): Promise<Result[]> {
  const lines = await Deno.readTextFile(asked.results).catch(() => "");
  return lines.split("\n").filter((line) => line).map((line) => JSON.parse(line));
}

const load = (split: "train" | "test") =>
  loadData({ data: asked.data === "mnist" ? undefined : asked.data, split }, () => {});
const dataset = await load("train");
const test = await load("test");

async function train(recipe: string, seed: number): Promise<Result> {
  const name = asked.name || recipe;
  const stop = new AbortController();
  let begun: number | undefined;
  const milliseconds = asked.steps ? Infinity : (asked.minutes ?? 10) * 60_000;
  using run = await trainDCGAN({
    recipe: recipe as RecipeName,
    ...asked.options,
    seed,
    dataset,
    epochs: 1e6,
    maxSteps: asked.steps,
    evaluateEvery: Infinity,
    signal: stop.signal,
    ...asked.out ? { outDir: `${asked.out}/${name}-${asked.data}-${seed}`, overwrite: true } : {},
    onStep() {
      // The first step compiles.
      begun ??= performance.now();
      if (performance.now() - begun > milliseconds) stop.abort();
    },
  });
  const seconds = Math.round(performance.now() - begun!) / 1000;
  const metrics = await evaluate(run.generator, test, { count: asked.count });
  return { recipe: name, data: asked.data, seed, limit, steps: run.steps, seconds, metrics };
}

const done = await results();
for (const recipe of asked.recipes) {
  for (const seed of asked.seeds) {
    const name = asked.name || recipe;
    const isIt = (it: Result) =>
      it.recipe === name && it.data === asked.data && it.seed === seed && it.limit === limit;
    if (done.some(isIt)) continue;
    const result = await train(recipe, seed);
    await Deno.writeTextFile(asked.results, JSON.stringify(result) + "\n", { append: true });
    const { frechetDistance, precision, recall, coverage } = result.metrics;
    console.error(
      `${name} ${asked.data} seed ${seed}: ${result.steps} steps in ${result.seconds} s, Frechet distance ` +
        `${frechetDistance.toFixed(1)}, precision ${precision.toFixed(2)}, recall ` +
        `${recall.toFixed(2)}, coverage ${coverage.toFixed(2)}`,
    );
  }
}

/** The mean, and the lowest and the highest. */
function range(values: readonly number[], digits: number): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return mean.toFixed(digits);
  const [low, high] = [Math.min(...values), Math.max(...values)].map((x) => x.toFixed(digits));
  return `${mean.toFixed(digits)} (${low} to ${high})`;
}

console.log(
  "| data | recipe | limit | steps | seeds | Fréchet distance | precision | recall | coverage |",
);
console.log("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
const groups = Object.groupBy(
  await results(),
  ({ data, limit, recipe }) => `${data}|${recipe}|${limit}`,
);
for (const runs of Object.values(groups)) {
  const [{ data, recipe, limit }] = runs!;
  const of = (name: "frechetDistance" | "precision" | "recall" | "coverage", digits: number) =>
    range(runs!.map(({ metrics }) => metrics[name]), digits);
  const steps = range(runs!.map((run) => run.steps), 0);
  const metrics = [
    of("frechetDistance", 1),
    of("precision", 2),
    of("recall", 2),
    of("coverage", 2),
  ];
  console.log(`| ${[data, recipe, limit, steps, runs!.length, ...metrics].join(" | ")} |`);
}
