/**
 * `gif`: an animation of the images that a run left behind.
 *
 * @module
 */

import { join } from "node:path";
import { DataError, tutorialFrames } from "../../mod.ts";
import { writeFileAtomic } from "../files/atomic.ts";
import { animate, animated, FRAME_MS, listImages } from "../files/images.ts";
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
import { userPath } from "./user_path.ts";

const ARGS: readonly Argument[] = [
  { name: "DIR", help: "folder of a run, with image_at_epoch_0001.png and so on" },
];

const FLAGS = {
  all: { help: "every image; else fewer and fewer, as in the tutorial" },
  epochs: { help: "only the images after epochs" },
  steps: {
    help:
      "only the images after steps (default: those and the last epoch's,\nif there are any, else those after epochs)",
  },
  delay: { value: "MS", help: `milliseconds an image (${FRAME_MS})`, parse: whole(0) },
  out: {
    value: "FILE",
    help: "the GIF (default: dcgan.gif in DIR, as training writes it)",
    parse: endingIn(".gif"),
  },
  ...COMMON,
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "gif",
  what: "Write a GIF of a run's images.",
  args: ARGS,
  flags: FLAGS,
  examples: [
    "gif out",
    "gif out --all --delay 100 --out all.gif",
    "gif out --epochs --out epochs.gif",
  ],
});

/** Runs the command. Returns the exit code. */
export async function gif(argv: readonly string[]): Promise<number> {
  const { flags, args: [dir] } = parseCommandLine(FLAGS, ARGS, argv);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  if (flags.steps && flags.epochs) {
    throw new UsageError("--steps and --epochs exclude each other: leave out one of them");
  }
  const delay = flags.delay ?? FRAME_MS;
  if (delay > 655_350) {
    throw new UsageError(`--delay takes at most 655350 milliseconds, got ${delay}`);
  }
  const report = new Report(flags);
  const folder = userPath(dir);
  const kind = flags.steps ? "step" : flags.epochs ? "epoch" : undefined;
  const files = await listImages(folder);
  const chosen = kind ? files.filter((file) => file.kind === kind) : animated(files);
  if (!chosen.length) {
    throw new DataError(
      files.length
        ? `${folder} has no images after ${kind}s, only ${files.length} others: leave out --${kind}s`
        : `${folder} has no images of a run (image_at_epoch_0001.png and so on)`,
    );
  }
  const frames = flags.all ? chosen.map((_, i) => i) : tutorialFrames(chosen.length);
  const out = flags.out === undefined ? join(folder, "dcgan.gif") : userPath(flags.out);
  await writeFileAtomic(out, await animate(frames.map((i) => chosen[i].path), delay));
  report.note("frames", `${frames.length}, from ${chosen.length} images`);
  report.wrote(out);
  report.result({ out, frames: frames.length, images: chosen.length, delay });
  return 0;
}
