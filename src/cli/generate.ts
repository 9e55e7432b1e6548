/** `sample` and `interpolate`: images of a trained generator. */

import { join } from "node:path";
import { encodeGIF, encodePNG, Generator, Gpu, imageGrid, latentPath } from "../../mod.ts";
import { makeFolder, writeFileAtomic } from "../files/atomic.ts";
import { gridLabels } from "../model/labels.ts";
import { generate, seedNoise } from "../model/sampler.ts";
import { type Command, FLAGS, newCommand, UsageError } from "./flags.ts";
import { Report } from "./report.ts";
import { LONGEST_DELAY } from "./run_images.ts";
import { CHECKPOINT, checkpointPath } from "./trained.ts";
import { oneOf, path, pathTo, seed, whole } from "./values.ts";

export function addSample(program: Command): void {
  newCommand(program, "sample", {
    what: "Make images with a trained generator.",
    examples: [
      "sample out",
      "sample out --count 100 --seed 7 --out hundred.png",
      "sample out --label 7",
      "sample out/training_checkpoints/ckpt-0015.safetensors --separate digits --scale 1",
    ],
  })
    .argument("<CHECKPOINT>", CHECKPOINT, path)
    .option("--count <N>", "number of images (16; with classes, 8 of each)", whole(1))
    .option("--columns <N>", "images in a row (default: as square as can be)", whole(1))
    .option(
      "--label <N>",
      "class of all images, if the generator was trained with labels (default: another one in each " +
        "row)",
      whole(0),
    )
    .option("--scale <N>", "pixels for each pixel of an image (3)", whole(1))
    .option("--seed <N>", "of the noise (0); the same seed gives the same images", seed)
    .option("--out <FILE>", "a PNG of all images in a grid (samples.png)", pathTo(".png"))
    .option("--separate <DIR>", "a PNG for each image instead: DIR/sample_0001.png ...", path)
    .option(...FLAGS.quiet)
    .option(...FLAGS.json)
    .action(async (run, flags) => {
      const { scale = 3, seed = 0, label, separate } = flags;
      const ofGrid = (["out", "columns"] as const).find((name) => flags[name] !== undefined);
      if (separate !== undefined && ofGrid) {
        throw new UsageError(`--separate writes no grid: leave out --${ofGrid}`);
      }
      const report = new Report(flags);
      // First the path: a mistake in it is reported at once, without waiting for an adapter.
      const checkpoint = await checkpointPath(run);
      using gpu = await Gpu.request();
      const generator = await Generator.load(gpu, checkpoint);
      const rows = label === undefined && flags.count === undefined ? generator.classes : 0;
      const { count = rows ? rows * (flags.columns ?? ROW) : 16 } = flags;
      const { columns = rows ? ROW : Math.ceil(Math.sqrt(count)) } = flags;
      requireSize(generator, count, scale);
      // Cells that stay empty cost as much as images do.
      if (separate === undefined) requireSize(generator, columns, scale, "columns");
      report.note("from", checkpoint);
      const labels = labelsOf(generator, count, columns, label);
      const noise = seedNoise(count, generator.noiseDim, seed);
      const images = await generate(gpu, generator, noise, labels);
      const result = { checkpoint, count, seed, ...labels && { labels: [...labels] } };

      if (separate === undefined) {
        const out = flags.out ?? path("samples.png");
        await writeFileAtomic(out, encodePNG(grid(generator, images, columns, scale)));
        report.wrote(out);
        return report.result({ ...result, out, columns, scale });
      }
      await makeFolder(separate);
      const digits = Math.max(4, String(count).length);
      const files: string[] = [];
      for (const [i, image] of single(generator, images, scale).entries()) {
        files.push(join(separate, `sample_${String(i + 1).padStart(digits, "0")}.png`));
        await writeFileAtomic(files[i], encodePNG(image));
      }
      report.wrote(separate);
      report.result({ ...result, files, scale });
    });
}

export function addInterpolate(program: Command): void {
  newCommand(program, "interpolate", {
    what: "Walk through the latent space of a trained generator, as a GIF and as a strip.",
    examples: [
      "interpolate out",
      "interpolate out --points 8 --steps 20 --loop --out walk",
      "interpolate out --mode linear --seed 3",
      "interpolate out --label 7",
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
    .option(
      "--label <N>",
      "class of all images, if the generator was trained with labels (0)",
      whole(0),
    )
    .option("--loop", "return to the first point, so that the GIF has no seam")
    .option("--seed <N>", "of the points (0); the same seed gives the same path", seed)
    .option("--scale <N>", "pixels for each pixel of an image (4)", whole(1))
    .option("--delay <MS>", "milliseconds an image (80)", whole(0, LONGEST_DELAY))
    .option("--out <NAME>", "NAME.gif, and NAME.png with a row for each leg (interpolation)", path)
    .option(...FLAGS.quietPaths)
    .option(...FLAGS.json)
    .action(async (run, flags) => {
      const { points = 5, steps = 12, mode = "spherical", loop = false, seed = 0 } = flags;
      const { scale = 4, delay = 80, out = path("interpolation") } = flags;
      const report = new Report(flags);
      const checkpoint = await checkpointPath(run);
      using gpu = await Gpu.request();
      const generator = await Generator.load(gpu, checkpoint);
      requireSize(generator, points * (steps + 1), scale);
      report.note("from", checkpoint);
      const { noiseDim } = generator;
      const noise = latentPath(seedNoise(points, noiseDim, seed), { noiseDim, steps, mode, loop });
      const { label = generator.classes ? 0 : undefined } = flags;
      const count = noise.length / noiseDim;
      const labels = labelsOf(generator, count, 1, label);
      const images = await generate(gpu, generator, noise, labels);
      const frames = single(generator, images, scale);

      // A person may well give one of the two files' names.
      const name = out.replace(/\.(gif|png)$/i, "");
      const [gif, png] = [`${name}.gif`, `${name}.png`];
      await writeFileAtomic(gif, encodeGIF(frames, { delayMs: delay }));
      report.wrote(gif);
      const strip = stripOf(images, frames.length, steps);
      await writeFileAtomic(png, encodePNG(grid(generator, strip, steps + 1, scale)));
      report.wrote(png);
      const options = { points, steps, mode, loop, seed, label };
      report.result({ checkpoint, gif, png, frames: frames.length, ...options });
    });
}

/** Labels of images in a grid: one class, or another one in each row; none if there are no classes. */
function labelsOf({ classes }: Generator, count: number, columns: number, label?: number) {
  if (label !== undefined) return new Uint32Array(count).fill(label);
  return classes ? gridLabels(count, classes, columns) : undefined;
}

/** Images of each class, where nobody says how many. */
const ROW = 8;

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

/** Most values of all images together: a gigabyte in the middle of the work, with its copies. */
const MOST_VALUES = 2 ** 26;

/** Refuses more images, or `what` is as large as these, than can be held, before any is made. */
function requireSize(generator: Generator, count: number, scale: number, what = "images"): void {
  const { noiseDim, outputShape: [height, width, channels] } = generator;
  const most = Math.floor(MOST_VALUES / channels);
  const [w, h] = [width * scale, height * scale];
  if (count * h * w > most) {
    const pixels = `${count} ${what} of ${w} x ${h} are ${count * h * w} pixels, more than ${most}`;
    throw new RangeError(`${pixels}: use a smaller --scale, or fewer at once`);
  }
  const values = count * noiseDim;
  if (values > MOST_VALUES) {
    const noise = `${count} images need ${values} numbers of noise, more than ${MOST_VALUES}`;
    throw new RangeError(`${noise}: use fewer at once`);
  }
}

/** Images [count, height, width, channels] in rows, with a padding as wide as a pixel. */
function grid(
  { outputShape: [height, width, channels] }: Generator,
  images: Float32Array,
  columns: number,
  scale: number,
  padding = scale,
) {
  const count = images.length / (height * width * channels);
  return imageGrid(images, { count, height, width, channels, columns, scale, padding });
}

/** The same images, each by itself. */
function single(generator: Generator, images: Float32Array, scale: number) {
  const size = generator.outputShape.reduce((a, b) => a * b);
  const parts = Array.from({ length: images.length / size }, (_, i) => i * size);
  return parts.map((at) => grid(generator, images.subarray(at, at + size), 1, scale, 0));
}
