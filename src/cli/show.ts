/**
 * `show`: an image of a run, in the terminal.
 *
 * @module
 */

import { dirname } from "node:path";
import { DataError, decodePNG, type Image } from "../../mod.ts";
import { fitImage, toChannels } from "../data/fit.ts";
import { type ImageFile, type ImageKind, listImages } from "../files/images.ts";
import { kindOf, readFile } from "../files/kind.ts";
import { type Command, FLAGS, newCommand, UsageError } from "./flags.ts";
import { Report, standardOutput } from "./report.ts";
import { oneOf, path, whole } from "./values.ts";

/** A wider image would be taller than most screens. */
const MOST_COLUMNS = 100;

export function addShow(program: Command): void {
  newCommand(program, "show", {
    what: "Print the path of a run's image, and in a terminal the image.",
    examples: ["show", "show out --epoch 15", "show out/image_at_epoch_0001.png --as blocks"],
  })
    .argument(
      "[RUN]",
      "folder of a run, or a PNG file (default: the folder among out, out-2 ... with the newest " +
        "image)",
      path,
    )
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
      if (which.length > 1) {
        const names = which.map(([name]) => `--${name}`).join(" and ");
        throw new UsageError(`${names} exclude each other: give one of them`);
      }
      const kind = epoch ? "epoch" : step ? "step" : undefined;
      const { path, ...made } = await find(run, kind, epoch ?? step);
      const image = decodePNG(await readFile(path), path);
      const report = new Report(flags);
      report.result({ path, ...made, width: image.width, height: image.height });
      if (flags.json) return;
      const out = standardOutput();
      const draws = flags.as ? flags.as !== "path" : out.isTerminal && !Deno.noColor;
      if (!draws) return report.text(path);
      out.write(halfBlocks(image, Math.min(out.columns(), MOST_COLUMNS)));
      report.note("image", path);
    });
}

/**
 * An image in 24-bit color (escape codes 38;2 and 48;2): each character shows two pixels, the upper one in the
 * color of the text and the lower one in the color behind it.
 *
 * @param columns characters a line at most; larger images are scaled down
 */
export function halfBlocks(image: Image, columns: number): string {
  const width = Math.min(image.width, Math.max(1, columns));
  const height = Math.max(1, Math.round(image.height * width / image.width));
  const pixels = fitImage(toChannels(image, 3, 0), image, [height, width]);
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

/**
 * The image of a run, or a file; without an epoch or a step the newest of all. With the epoch or the
 * step that it shows, where its name says it.
 */
async function find(
  run: string | undefined,
  kind?: ImageKind,
  n?: number,
): Promise<{ path: string; epoch?: number; step?: number }> {
  if (run !== undefined && await kindOf(run) === "file") {
    if (kind === undefined) return { path: run };
    throw new UsageError(`--${kind} is for the folder of a run, and ${run} is a file`);
  }
  const dir = run ?? dirname((await newest(await imagesHere())).path);
  const files = await listImages(dir);
  if (!files.length) {
    throw new DataError(`${dir} has no images of a run (image_at_epoch_0001.png and so on)`);
  }
  const same = files.filter((file) => file.kind === kind);
  const file = kind ? same.find(({ number }) => number === n) : await newest(files);
  if (file) return { path: file.path, [file.kind]: file.number };
  const numbers = same.map(({ number }) => number);
  const more = numbers.length > 20 ? ` ... ${numbers.at(-1)}` : "";
  const there = same.length
    ? `there are ${kind}s ${numbers.slice(0, 20).join(", ")}${more}`
    : `there is none after any ${kind}`;
  throw new DataError(`${dir} has no image after ${kind} ${n}: ${there}`);
}

/** The image written last. If two have the same time, the later one in the list, which is an epoch's. */
async function newest(files: readonly ImageFile[]): Promise<ImageFile> {
  const times = await Promise.all(
    files.map(async ({ path }) => (await Deno.stat(path)).mtime?.getTime() ?? 0),
  );
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
