/**
 * `show`: an image of a run, in the terminal.
 *
 * @module
 */

import { DataError, decodePNG, type Image } from "../../mod.ts";
import { fitImage, toChannels } from "../data/fit.ts";
import { type ImageFile, listImages } from "../files/images.ts";
import { kindOf } from "../files/kind.ts";
import { readFile } from "../files/regular.ts";
import { type Command, newCommand, UsageError } from "./flags.ts";
import { Report, standardOutput } from "./report.ts";
import { oneOf, path, whole } from "./values.ts";

/** More than that, and the image no longer fits on a screen from top to bottom. */
const MOST_COLUMNS = 100;

/** Adds the command. */
export function addShow(program: Command): void {
  newCommand(program, "show", {
    summary: "an image of a run, in the terminal",
    what: "Print the path of a run's image, and in a terminal the image.",
    examples: ["show", "show out --epoch 15", "show out/image_at_epoch_0001.png --as blocks"],
  })
    .argument(
      "[RUN]",
      "folder of a run, or a PNG file (default: of out, out-2, out-3 ... the one with the newest " +
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
      // The version before had names for other ways to draw in a terminal.
      oneOf("blocks", "path", "truecolor", "256", "kitty", "iterm2"),
    )
    .option("--quiet", "print only the image, or its path")
    .option("--json", "print the path and sizes as JSON")
    .action(async (run, { latest, epoch, step, ...flags }) => {
      const which = Object.entries({ latest, epoch, step }).filter(([, value]) => value);
      if (which.length > 1) {
        const names = which.map(([name]) => `--${name}`).join(" and ");
        throw new UsageError(`${names} exclude each other: give one of them`);
      }
      const { path, ...made } = await find(run, { epoch, step });
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
 * An image in true colors (xterm's 38;2 and 48;2): each character shows two pixels, the upper one in the
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

interface Choice {
  readonly epoch?: number;
  readonly step?: number;
}

/** A file, with the epoch or the step that it shows, where its name says it. */
type Found = Choice & { readonly path: string };

const found = ({ path, kind, number }: ImageFile): Found => ({ path, [kind]: number });

async function find(run: string | undefined, choice: Choice): Promise<Found> {
  if (run === undefined) return await pick(await newestRun(), choice);
  // What is not there counts as a folder, which then says so.
  if (await kindOf(run) !== "file") return await pick(run, choice);
  for (const [name, number] of Object.entries(choice)) {
    if (number === undefined) continue;
    throw new UsageError(`--${name} is for the folder of a run, and ${run} is a file`);
  }
  return { path: run };
}

async function pick(dir: string, { epoch, step }: Choice): Promise<Found> {
  const files = await listImages(dir);
  if (!files.length) {
    throw new DataError(`${dir} has no images of a run (image_at_epoch_0001.png and so on)`);
  }
  const kind = epoch !== undefined ? "epoch" : step !== undefined ? "step" : undefined;
  if (kind === undefined) return found((await newest(files)).file);
  const same = files.filter((file) => file.kind === kind);
  const file = same.find(({ number }) => number === (epoch ?? step));
  if (file) return found(file);
  const there = same.length
    ? `there are ${kind}s ${same.map(({ number }) => number).slice(0, 20).join(", ")}` +
      (same.length > 20 ? ` ... ${same.at(-1)!.number}` : "")
    : `there is none after any ${kind}`;
  throw new DataError(`${dir} has no image after ${kind} ${epoch ?? step}: ${there}`);
}

/** The image written last; of two at the same time the later one in the list, an epoch's. */
async function newest(files: readonly ImageFile[]) {
  const times = await Promise.all(
    files.map(async ({ path }) => (await Deno.stat(path)).mtime?.getTime() ?? 0),
  );
  const time = Math.max(...times);
  return { file: files[times.lastIndexOf(time)], time };
}

/** Of `out`, `out-2` and so on the folder with the newest image. */
async function newestRun(): Promise<string> {
  const here = path(".");
  let best: { dir: string; time: number } | undefined;
  for await (const { name, isDirectory } of Deno.readDir(here)) {
    if (!isDirectory || !/^out(-\d+)?$/.test(name)) continue;
    const dir = path(name);
    const files = await listImages(dir);
    if (!files.length) continue;
    const { time } = await newest(files);
    if (!best || time > best.time) best = { dir, time };
  }
  if (best) return best.dir;
  throw new DataError(`There is no run in ${here} (out, out-2 ...): name its folder`);
}
