/**
 * `sample`: images of a trained generator.
 *
 * @module
 */

import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { makeFolder, writeFileAtomic } from "../files/atomic.ts";
import { seedNoise } from "../model/sampler.ts";
import {
  type Argument,
  COMMON,
  describeCommand,
  endingIn,
  type Flag,
  parseCommandLine,
  UsageError,
  whole,
} from "./flags.ts";
import { Report } from "./report.ts";
import { CHECKPOINT, seed, Trained } from "./trained.ts";
import { userPath } from "./user_path.ts";

const ARGS: readonly Argument[] = [CHECKPOINT];

const FLAGS = {
  count: { value: "N", help: "images (16)", parse: whole(1) },
  columns: { value: "N", help: "images a row (as square as can be)", parse: whole(1) },
  scale: { value: "N", help: "pixels for each pixel of an image (3)", parse: whole(1) },
  seed: {
    value: "N",
    help: "of the noise (0); the same seed gives the same images",
    parse: seed,
  },
  out: {
    value: "FILE",
    help: "a PNG of all images in a grid (samples.png)",
    parse: endingIn(".png"),
  },
  separate: { value: "DIR", help: "a PNG for each image instead: DIR/sample_0001.png ..." },
  ...COMMON,
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "sample",
  what: "Make images with a trained generator.",
  args: ARGS,
  flags: FLAGS,
  examples: [
    "sample out",
    "sample out --count 100 --seed 7 --out hundred.png",
    "sample out/training_checkpoints/ckpt-0015.safetensors --separate digits --scale 1",
  ],
});

/** Runs the command. Returns the exit code. */
export async function sample(argv: readonly string[]): Promise<number> {
  const { flags, args: [checkpoint] } = parseCommandLine(FLAGS, ARGS, argv);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  if (flags.separate !== undefined) {
    for (const name of ["out", "columns"] as const) {
      if (flags[name] === undefined) continue;
      throw new UsageError(`--separate writes no grid: leave out --${name}`);
    }
  }
  const { count = 16, scale = 3, seed = 0 } = flags;
  const report = new Report(flags);
  const columns = flags.columns ?? Math.ceil(Math.sqrt(count));
  using trained = await Trained.open(checkpoint);
  trained.requireSize(count, scale);
  // Cells that stay empty cost as much as images do.
  if (flags.separate === undefined) trained.requireSize(columns, scale, "columns");
  report.note("from", trained.path);
  const images = await trained.images(seedNoise(count, trained.generator.noiseDim, seed));
  const result = { checkpoint: trained.path, count, seed };

  if (flags.separate === undefined) {
    const out = userPath(flags.out ?? "samples.png");
    const grid = trained.grid(images, { columns, scale, padding: scale });
    await writeFileAtomic(out, encodePNG(grid));
    report.wrote(out);
    report.result({ ...result, out, columns, scale });
    return 0;
  }
  const folder = userPath(flags.separate);
  await makeFolder(folder);
  const digits = Math.max(4, String(count).length);
  const files: string[] = [];
  for (const [i, image] of trained.single(images, scale).entries()) {
    const path = join(folder, `sample_${String(i + 1).padStart(digits, "0")}.png`);
    await writeFileAtomic(path, encodePNG(image));
    files.push(path);
  }
  report.wrote(folder);
  report.result({ ...result, files, scale });
  return 0;
}
