/**
 * `gif`: an animation of the images that a run left behind.
 *
 * @module
 */

import { join } from "node:path";
import { DataError, tutorialFrames } from "../../mod.ts";
import { writeFileAtomic } from "../files/atomic.ts";
import { animate, animated, FRAME_MS, listImages } from "../files/images.ts";
import { stepsPerEpoch } from "../files/run_record.ts";
import { type Command, FLAGS, newCommand, UsageError } from "./flags.ts";
import { Report } from "./report.ts";
import { path, pathTo, whole } from "./values.ts";

/** Milliseconds: GIF has 16 bits for hundredths of a second. */
export const LONGEST_DELAY = 655_350;

export function addGIF(program: Command): void {
  newCommand(program, "gif", {
    what: "Write a GIF of a run's images.",
    examples: [
      "gif out",
      "gif out --all --delay 100 --out all.gif",
      "gif out --epochs --out epochs.gif",
    ],
  })
    .argument("<DIR>", "folder of a run, with image_at_epoch_0001.png and so on", path)
    .option("--all", "every image; else fewer and fewer, as in the tutorial")
    .option("--epochs", "only the images after epochs")
    .option("--steps", "only those after steps (default: all, in the order of their steps)")
    .option("--delay <MS>", `milliseconds an image (${FRAME_MS})`, whole(0, LONGEST_DELAY))
    .option("--out <FILE>", "the GIF (default: dcgan.gif in DIR)", pathTo(".gif"))
    .option(...FLAGS.quiet)
    .option(...FLAGS.json)
    .action(async (folder, flags) => {
      if (flags.steps && flags.epochs) {
        throw new UsageError("--steps and --epochs exclude each other: leave out one of them");
      }
      const { delay = FRAME_MS, out = join(folder, "dcgan.gif") } = flags;
      const report = new Report(flags);
      const kind = flags.steps ? "step" : flags.epochs ? "epoch" : undefined;
      const files = await listImages(folder);
      const chosen = kind
        ? files.filter((file) => file.kind === kind)
        : animated(files, await stepsPerEpoch(folder));
      if (!chosen.length) {
        throw new DataError(
          files.length
            ? `${folder} has no images after ${kind}s, only ${files.length} others: leave out ` +
              `--${kind}s`
            : `${folder} has no images of a run (image_at_epoch_0001.png and so on)`,
        );
      }
      const frames = flags.all ? chosen.map((_, i) => i) : tutorialFrames(chosen.length);
      await writeFileAtomic(out, await animate(frames.map((i) => chosen[i].path), delay));
      report.note("frames", `${frames.length}, from ${chosen.length} images`);
      report.wrote(out);
      report.result({ out, frames: frames.length, images: chosen.length, delay });
    });
}
