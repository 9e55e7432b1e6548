/** What all commands have in common: flags, help and messages, by way of Commander. */

import { Command, CommanderError } from "npm:@commander-js/extra-typings@15.1.0";
import { plain } from "../formats/json.ts";
import { permissionFlags, PERMISSIONS } from "./permissions.ts";
import { painter } from "./report.ts";
import { channels, color, dataSource, imageSize, oneOf, whole, wholes } from "./values.ts";

export { Command, CommanderError };

/** A command line that cannot be understood; the message says why to the person who typed it. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Ends the program with an exit code other than 0, after the command has reported why. */
export class Exit extends Error {
  constructor(readonly code: number) {
    super(`exit code ${code}`);
  }
}

/** What help calls a program at this address: a checkout's task, or one from the registry. */
export const programOf = (url: string) => url.startsWith("file:") ? "deno task dcgan" : "dcgan";

/** What that name stands for, where it need not be what was typed: Deno tells a program no name. */
export const noteOf = (program: string) =>
  program === "dcgan"
    ? "`dcgan` stands for `deno run PERMISSIONS jsr:@dcgan/webgpu/cli`, or for the name that\n" +
      "`deno install --global --name NAME PERMISSIONS jsr:@dcgan/webgpu/cli` made.\n\n"
    : "";

export const PROGRAM = programOf(import.meta.url);

const bold = (text: string) => painter(Deno.stdout)("bold", text);

/** The program without its commands. It throws a {@linkcode CommanderError} where it would exit. */
export function newProgram(): Command {
  return new Command(PROGRAM)
    .exitOverride()
    .helpOption("-h, --help", "print this help")
    .configureHelp({ styleTitle: bold })
    .configureOutput({
      outputError: () => {}, // The caller prints the error's message.
      // Commander would ask environment variables, which takes a permission.
      getOutHasColors: () => Deno.stdout.isTerminal() && !Deno.noColor,
      getErrHasColors: () => Deno.stderr.isTerminal() && !Deno.noColor,
    });
}

/** Flags that several commands have. */
export const FLAGS = {
  json: ["--json", "print the result as JSON"],
  quiet: ["--quiet", "print only the path that was written"],
  quietPaths: ["--quiet", "print only the paths that were written"],
  batchSize: ["--batch-size <N>", "images a step (256)", whole(1)],
  noiseDim: ["--noise-dim <N>", "length of the noise vector (100)", whole(1)],
  generatorWidths: [
    "--generator-widths <LIST>",
    "hidden channels, a width more for each doubling of the image (256,128,64 for 28 or 32 pixels)",
    wholes(),
  ],
  discriminatorWidths: [
    "--discriminator-widths <LIST>",
    "hidden channels, a width for each halving of the image (64,128 for 28 or 32 pixels)",
    wholes(),
  ],
  data: [
    "--data <DIR>",
    "folder with MNIST's IDX files, raw or gzip; folder or .zip file with PNG, JPEG or WebP files, " +
    "whose subfolders are labels; or fashion-mnist, which is found or fetched, and verified " +
    "(default: MNIST, likewise)",
    dataSource,
  ],
  imageSize: [
    "--image-size <H,W>",
    "scale image files to this height and width, multiples of 4 (default: all must be of one size)",
    imageSize,
  ],
  fit: [
    "--fit <HOW>",
    "how they are scaled: crop what --image-size has no room for (default), or pad with --background",
    oneOf("crop", "pad"),
  ],
  background: [
    "--background <COLOR>",
    "behind transparent and padded images: a gray from 0 to 255 (255, white), or red,green,blue",
    color,
  ],
  channels: [
    "--channels <N>",
    "make image files gray (1) or RGB (3) (default: RGB if any is in color)",
    channels,
  ],
} as const;

/** Adds a command without its arguments and flags; its examples are without what starts them. */
export function newCommand(
  program: Command,
  name: string,
  { what, examples, more }: { what: string; examples: readonly string[]; more?: string },
) {
  const section = (title: string, lines: readonly string[]) =>
    [bold(title), ...lines.map((line) => `  ${line}`)].join("\n");
  const sections = [
    section("Permissions:", permissionFlags(PERMISSIONS[name])),
    section("Examples:", examples.map((line) => `${PROGRAM} ${line}`)),
    ...(more ? [more] : []),
  ];
  return program.command(name)
    .description(what)
    .addHelpText("after", `\n${sections.join("\n\n")}`);
}

/** What was wrong with the command line, in one line without commands to a terminal. */
export function usageMessage({ message }: Error): string {
  return plain(message.replace(/^error: /, "").replace(/\n(?=\(Did you mean )/, " "), 400);
}

/** A library's message as the command line words it: only the flag where an option has one. */
export function withFlags(message: string): string {
  return message.replaceAll(/`\w+` \((--[\w-]+)\)/g, "$1")
    .replaceAll(/ such as \[(\d+), (\d+)\]/g, " such as $1,$2")
    .replace(/Pad or crop the images to \d+(?: or \d+)?/, "$& (image files: --image-size)");
}
