/**
 * `interpolate`: a path through the latent space of a trained generator.
 *
 * @module
 */

import { encodeGIF, encodePNG, latentPath } from "../../mod.ts";
import { writeFileAtomic } from "../files/atomic.ts";
import { type Command, FLAGS, newCommand } from "./flags.ts";
import { LONGEST_DELAY } from "./gif.ts";
import { Report } from "./report.ts";
import { CHECKPOINT, Trained } from "./trained.ts";
import { oneOf, path, seed, whole } from "./values.ts";

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

export function addInterpolate(program: Command): void {
  newCommand(program, "interpolate", {
    what: "Walk through the latent space of a trained generator, as a GIF and as a strip.",
    examples: [
      "interpolate out",
      "interpolate out --points 8 --steps 20 --loop --out walk",
      "interpolate out --mode linear --seed 3",
    ],
  })
    .argument("<CHECKPOINT>", CHECKPOINT, path)
    .option("--points <N>", "random points that the path passes through (5)", whole(2))
    .option("--steps <N>", "images from one point to the next (12)", whole(1))
    .option(
      "--mode <MODE>",
      "spherical: on an arc, where the generator was trained (default); linear: on a straight line",
      oneOf("spherical", "linear"),
    )
    .option("--loop", "return to the first point, so that the GIF has no seam")
    .option("--seed <N>", "of the points (0); the same seed gives the same path", seed)
    .option("--scale <N>", "pixels for each pixel of an image (4)", whole(1))
    .option("--delay <MS>", "milliseconds an image (80)", whole(0, LONGEST_DELAY))
    .option(
      "--out <NAME>",
      "writes NAME.gif, and NAME.png with a row for each leg (interpolation)",
      path,
    )
    .option("--quiet", "print only the paths that were written")
    .option(...FLAGS.json)
    .action(async (checkpoint, flags) => {
      const { points = 5, steps = 12, mode = "spherical", loop = false, seed = 0 } = flags;
      const { scale = 4, delay = 80, out = path("interpolation") } = flags;
      const report = new Report(flags);
      using trained = await Trained.open(checkpoint);
      trained.requireSize(points * (steps + 1), scale);
      report.note("from", trained.path);
      const { noiseDim } = trained.generator;
      const noise = latentPath(trained.noise(points, seed), { noiseDim, steps, mode, loop });
      const images = await trained.images(noise);
      const frames = trained.single(images, scale);

      // A person may well give one of the two files' names.
      const name = out.replace(/\.(gif|png)$/i, "");
      const [gif, png] = [`${name}.gif`, `${name}.png`];
      await writeFileAtomic(gif, encodeGIF(frames, { delayMs: delay }));
      report.wrote(gif);
      const strip = trained.grid(stripOf(images, frames.length, steps), steps + 1, scale);
      await writeFileAtomic(png, encodePNG(strip));
      report.wrote(png);
      const options = { points, steps, mode, loop, seed };
      report.result({ checkpoint: trained.path, gif, png, frames: frames.length, ...options });
    });
}
