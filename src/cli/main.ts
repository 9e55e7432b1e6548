/**
 * The command line: one program, a command for each task.
 *
 * ```sh
 * deno run jsr:@dcgan/webgpu/cli help
 * ```
 *
 * That needs no permission; the help of each command says which it needs.
 *
 * @module
 */

import {
  AdapterError,
  CheckpointError,
  DataError,
  DeviceLostError,
  NonFiniteError,
  OutOfMemoryError,
} from "../../mod.ts";
import { isSystemError } from "../files/atomic.ts";
import { VERSION } from "../version.ts";
import { calibrate } from "./calibrate.ts";
import { doctor } from "./doctor.ts";
import { exportModel } from "./export.ts";
import { nearest, PROGRAM, twoColumns, UsageError } from "./flags.ts";
import { gif } from "./gif.ts";
import { interpolate } from "./interpolate.ts";
import { confine } from "./permissions.ts";
import { sample } from "./sample.ts";
import { show } from "./show.ts";
import { styleOf } from "./style.ts";
import { summary } from "./summary.ts";
import { train } from "./train.ts";

interface Command {
  /** One line of the overall help. */
  readonly what: string;
  readonly run: (args: readonly string[]) => Promise<number>;
}

const GROUPS: Readonly<Record<string, Readonly<Record<string, Command>>>> = {
  "train a network": {
    train: { what: "train the DCGAN on MNIST", run: train },
    calibrate: { what: "measure which kernels are fastest on this adapter", run: calibrate },
    doctor: { what: "check that training works on this machine", run: doctor },
  },
  "use a trained network": {
    sample: { what: "images of a trained generator", run: sample },
    export: {
      what: "write its generator for other programs: ONNX, tfjs, safetensors",
      run: exportModel,
    },
    interpolate: { what: "a path through its latent space, as GIF and strip", run: interpolate },
    summary: { what: "the layers of both networks, as a table or drawn", run: summary },
  },
  "look at a run": {
    show: { what: "an image of a run, in the terminal", run: show },
    gif: { what: "a GIF of a run's images", run: gif },
  },
};

const COMMANDS: Readonly<Record<string, Command>> = Object.assign({}, ...Object.values(GROUPS));

function help(): string {
  const { bold } = styleOf(Deno.stdout);
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const groups = Object.entries(GROUPS).map(([title, commands]) =>
    `${bold(title)}\n` +
    twoColumns(Object.entries(commands).map(([name, { what }]) => [name.padEnd(width), what]))
  );
  return [
    "The TensorFlow tutorial's DCGAN on WebGPU.",
    `usage: ${PROGRAM} COMMAND [OPTION...]`,
    ...groups,
    `\`${PROGRAM} help COMMAND\` explains a command and says which permissions it needs;\n` +
    "--version says which version this is.",
    `${bold("exit codes")}\n` + twoColumns([
      ["0", "done"],
      ["1", "failed; standard error says why"],
      ["2", "the command line was not understood"],
      ["130", "interrupted; 143 or 129 by SIGTERM or SIGHUP"],
    ]),
    `${bold("environment")}\n` + twoColumns([
      ["NO_COLOR", "no colours if it is set"],
      ["DENO_WEBGPU_BACKEND", "vulkan, metal, dx12 or gl: the only one to be tried"],
      ["XDG_CACHE_HOME", "where MNIST and measurements are kept (else ~/.cache)"],
    ]),
  ].join("\n\n") + "\n";
}

/** Errors whose message is all that a person needs; others keep their stack. */
const EXPECTED = [
  AdapterError,
  CheckpointError,
  DataError,
  DeviceLostError,
  NonFiniteError,
  OutOfMemoryError,
  RangeError,
];

function commandOf(name: string): Command {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name];
  const close = nearest(name, [...Object.keys(COMMANDS), "help"]);
  throw new UsageError(
    `there is no command ${JSON.stringify(name)}${close ? `; did you mean ${close}?` : ""}`,
  );
}

async function dispatch([name, ...rest]: readonly string[]): Promise<number> {
  switch (name) {
    case undefined:
      console.error(help());
      return 2;
    case "--version":
    case "-V":
      console.log(VERSION);
      return 0;
    case "--help":
    case "-h":
    case "help": {
      const [about, extra] = rest;
      if (extra !== undefined) {
        throw new UsageError(`help is for one command, got ${rest.join(" ")}`);
      }
      if (about !== undefined && about !== "help") return await commandOf(about).run(["--help"]);
      console.log(help());
      return 0;
    }
    default:
      if (name.startsWith("-")) {
        throw new UsageError(`there is no ${name}: the command comes first`);
      }
      return await commandOf(name).run(rest);
  }
}

/**
 * Runs a command line.
 *
 * ```ts
 * import { main } from "@dcgan/webgpu/cli";
 *
 * Deno.exitCode = await main(["summary", "--json"]);
 * ```
 *
 * @returns the exit code: 0 done, 1 failed, 2 not understood, 130 interrupted, 143
 * or 129 by SIGTERM or SIGHUP
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    // Whoever read the output has closed it: `| head` has all that it wants.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    const { red } = styleOf(Deno.stderr);
    if (error instanceof UsageError) {
      const [name] = args;
      const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? `${name} ` : "";
      console.error(
        `${red(error.message)}\nSee \`${PROGRAM} ${command}--help\` for what there is.`,
      );
      return 2;
    }
    const plain = error instanceof Error &&
      (EXPECTED.some((Class) => error instanceof Class) ||
        isSystemError(error));
    console.error(plain ? `${red("error:")} ${(error as Error).message}` : error);
    return 1;
  }
}

if (import.meta.main) {
  confine(Deno.args[0]);
  Deno.exitCode = await main(Deno.args);
}
