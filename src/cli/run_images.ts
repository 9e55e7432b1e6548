/** `show` and `gif`: the images that a run left behind. */

import { dirname, join } from "node:path";
import { DataError, decodePNG, type Image, tutorialFrames } from "../../mod.ts";
import { fitImage, toChannels } from "../data/fit.ts";
import { writeFileAtomic } from "../files/atomic.ts";
import { animate, animated, FRAME_MS } from "../files/images.ts";
import { type ImageFile, type ImageKind, listImages } from "../files/images.ts";
import { kindOf, readFile } from "../files/kind.ts";
import { stepsPerEpoch } from "../files/run_record.ts";
import { type Command, FLAGS, newCommand, UsageError } from "./flags.ts";
import { Report, standardOutput } from "./report.ts";
import { oneOf, path, pathTo, whole } from "./values.ts";

/** A wider image would be taller than most screens. */
const MOST_COLUMNS = 100;

export function addShow(program: Command): void {
  newCommand(program, "show", {
    what: "Print the path of a run's image, and in a terminal the image.",
    examples: ["show", "show out --epoch 15", "show out/image_at_epoch_0001.png --as blocks"],
  })
    .argument("[RUN]", "a run's folder or PNG file (default: of out, out-2 ... the newest)", path)
    .option("--latest", "the image that was written last (default)")
    .option("--epoch <N>", "the image after epoch N", whole(1))
    .option("--step <N>", "the image after step N", whole(1))
    .option(
      "--as <WAY>",
      "blocks (colored characters) or path (the path alone); default: blocks in a terminal with " +
        "colors, path elsewhere",
      // The last four are of the version before, which drew in other ways, too.
      oneOf("blocks", "path", "truecolor", "256", "kitty", "iterm2"),
    )
    .option("--quiet", "print only the image, or its path")
    .option(...FLAGS.json)
    .action(async (run, { latest, epoch, step, ...flags }) => {
      const which = Object.entries({ latest, epoch, step }).filter(([, value]) => value);
      const names = which.map(([name]) => `--${name}`).join(" and ");
      if (which.length > 1) throw new UsageError(`${names} exclude each other: give one of them`);
      const kind = epoch ? "epoch" : step ? "step" : undefined;
      const { path, ...made } = await find(run, kind, epoch ?? step);
      const image = decodePNG(await readFile(path), path);
      const { width, height } = image;
      const report = new Report(flags);
      report.result({ path, ...made, width, height });
      if (flags.json) return;
      const out = standardOutput();
      const draws = flags.as ? flags.as !== "path" : out.isTerminal && !Deno.noColor;
      if (!draws) return report.text(path);
      out.write(halfBlocks(image, Math.min(out.columns(), MOST_COLUMNS)));
      report.note("image", path);
    });
}

/** Milliseconds: GIF has 16 bits for hundredths of a second. */
export const LONGEST_DELAY = 655_350;

export function addGIF(program: Command): void {
  newCommand(program, "gif", {
    what: "Write a GIF of a run's images.",
    examples: ["gif out", "gif out --all --delay 100 --out a.gif", "gif out --epochs --out e.gif"],
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
      const files = await imagesOf(folder);
      const chosen = kind
        ? files.filter((file) => file.kind === kind)
        : animated(files, await stepsPerEpoch(folder));
      if (!chosen.length) {
        const others = `only ${files.length} others: leave out --${kind}s`;
        throw new DataError(`${folder} has no images after ${kind}s, ${others}`);
      }
      const frames = flags.all ? chosen.map((_, i) => i) : tutorialFrames(chosen.length);
      await writeFileAtomic(out, await animate(frames.map((i) => chosen[i].path), delay));
      report.note("frames", `${frames.length}, from ${chosen.length} images`);
      report.wrote(out);
      report.result({ out, frames: frames.length, images: chosen.length, delay });
    });
}

/** The images of a run, at least one. */
async function imagesOf(folder: string): Promise<ImageFile[]> {
  const files = await listImages(folder);
  if (files.length) return files;
  throw new DataError(`${folder} has no images of a run (image_at_epoch_0001.png and so on)`);
}

/** A file, or an image of a run and its epoch or step; without one of these the newest of all. */
async function find(run: string | undefined, kind?: ImageKind, n?: number) {
  if (run !== undefined && await kindOf(run) === "file") {
    if (kind === undefined) return { path: run };
    throw new UsageError(`--${kind} is for the folder of a run, and ${run} is a file`);
  }
  const dir = run ?? dirname((await newest(await imagesHere())).path);
  const files = await imagesOf(dir);
  const same = files.filter((file) => file.kind === kind);
  const file = kind ? same.find(({ number }) => number === n) : await newest(files);
  if (file) return { path: file.path, [file.kind]: file.number };
  const numbers = same.map(({ number }) => number);
  const more = numbers.length > 20 ? ` ... ${numbers.at(-1)}` : "";
  const there = numbers.length
    ? `there are ${kind}s ${numbers.slice(0, 20).join(", ")}${more}`
    : `there is none after any ${kind}`;
  throw new DataError(`${dir} has no image after ${kind} ${n}: ${there}`);
}

/** The image written last; of two with the same time the later one in the list, an epoch's. */
async function newest(files: readonly ImageFile[]): Promise<ImageFile> {
  const infos = await Promise.all(files.map(({ path }) => Deno.stat(path)));
  const times = infos.map(({ mtime }) => mtime?.getTime() ?? 0);
  return files[times.lastIndexOf(Math.max(...times))];
}

/** The images in `out`, `out-2` and so on. */
async function imagesHere(): Promise<ImageFile[]> {
  const here = path(".");
  const files: ImageFile[] = [];
  for await (const { name, isDirectory } of Deno.readDir(here)) {
    if (isDirectory && /^out(-\d+)?$/.test(name)) files.push(...await listImages(path(name)));
  }
  if (files.length) return files;
  throw new DataError(`There is no run in ${here} (out, out-2 ...): name its folder`);
}

/**
 * An image in 24-bit color (escape codes 38;2 and 48;2), scaled down to as many columns. Each
 * character shows two pixels, the upper one in its color and the lower one in the color behind it.
 */
export function halfBlocks(image: Image, columns: number): string {
  const width = Math.min(image.width, Math.max(1, columns));
  const height = Math.max(1, Math.round(image.height * width / image.width));
  const pixels = fitImage(toChannels(image, 3, [0, 0, 0]), image, [height, width]);
  let text = "";
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x++) {
      const color = (row: number) => pixels.slice(3 * (row * width + x), 3 * (row * width + x + 1));
      // An odd last row has nothing below it.
      const below = y + 1 < height ? `48;2;${color(y + 1).join(";")}` : "49";
      text += `\x1b[38;2;${color(y).join(";")};${below}m▀`;
    }
    text += "\x1b[0m\n";
  }
  return text;
}
