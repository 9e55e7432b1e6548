/** Flags of `train`, and the options that they stand for, also those of a run that is resumed. */

import type { Dataset, Hyperparameters, Position, RecipeName, TrainOptions } from "../../mod.ts";
import { defaultWidths } from "../../mod.ts";
import { readCheckpoint } from "../files/checkpoints.ts";
import { checkpointsOf } from "../files/run_folder.ts";
import { readRunRecord } from "../files/run_record.ts";
import { MOST_IMAGES } from "../formats/grid.ts";
import { commandsIn } from "../formats/run_record.ts";
import { AUGMENTATIONS } from "../model/augment.ts";
import {
  HYPERPARAMETERS,
  hyperparametersOf,
  resolveHyperparameters,
} from "../training/hyperparameters.ts";
import { given, RECIPES } from "../training/recipes.ts";
import { type Command, FLAGS, newProgram } from "./flags.ts";
import { oneOf, path, positive, real, seed, someOf, whole } from "./values.ts";

const atLeastZero = real(0, Infinity);

const RECIPE_NAMES = Object.keys(RECIPES) as RecipeName[];

export const trainFlags = (command: Command) =>
  command
    .option(
      "--preset <NAME>",
      "tutorial: the network and schedule of the TensorFlow tutorial (default); quick: a smaller " +
        "network and schedule, digits in minutes without a GPU",
      oneOf("tutorial", "quick"),
    )
    .option(
      "--recipe <NAME>",
      "how the networks are trained: tutorial (default); fast, the best images in the same time; or " +
        "r3gan; flags for its parts win",
      oneOf(...RECIPE_NAMES),
    )
    .option("--epochs <N>", "passes over the data set (50)", whole(1))
    .option("--max-steps <N>", "stop after N steps", whole(1))
    .option(
      "--dry-run",
      "train some steps in memory, and print the networks, the memory and the time that a run " +
        "would take; no file of a run is written",
    )
    .option(...FLAGS.batchSize)
    .option(
      "--seed <N>",
      "of weights, order, noise and dropout (0); the same seed on the same adapter with the same " +
        "kernels gives the same bits",
      seed,
    )
    .option(
      "--non-finite <WHAT>",
      "when a loss or weight is NaN or infinite: stop and name the op where it began (default), " +
        "or warn and go on",
      oneOf("stop", "warn"),
    )
    .option(
      "--evaluate-every <N>",
      "compare generated images with real ones after every N epochs and the last, or never with 0 " +
        "(default: as often as takes little time, every epoch of MNIST)",
      whole(0),
    )
    .option("--evaluate-count <N>", "images that are compared then (2048)", whole(1))
    .option(
      "--no-calibrate",
      "use the default kernels of this kind of adapter; otherwise a few seconds of measurements " +
        "choose them, once",
    )
    .optionsGroup("Data:")
    .option(...FLAGS.data)
    .option(...FLAGS.imageSize)
    .option(...FLAGS.fit)
    .option(...FLAGS.background)
    .option(...FLAGS.channels)
    .option(
      "--stream",
      "decode image files into a file of the cache once, and read them from there while they are " +
        "trained: for more than memory holds",
    )
    .optionsGroup("Networks:")
    .option(...FLAGS.noiseDim)
    .option(...FLAGS.generatorWidths)
    .option(...FLAGS.discriminatorWidths)
    .option(
      "--normalization <WHAT>",
      "batch: batch normalization in the generator (default); none",
      oneOf("batch", "none"),
    )
    .option("--dropout <X>", "share of activations to drop (0.3)", real(0, 1))
    .option("--conditional", "give both networks the data set's labels")
    .optionsGroup("Objective:")
    .option(
      "--objective <NAME>",
      "nonsaturating: binary cross-entropy (default); hinge, wgan-gp, or relativistic",
      oneOf("nonsaturating", "hinge", "wgan-gp", "relativistic"),
    )
    .option("--r1 <X>", "penalty on the discriminator's gradient at real images (0)", atLeastZero)
    .option("--r2 <X>", "the same at generated images (0)", atLeastZero)
    .option("--gradient-penalty <X>", "penalty of wgan-gp (10)", atLeastZero)
    .option("--label-smoothing <X>", "real images have the label 1 - X (0)", real(0, 1))
    .option(
      "--augment <LIST>",
      "change all images at random before the discriminator sees them, for small data sets: any of " +
        `${AUGMENTATIONS.join(",")}`,
      someOf(AUGMENTATIONS),
    )
    .optionsGroup("Optimizers:")
    .option("--learning-rate <X>", "of both Adams (0.0001)", atLeastZero)
    .option("--discriminator-learning-rate <X>", "of the discriminator's, if not that", atLeastZero)
    .option("--decay-steps <N>", "both learning rates fall to 0 over N steps (0: no)", whole(0))
    .option("--beta1 <X>", "decay of Adam's first moment (0.9)", real(0, 1))
    .option("--beta2 <X>", "decay of Adam's second moment (0.999)", real(0, 1))
    .option("--discriminator-steps <N>", "update the generator in every Nth step (1)", whole(1))
    .option(
      "--ema <X>",
      "decay of a moving average of the generator's weights, which then makes the images (0: none; " +
        "0.997 averages over about 300 steps)",
      real(0, 1),
    )
    .optionsGroup("Files:")
    .option(
      "--out <DIR>",
      "where images, the GIF and checkpoints go (out, or the next free of out-2, out-3 ...)",
      path,
    )
    .option(
      "--resume [FILE]",
      "continue the run in --out (or out) from its newest checkpoint, or from FILE, a checkpoint " +
        "or the folder of a run; to the same bits as without the stop. It keeps its " +
        "hyperparameters, epochs, images, and --max-steps unless that was reached (--epochs and " +
        "what is written may change)",
      path,
    )
    .option("--force", "start anew in an --out that holds a run: removes the files of that run")
    .option("--checkpoint-every <N>", "checkpoint every N epochs (15, and 5 minutes)", whole(1))
    .option(
      "--checkpoint-minutes <M>",
      "checkpoint every M minutes (0.5 are 30 seconds); one of these two flags alone turns the " +
        "other off",
      positive,
    )
    .option("--keep <N>", "keep the newest N checkpoints, and the best (3)", whole(1))
    .option(
      "--images <N>",
      "images in a grid (16; with --conditional, 8 of each class)",
      whole(1, MOST_IMAGES),
    )
    .option("--image-every <N>", "write images every N steps, too", whole(1))
    .optionsGroup("Output:")
    .option("--quiet", "print only errors")
    .option("--json", "print a JSON object a line: messages, steps, epochs, images, the end");

export type TrainFlags = ReturnType<ReturnType<typeof trainFlags>["opts"]>;

/** Options of a run but its data set; those that are undefined have their defaults. */
export type RunOptions = Omit<TrainOptions, "dataset">;

export const PRESETS: Record<"tutorial" | "quick", RunOptions> = {
  tutorial: {},
  // The learning rate and beta1 of the DCGAN paper (Radford et al. 2015) learn faster at this size.
  quick: {
    epochs: 3,
    batchSize: 64,
    learningRate: 2e-4,
    beta1: 0.5,
    imageEverySteps: 50,
  },
};

/** Channels next to the images in the networks of `--preset quick`. */
const QUICK_BASE = 32;

/** The widths of a preset's networks for images of this size. */
export function presetWidths(
  preset: TrainFlags["preset"],
  { height, width }: Pick<Dataset, "height" | "width">,
): RunOptions {
  if (preset !== "quick") return {};
  const { generator, discriminator } = defaultWidths(height, width, QUICK_BASE);
  return { generatorWidths: generator, discriminatorWidths: discriminator };
}

/** The flags that are options of the library, without those that were not typed. */
export function optionsIn(flags: TrainFlags): RunOptions {
  const { epochs, maxSteps, images: imageCount, imageEvery: imageEverySteps } = flags;
  const { evaluateCount, evaluateEvery: every, nonFinite: onNonFinite } = flags;
  const values: Hyperparameters = flags;
  return given({
    ...Object.fromEntries(HYPERPARAMETERS.map((name) => [name, values[name]])),
    ...{ epochs, maxSteps, imageCount, imageEverySteps, onNonFinite, evaluateCount },
    evaluateEvery: every === 0 ? Infinity : every,
  });
}

/** A recipe wins over a preset, and flags win over both. */
export const chosen = (before: RunOptions, flags: TrainFlags): RunOptions => ({
  ...before,
  ...recipeIn(flags),
  ...optionsIn(flags),
});

/**
 * A recipe's hyperparameters. Beside those of the run that is resumed, it has the tutorial's values of
 * what only other recipes name: so the library refuses another recipe than the run's.
 */
function recipeIn({ recipe, preset, resume }: TrainFlags): Hyperparameters {
  if (recipe === undefined) return {};
  if (resume === undefined || preset !== undefined) return RECIPES[recipe];
  const defaults = resolveHyperparameters({});
  const named = Object.values(RECIPES).flatMap(Object.keys) as (keyof Hyperparameters)[];
  return {
    ...Object.fromEntries(named.map((name) => [name, defaults[name]])),
    ...RECIPES[recipe],
  };
}

/** Old names of flags of `train`. */
export function renamed(args: readonly string[]): string[] {
  return args.map((arg) => arg.replace(/^--picture(s|-every|-size)(?==|$)/, "--image$1"));
}

/** The folder of a run, undefined where a new one gets a folder of its own, and what it resumes. */
export interface RunPlace {
  readonly outDir?: string;
  readonly resume?: string | true;
}

/** Options of the run that is resumed: they need not be typed again. `maxSteps` is a new limit. */
export async function optionsOfRun(
  { outDir, resume }: RunPlace,
  maxSteps: number | undefined,
  say: (text: string) => void,
): Promise<RunOptions> {
  if (!resume) return {};
  // The library reports which checkpoints it skips.
  const { path, checkpoint } = typeof resume === "string"
    ? { path: resume, checkpoint: await readCheckpoint<Position>(resume) }
    : await checkpointsOf(outDir!).latest<Position>(() => {});
  const { maxSteps: limit, ...schedule } = await scheduleOf(outDir!);
  const reached = checkpoint.position.steps >= (limit ?? Infinity);
  if (reached && maxSteps === undefined) {
    const why = `the run has reached its --max-steps ${limit}`;
    say(`limit    ${why}: it goes on to the end of its epochs`);
  }
  const left = reached ? {} : given({ maxSteps: limit });
  return { ...schedule, ...left, ...hyperparametersOf(checkpoint.configuration, path) };
}

/**
 * How long the run was to go on and how often it was to show images, by the commands in its record:
 * a checkpoint does not have that, and a run of three epochs that is resumed is not one of fifty.
 */
async function scheduleOf(outDir: string): Promise<RunOptions> {
  let schedule: RunOptions = {};
  const record = await readRunRecord(outDir);
  for (const [name, ...args] of record ? commandsIn(record) : []) {
    if (name !== "train") continue;
    const program = newProgram().configureOutput({ writeOut: () => {}, writeErr: () => {} });
    try {
      const flags = trainFlags(program).parse(renamed(args), { from: "user" }).opts();
      const { epochs, imageEverySteps } = flags.preset ? PRESETS[flags.preset] : schedule;
      schedule = { ...schedule, epochs, imageEverySteps, ...optionsIn(flags) };
    } catch {
      // Of another version, or not a command of this program.
    }
  }
  const { epochs, maxSteps, imageCount, imageEverySteps, evaluateEvery, evaluateCount } = schedule;
  return given({ epochs, maxSteps, imageCount, imageEverySteps, evaluateEvery, evaluateCount });
}
