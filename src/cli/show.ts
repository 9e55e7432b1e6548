/**
 * `show`: an image of a run, in the terminal.
 *
 * @module
 */

import { DataError, decodePNG } from "../../mod.ts";
import { readFile } from "../files/regular.ts";
import { type ImageFile, listImages } from "../files/images.ts";
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
import { standardOutput } from "./progress.ts";
import { Report } from "./report.ts";
import { halfBlocks, iterm2, kitty, type Protocol, protocolOf } from "./terminal_image.ts";
import { userPath } from "./user_path.ts";

const ARGS: readonly Argument[] = [
  {
    name: "RUN",
    help: "folder of a run, or a PNG file (default: of out, out-2, out-3 ...\n" +
      "the one with the newest image)",
    optional: true,
  },
];

const FLAGS = {
  latest: { help: "the image that was written last (default)" },
  epoch: { value: "N", help: "the image after epoch N", parse: whole(1) },
  step: { value: "N", help: "the image after step N", parse: whole(1) },
  as: {
    value: "WAY",
    help: "kitty, iterm2, truecolor, 256 (colours) or path; default: the best\n" +
      "that the terminal is known to understand, path elsewhere",
    parse: oneOf("kitty", "iterm2", "truecolor", "256", "path"),
  },
  ...COMMON,
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "show",
  what: "Show an image of a run in the terminal; elsewhere, print its path.",
  args: ARGS,
  flags: FLAGS,
  examples: ["show", "show out --epoch 15", "show out/image_at_epoch_0001.png --as truecolor"],
});

/** Runs the command. Returns the exit code. */
export async function show(argv: readonly string[]): Promise<number> {
  const { flags, args: [run] } = parseCommandLine(FLAGS, ARGS, argv);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const which = (["latest", "epoch", "step"] as const).filter((name) => flags[name]);
  if (which.length > 1) {
    throw new UsageError(`--${which.join(" and --")} exclude each other: give one of them`);
  }
  const { path, ...made } = await find(run, { epoch: flags.epoch, step: flags.step });
  const png = await readFile(path);
  const image = decodePNG(png, path);
  const { width, height } = image;
  const report = new Report(flags);
  report.result({ path, ...made, width, height });
  if (flags.json) return 0;

  const out = standardOutput();
  const protocol: Protocol = flags.as ?? protocolOf({
    isTerminal: out.isTerminal,
    noColor: Deno.noColor,
    get: (name) => Deno.env.get(name),
  });
  switch (protocol) {
    case "kitty":
      out.write(kitty(png));
      break;
    case "iterm2":
      out.write(iterm2(png));
      break;
    case "truecolor":
    case "256":
      out.write(halfBlocks(image, Math.min(out.columns(), MOST_COLUMNS), protocol));
      break;
  }
  if (protocol === "path") report.text(path);
  else if (out.isTerminal) report.note("image", path);
  return 0;
}

/** More than that, and the image no longer fits on a screen from top to bottom. */
const MOST_COLUMNS = 100;

interface Choice {
  readonly epoch?: number;
  readonly step?: number;
}

/** A file, with the epoch or the step that it shows, where its name says it. */
type Found = { readonly path: string; readonly epoch?: number; readonly step?: number };

const found = ({ path, kind, number }: ImageFile): Found => ({ path, [kind]: number });

async function find(run: string | undefined, choice: Choice): Promise<Found> {
  if (run === undefined) return await pick(await newestRun(), choice);
  const path = userPath(run);
  if (!await isFile(path)) return await pick(path, choice);
  for (const [name, number] of Object.entries(choice)) {
    if (number === undefined) continue;
    throw new UsageError(`--${name} is for the folder of a run, and ${path} is a file`);
  }
  return { path };
}

/** What is not there counts as a folder, which then says so. */
async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
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
      (same.length > 20 ? ` ... ${same[same.length - 1].number}` : "")
    : `there is none after any ${kind}`;
  throw new DataError(`${dir} has no image after ${kind} ${epoch ?? step}: ${there}`);
}

/** The image written last; of two at the same time the later one in the list, an epoch's. */
async function newest(
  files: readonly ImageFile[],
): Promise<{ readonly file: ImageFile; readonly time: number }> {
  const times = await Promise.all(
    files.map(async ({ path }) => (await Deno.stat(path)).mtime?.getTime() ?? 0),
  );
  const time = Math.max(...times);
  return { file: files[times.lastIndexOf(time)], time };
}

/** Of `out`, `out-2` and so on the folder with the newest image. */
async function newestRun(): Promise<string> {
  const here = userPath(".");
  let best: { dir: string; time: number } | undefined;
  for await (const { name, isDirectory } of Deno.readDir(here)) {
    if (!isDirectory || !/^out(-\d+)?$/.test(name)) continue;
    const dir = userPath(name);
    const files = await listImages(dir);
    if (!files.length) continue;
    const { time } = await newest(files);
    if (!best || time > best.time) best = { dir, time };
  }
  if (best) return best.dir;
  throw new DataError(`There is no run in ${here} (out, out-2 ...): name its folder`);
}
