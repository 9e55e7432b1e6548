/**
 * `sample`: images of a trained generator.
 *
 * @module
 */

import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { makeFolder, writeFileAtomic } from "../files/atomic.ts";
import { type Command, FLAGS, newCommand, UsageError } from "./flags.ts";
import { Report } from "./report.ts";
import { CHECKPOINT, Trained } from "./trained.ts";
import { path, pathTo, seed, whole } from "./values.ts";

export function addSample(program: Command): void {
  newCommand(program, "sample", {
    what: "Make images with a trained generator.",
    examples: [
      "sample out",
      "sample out --count 100 --seed 7 --out hundred.png",
      "sample out/training_checkpoints/ckpt-0015.safetensors --separate digits --scale 1",
    ],
  })
    .argument("<CHECKPOINT>", CHECKPOINT, path)
    .option("--count <N>", "number of images (16)", whole(1))
    .option("--columns <N>", "images in a row (default: as square as can be)", whole(1))
    .option("--scale <N>", "pixels for each pixel of an image (3)", whole(1))
    .option("--seed <N>", "of the noise (0); the same seed gives the same images", seed)
    .option("--out <FILE>", "a PNG of all images in a grid (samples.png)", pathTo(".png"))
    .option("--separate <DIR>", "a PNG for each image instead: DIR/sample_0001.png ...", path)
    .option(...FLAGS.quiet)
    .option(...FLAGS.json)
    .action(async (checkpoint, flags) => {
      const { count = 16, scale = 3, seed = 0, separate } = flags;
      for (const name of ["out", "columns"] as const) {
        if (separate === undefined || flags[name] === undefined) continue;
        throw new UsageError(`--separate writes no grid: leave out --${name}`);
      }
      const { columns = Math.ceil(Math.sqrt(count)) } = flags;
      const report = new Report(flags);
      using trained = await Trained.open(checkpoint);
      trained.requireSize(count, scale);
      // Cells that stay empty cost as much as images do.
      if (separate === undefined) trained.requireSize(columns, scale, "columns");
      report.note("from", trained.path);
      const images = await trained.images(trained.noise(count, seed));
      const result = { checkpoint: trained.path, count, seed };

      if (separate === undefined) {
        const out = flags.out ?? path("samples.png");
        const grid = trained.grid(images, columns, scale);
        await writeFileAtomic(out, encodePNG(grid));
        report.wrote(out);
        report.result({ ...result, out, columns, scale });
        return;
      }
      await makeFolder(separate);
      const digits = Math.max(4, String(count).length);
      const files: string[] = [];
      for (const [i, image] of trained.single(images, scale).entries()) {
        files.push(join(separate, `sample_${String(i + 1).padStart(digits, "0")}.png`));
        await writeFileAtomic(files[i], encodePNG(image));
      }
      report.wrote(separate);
      report.result({ ...result, files, scale });
    });
}
