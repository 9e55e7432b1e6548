/** `evaluate`: how a trained generator's images compare with real ones. */

import { DataError, type Dataset, type Evaluation, Generator, Gpu } from "../../mod.ts";
import type { StreamedDataset } from "../../mod.ts";
import { evenly, isStreamed } from "../data/dataset.ts";
import { readCheckpoint } from "../files/checkpoints.ts";
import { sha256 } from "../formats/sha256.ts";
import { plain } from "../formats/json.ts";
import { realImages } from "../metrics/classifier.ts";
import { evaluatorOf, measureAll, requireGenerates, SUBSETS } from "../metrics/evaluate.ts";
import type { Evaluator } from "../metrics/evaluator.ts";
import { type DataFlags, loadData, streamData } from "./data.ts";
import { type Command, FLAGS, newCommand } from "./flags.ts";
import { Report } from "./report.ts";
import { CHECKPOINT, checkpointPath } from "./trained.ts";
import { path, seed, whole } from "./values.ts";

export function addEvaluate(program: Command): void {
  newCommand(program, "evaluate", {
    what: "Measure how a trained generator's images compare with real ones.",
    examples: [
      "evaluate out",
      "evaluate out --count 1000 --json",
      "evaluate generator.safetensors --data my-images --image-size 64,64",
    ],
    more: `Images are compared in the features of a small classifier: one that comes along for MNIST
and Fashion-MNIST, for other data with labels one that is trained on them, once, and for
images without labels a fixed random network, which says less. If there are images to test with,
as of MNIST and Fashion-MNIST, a second column has the numbers of the images to train on: a
generator that learns from them reaches about these at best.`,
  })
    .argument("<CHECKPOINT>", CHECKPOINT, path)
    .option("--count <N>", "images to generate, and to compare them with (10000)", whole(1))
    .option("--seed <N>", "of the noise (0); the same seed gives the same numbers", seed)
    .option(
      "--classifier <FILE>",
      "look through the classifier in this file (default: as below)",
      path,
    )
    .option(...FLAGS.data)
    .option(...FLAGS.imageSize)
    .option(...FLAGS.fit)
    .option(...FLAGS.background)
    .option(...FLAGS.channels)
    .option("--stream", "read image files as `train --stream` does, for a run that was streamed")
    .option(...FLAGS.json)
    .action(async (run, flags) => {
      const { count = 10_000, seed = 0 } = flags;
      const report = new Report(flags);
      const checkpoint = await checkpointPath(run);
      using gpu = await Gpu.request();
      const generator = await Generator.load(gpu, checkpoint);
      const say = (text: string) => report.note("data", text);
      using streamed = flags.stream ? await streamData(flags, say) : null;
      const { real, others, train, of } = streamed ? allOf(streamed) : await dataOf(flags, say);
      requireGenerates(generator, real);

      await warnOfOtherData(checkpoint, train);
      const begun = performance.now();
      using evaluator = await evaluatorOf(gpu, real, {
        ...{ count, train, classifier: flags.classifier },
        onMessage: (text) => report.note("features", text),
      });
      report.note("from", checkpoint);
      report.note("features", evaluator.features);
      const { labels } = real;
      const evaluation = await measureAll(generator, evaluator, { count, seed, labels });
      const floor = others && await floorOf(evaluator, others, count, seed);
      const seconds = (performance.now() - begun) / 1000;

      const names = real.classes ?? [];
      for (const line of table(evaluation, { floor, of, names })) report.text(line);
      report.result({ checkpoint, seed, ...evaluation, floor, seconds });
    });
}

/** Says so where a run's generator learned from other images: someone may have forgotten --data. */
async function warnOfOtherData(
  checkpoint: string,
  train: Dataset | StreamedDataset,
): Promise<void> {
  const configuration = await readCheckpoint(checkpoint).then(
    (read) => read.configuration,
    () => {},
  );
  const images = String(configuration?.images);
  // Images in memory and streamed ones cannot be compared.
  if (!images.startsWith(isStreamed(train) ? "id " : "sha256 ")) return;
  const these = isStreamed(train) ? `id ${train.id}` : `sha256 ${await sha256(train.images)}`;
  if (images === these) return;
  console.error("warning: the generator was trained on other images than these: see --data");
}

/** How other real images compare with the real ones. */
async function floorOf(
  evaluator: Evaluator,
  others: Dataset,
  count: number,
  seed: number,
): Promise<Evaluation> {
  const indices = evenly(Math.min(count, others.count), others.count);
  const images = (from: number, to: number) => realImages(others, indices.slice(from, to));
  return await evaluator.measure(indices.length, images, { subsets: SUBSETS, seed });
}

/** What generated images are compared with, what a classifier learns from, and other real images. */
interface Data {
  readonly real: Dataset | StreamedDataset;
  readonly train: Dataset | StreamedDataset;
  readonly others?: Dataset;
  /** What people call the real ones. */
  readonly of: string;
}

const allOf = (real: Data["real"]): Data => ({ real, train: real, of: "all of the data" });

/** A set's images to test with, which the generator never saw, and those to train on; or all there are. */
async function dataOf(flags: DataFlags, say: (text: string) => void): Promise<Data> {
  const train = await loadData(flags, say);
  if ("split" in train) {
    try {
      const real = await loadData({ ...flags, split: "test" }, say);
      return { real, train, others: train, of: "images to test with" };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      say(`no images to test with: ${error.message.split("\n")[0]}`);
    }
  }
  return allOf(train);
}

/** The numbers for people, a measure a line. */
function table(
  evaluation: Evaluation,
  { floor, of, names }: {
    readonly floor?: Evaluation;
    readonly of: string;
    /** Of the classes, if they have any. */
    readonly names: readonly string[];
  },
): string[] {
  const size = (value: number) => Math.abs(value) < 1000 ? value.toPrecision(4) : value.toFixed(0);
  const line = (name: string, show: (column: Evaluation) => string, meaning = "") => {
    const columns = [evaluation, ...floor ? [floor] : []].map((column) => show(column).padEnd(22));
    return [name.padEnd(18), ...columns, meaning].join("").trimEnd();
  };
  const lines = [
    line("", (column) => column === floor ? "real" : "generated"),
    line("images", ({ count }) => count.toLocaleString("en"), `compared with ${of}`),
    line("Fréchet distance", ({ frechetDistance }) => size(frechetDistance), "lower is better"),
    line(
      "kernel distance",
      ({ kernelDistance }) => `${size(kernelDistance!.mean)} ± ${size(kernelDistance!.std)}`,
      "lower is better",
    ),
    line("precision", ({ precision }) => precision.toFixed(3), "of these images, among the real"),
    line("recall", ({ recall }) => recall.toFixed(3), "of the real images, among these"),
    line("density", ({ density }) => density.toFixed(3), "as precision, but how densely"),
    line("coverage", ({ coverage }) => coverage.toFixed(3), "of the real images, with one beside"),
  ];
  const { classes, entropy, count } = evaluation;
  if (!classes || entropy === undefined) return lines;
  const most = `of classes, at most ${Math.log(classes.length).toFixed(3)} nats`;
  const shares = classes.map((n, label) =>
    `${plain(names[label] ?? `${label}`)}: ${(100 * n / count).toFixed(1)} %`
  );
  return [
    ...lines,
    line(
      "confident",
      ({ confident }) => confident!.toFixed(3),
      "of these images, 90 % sure of a class",
    ),
    line("entropy", ({ entropy }) => entropy!.toFixed(3), most),
    `classes           ${shares.join("  ")}`,
  ];
}
