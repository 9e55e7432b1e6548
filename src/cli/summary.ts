/** `summary`: the layers of both networks, as a table or drawn. Needs no adapter. */

import { type Architecture, architectureSummary, plotMermaid, plotSVG } from "../../mod.ts";
import { CheckpointError, discriminatorArchitecture, generatorArchitecture } from "../../mod.ts";
import { writeFileAtomic } from "../files/atomic.ts";
import { readCheckpoint } from "../files/checkpoints.ts";
import { readWeights } from "../files/model_files.ts";
import { countWeights, parameterCount } from "../model/architecture.ts";
import { generatorSizes } from "../model/generator.ts";
import { hyperparametersOf } from "../training/hyperparameters.ts";
import { type Command, FLAGS, newCommand, UsageError } from "./flags.ts";
import { Report } from "./report.ts";
import { CHECKPOINT, checkpointPath } from "./trained.ts";
import { oneOf, path, value, whole } from "./values.ts";

/** Where a drawing goes, in the form that the file's ending asks for. */
const plotTo = value("a file that ends in .svg or .mmd, or -", (text) => {
  if (text === "-") return { draw: plotMermaid };
  if (/\.svg$/i.test(text)) return { draw: plotSVG, file: path(text) };
  if (/\.(mmd|mermaid)$/i.test(text)) return { draw: plotMermaid, file: path(text) };
});

/** The networks of a run's checkpoint; of a file of weights the generator alone. */
async function stored(path: string): Promise<Architecture[]> {
  const file = await checkpointPath(path);
  const weights = await readWeights(file, "generator");
  const sizes = generatorSizes(weights);
  const models = [generatorArchitecture(sizes)];
  if (!weights.ofRun) return models;
  const { configuration } = await readCheckpoint(file);
  const { discriminatorWidths: widths, dropout } = hyperparametersOf(configuration, file);
  try {
    return [...models, discriminatorArchitecture({ ...sizes, widths, dropout })];
  } catch (cause) {
    const { message } = cause as Error;
    const what = `The configuration in ${file} makes no discriminator`;
    throw new CheckpointError(`${what}: ${message}`, { cause });
  }
}

function describe(model: Architecture) {
  const { inputShape, outputShape } = model;
  const { total, trainable } = parameterCount(model);
  const layers = model.layers.map(({ name, layer: { type, outputShape, weights } }) => (
    { name, type, outputShape, weights: countWeights(weights) }
  ));
  return { inputShape, outputShape, weights: { total, trainable }, layers };
}

export function addSummary(program: Command): void {
  newCommand(program, "summary", {
    what: "List the layers of both networks as Keras does, or draw them. Needs no adapter.",
    examples: [
      "summary",
      "summary out",
      "summary --generator-widths 128,64,32 --discriminator-widths 32,64 --plot quick.svg",
      "summary --json",
    ],
  })
    .argument("[CHECKPOINT]", `${CHECKPOINT} (default: the tutorial's networks)`, path)
    .option(
      "--plot <FILE>",
      "draw the networks, too: as SVG (FILE.svg) or Mermaid (FILE.mmd); - writes Mermaid to " +
        "standard output in place of the tables",
      plotTo,
    )
    .option(...FLAGS.quiet)
    .option(...FLAGS.json)
    .optionsGroup("Sizes, in place of a checkpoint's:")
    .option(...FLAGS.noiseDim)
    .option(...FLAGS.generatorWidths)
    .option(...FLAGS.discriminatorWidths)
    .option("--height <N>", "pixels of an image from top to bottom (28)", whole(4))
    .option("--width <N>", "pixels of an image from left to right (28)", whole(4))
    .option("--channels <N>", "values a pixel (1)", whole(1))
    .option(
      "--normalization <NAME>",
      "of the generator: batch (default) or none",
      oneOf("batch", "none"),
    )
    .option("--classes <N>", "of images with labels (0: without)", whole(0))
    .action(async (checkpoint, { plot, quiet, json, ...sizes }) => {
      if (plot && !plot.file && json) {
        throw new UsageError("--plot - and --json both write to standard output: leave out one");
      }
      const flag = Object.keys(sizes)[0]?.replaceAll(/[A-Z]/g, (at) => `-${at.toLowerCase()}`);
      if (checkpoint !== undefined && flag) {
        const why = "a checkpoint has its sizes";
        throw new UsageError(`--${flag} and CHECKPOINT exclude each other: ${why}`);
      }
      const { noiseDim, normalization, generatorWidths, discriminatorWidths, ...image } = sizes;
      const models = checkpoint !== undefined ? await stored(checkpoint) : [
        generatorArchitecture({ ...image, noiseDim, normalization, widths: generatorWidths }),
        discriminatorArchitecture({ ...image, widths: discriminatorWidths }),
      ];

      const report = new Report({ quiet, json });
      if (plot && !plot.file) return report.text(plot.draw(models).trimEnd());
      if (!quiet) report.text(models.map(architectureSummary).join("\n\n"));
      if (plot?.file) {
        await writeFileAtomic(plot.file, new TextEncoder().encode(plot.draw(models)));
        report.wrote(plot.file);
      }
      const described = Object.fromEntries(models.map((model) => [model.name, describe(model)]));
      report.result({ ...described, plot: plot?.file });
    });
}
