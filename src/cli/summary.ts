/**
 * `summary`: the layers of both networks, as a table or drawn. Needs no adapter.
 *
 * @module
 */

import {
  type Architecture,
  architectureSummary,
  CheckpointError,
  discriminatorArchitecture,
  generatorArchitecture,
  plotMermaid,
  plotSVG,
} from "../../mod.ts";
import { hyperparametersOf } from "../training/hyperparameters.ts";
import { writeFileAtomic } from "../files/atomic.ts";
import { readCheckpoint } from "../files/checkpoints.ts";
import { parameterCount, weightsOf } from "../model/architecture.ts";
import { generatorSizes } from "../model/generator_sizes.ts";
import { readWeights } from "../files/model_files.ts";
import { checkpointPath } from "./checkpoint_path.ts";
import {
  type Argument,
  COMMON,
  describeCommand,
  type Flag,
  parseCommandLine,
  UsageError,
  whole,
  wholes,
} from "./flags.ts";
import { Report } from "./report.ts";
import { CHECKPOINT } from "./trained.ts";
import { userPath } from "./user_path.ts";

const ARGS: readonly Argument[] = [
  { ...CHECKPOINT, help: `${CHECKPOINT.help}\n(default: the tutorial's networks)`, optional: true },
];

/** Flags that size the networks; a checkpoint has its own sizes. */
const SIZES = {
  "noise-dim": { value: "N", help: "length of the noise vector (100)", parse: whole(1) },
  "generator-widths": {
    value: "A,B,C",
    help: "channels of the generator's hidden layers (256,128,64)",
    parse: wholes(3),
  },
  "discriminator-widths": {
    value: "A,B",
    help: "channels of the discriminator's hidden layers (64,128)",
    parse: wholes(2),
  },
  height: { value: "N", help: "pixels of an image from top to bottom (28)", parse: whole(4) },
  width: { value: "N", help: "pixels of an image from left to right (28)", parse: whole(4) },
  channels: { value: "N", help: "values a pixel (1)", parse: whole(1) },
} satisfies Record<string, Flag>;

const FLAGS = {
  plot: {
    value: "FILE",
    help: "draw the networks, too: as SVG (FILE.svg) or Mermaid (FILE.mmd);\n" +
      "- writes Mermaid to standard output in place of the tables",
  },
  ...SIZES,
  ...COMMON,
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "summary",
  what: "List the layers of both networks as Keras does, or draw them. Needs no adapter.",
  args: ARGS,
  flags: FLAGS,
  examples: [
    "summary",
    "summary out",
    "summary --generator-widths 128,64,32 --discriminator-widths 32,64 --plot quick.svg",
    "summary --json",
  ],
});

/** Writes a drawing, in the form that the file's ending asks for. */
function drawing(file: string): (models: readonly Architecture[]) => string {
  if (/\.svg$/i.test(file)) return plotSVG;
  if (file === "-" || /\.(mmd|mermaid)$/i.test(file)) return plotMermaid;
  throw new UsageError(
    `--plot takes a file that ends in .svg or .mmd, or -, got ${JSON.stringify(file)}`,
  );
}

/** The networks of a run's checkpoint; of a file of weights the generator alone. */
async function stored(path: string): Promise<Architecture[]> {
  const file = await checkpointPath(
    userPath(path),
    (error) => console.error(`skipped: ${error.message}`),
  );
  const weights = await readWeights(file, "generator");
  const sizes = generatorSizes(weights);
  const models = [generatorArchitecture(sizes)];
  if (!weights.ofRun) return models;
  const { height, width, channels } = sizes;
  const { configuration } = await readCheckpoint(file);
  const { discriminatorWidths: widths, dropout } = hyperparametersOf(configuration, file);
  try {
    models.push(discriminatorArchitecture({
      height,
      width,
      channels,
      widths,
      dropout,
    }));
  } catch (cause) {
    throw new CheckpointError(
      `The configuration in ${file} makes no discriminator: ${(cause as Error).message}`,
      { cause },
    );
  }
  return models;
}

function describe(model: Architecture) {
  const { total, trainable } = parameterCount(model);
  return {
    inputShape: model.inputShape,
    outputShape: model.outputShape,
    weights: { total, trainable },
    layers: model.layers.map(({ name, layer }) => ({
      name,
      type: layer.type,
      outputShape: layer.outputShape,
      weights: weightsOf(layer),
    })),
  };
}

/** Runs the command. Returns the exit code. */
export async function summary(argv: readonly string[]): Promise<number> {
  const { flags, args: [checkpoint] } = parseCommandLine(FLAGS, ARGS, argv);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const draw = flags.plot === undefined ? undefined : drawing(flags.plot);
  if (flags.plot === "-" && flags.json) {
    throw new UsageError(
      "--plot - and --json both write to standard output: leave out one of them",
    );
  }
  if (checkpoint !== undefined) {
    for (const name of Object.keys(SIZES) as (keyof typeof SIZES)[]) {
      if (flags[name] === undefined) continue;
      throw new UsageError(
        `--${name} and CHECKPOINT exclude each other: a checkpoint has its sizes`,
      );
    }
  }
  const { height = 28, width = 28, channels = 1 } = flags;
  const models = checkpoint !== undefined ? await stored(checkpoint) : [
    generatorArchitecture({
      height,
      width,
      channels,
      noiseDim: flags["noise-dim"],
      widths: flags["generator-widths"],
    }),
    discriminatorArchitecture({
      height,
      width,
      channels,
      widths: flags["discriminator-widths"],
    }),
  ];

  const report = new Report(flags);
  if (flags.plot === "-") {
    report.text(draw!(models).trimEnd());
    return 0;
  }
  if (!flags.quiet) report.text(models.map(architectureSummary).join("\n\n"));
  let plot: string | undefined;
  if (draw) {
    plot = userPath(flags.plot!);
    await writeFileAtomic(plot, new TextEncoder().encode(draw(models)));
    report.wrote(plot);
  }
  report.result({ ...Object.fromEntries(models.map((m) => [m.name, describe(m)])), plot });
  return 0;
}
