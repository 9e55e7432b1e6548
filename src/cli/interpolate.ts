/**
 * `interpolate`: a path through the latent space of a trained generator.
 *
 * @module
 */

import { encodeGIF, encodePNG, latentPath } from "../../mod.ts";
import { writeFileAtomic } from "../files/atomic.ts";
import { seedNoise } from "../model/sampler.ts";
import {
  type Argument,
  COMMON,
  describeCommand,
  type Flag,
  oneOf,
  parseCommandLine,
  UsageError,
  whole,
} from "./flags.ts";
import { Report } from "./report.ts";
import { CHECKPOINT, seed, Trained } from "./trained.ts";
import { userPath } from "./user_path.ts";

const ARGS: readonly Argument[] = [CHECKPOINT];

const FLAGS = {
  points: { value: "N", help: "random points that the path passes through (5)", parse: whole(2) },
  steps: { value: "N", help: "images from one point to the next (12)", parse: whole(1) },
  mode: {
    value: "MODE",
    help: "spherical: on an arc, where the generator knows its way (default)\n" +
      "linear: on a straight line",
    parse: oneOf("spherical", "linear"),
  },
  loop: { help: "return to the first point, so that the GIF has no seam" },
  seed: { value: "N", help: "of the points (0); the same seed gives the same path", parse: seed },
  scale: { value: "N", help: "pixels for each pixel of an image (4)", parse: whole(1) },
  delay: { value: "MS", help: "milliseconds an image (80)", parse: whole(0) },
  out: {
    value: "NAME",
    help: "writes NAME.gif, and NAME.png with a row for each leg\n(interpolation)",
  },
  ...COMMON,
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "interpolate",
  what: "Walk through the latent space of a trained generator, as a GIF and as a strip.",
  args: ARGS,
  flags: FLAGS,
  examples: [
    "interpolate out",
    "interpolate out --points 8 --steps 20 --loop --out walk",
    "interpolate out --mode linear --seed 3",
  ],
});

/** Images for rows of one leg each, from its first point to its last, which begins the next row. */
function stripOf(images: Float32Array, count: number, steps: number): Float32Array {
  const size = images.length / count;
  const legs = Math.floor(count / steps);
  const strip = new Float32Array(legs * (steps + 1) * size);
  for (let i = 0; i * size < strip.length; i++) {
    const frame = (Math.floor(i / (steps + 1)) * steps + i % (steps + 1)) % count;
    strip.set(images.subarray(frame * size, (frame + 1) * size), i * size);
  }
  return strip;
}

/** Runs the command. Returns the exit code. */
export async function interpolate(argv: readonly string[]): Promise<number> {
  const { flags, args: [checkpoint] } = parseCommandLine(FLAGS, ARGS, argv);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const { points = 5, steps = 12, mode = "spherical", loop = false, seed = 0 } = flags;
  const { scale = 4, delay = 80, out = "interpolation" } = flags;
  if (delay > 655_350) {
    throw new UsageError(`--delay takes at most 655350 milliseconds, got ${delay}`);
  }
  const report = new Report(flags);
  using trained = await Trained.open(checkpoint);
  trained.requireSize(points * (steps + 1), scale);
  report.note("from", trained.path);
  const { noiseDim } = trained.generator;
  const path = latentPath(seedNoise(points, noiseDim, seed), { noiseDim, steps, mode, loop });
  const images = await trained.images(path);
  const frames = trained.single(images, scale);

  // A person may well give one of the two files' names.
  const name = userPath(out.replace(/\.(gif|png)$/i, ""));
  await writeFileAtomic(`${name}.gif`, encodeGIF(frames, { delayMs: delay }));
  report.wrote(`${name}.gif`);
  const strip = trained.grid(stripOf(images, frames.length, steps), {
    columns: steps + 1,
    scale,
    padding: scale,
  });
  await writeFileAtomic(`${name}.png`, encodePNG(strip));
  report.wrote(`${name}.png`);
  report.result({
    checkpoint: trained.path,
    gif: `${name}.gif`,
    png: `${name}.png`,
    frames: frames.length,
    points,
    steps,
    mode,
    loop,
    seed,
  });
  return 0;
}
