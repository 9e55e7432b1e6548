/**
 * The command line: one program, a command for each task.
 *
 * ```sh
 * deno run jsr:@dcgan/webgpu/cli help
 * ```
 *
 * That needs no permission; the help of each command lists those it needs.
 *
 * @module
 */

import * as dcgan from "../../mod.ts";
import { isSystemError } from "../files/atomic.ts";
import { VERSION } from "../version.ts";
import { addCalibrate } from "./calibrate.ts";
import { addDoctor } from "./doctor.ts";
import { addEvaluate } from "./evaluate.ts";
import { addExport } from "./export.ts";
import { type Command, CommanderError, Exit, newProgram, noteOf, PROGRAM } from "./flags.ts";
import { UsageError, usageMessage, withFlags } from "./flags.ts";
import { addInterpolate, addSample } from "./generate.ts";
import { confine, isCommand } from "./permissions.ts";
import { painter } from "./report.ts";
import { addGIF, addShow } from "./run_images.ts";
import { addSummary } from "./summary.ts";
import { addTrain } from "./train.ts";
import { renamed } from "./train_flags.ts";

const ABOUT = `
${noteOf(PROGRAM)}\`${PROGRAM} help COMMAND\` explains a command and lists the permissions it needs.

Exit codes:
  0    done
  1    failed; standard error says why
  2    the command line was not understood
  130  interrupted; 143 or 129 by SIGTERM or SIGHUP

Environment:
  NO_COLOR             no colors if it is set
  DENO_WEBGPU_BACKEND  vulkan, metal, dx12 or gl: the only one to be tried
  XDG_CACHE_HOME       where MNIST and measurements are kept (else ~/.cache)`;

function programFor(typed: readonly string[]): Command {
  const program = newProgram()
    .description("The TensorFlow tutorial's DCGAN on WebGPU.")
    .version(VERSION, "-V, --version", "print the version")
    .helpCommand("help [COMMAND]", "explain a command")
    .addHelpText("after", ABOUT);
  program.commandsGroup("Train a network:");
  addTrain(program, typed);
  for (const add of [addCalibrate, addDoctor]) add(program);
  program.commandsGroup("Use a trained network:");
  for (const add of [addSample, addEvaluate, addExport, addInterpolate, addSummary]) add(program);
  program.commandsGroup("Look at a run:");
  for (const add of [addShow, addGIF]) add(program);
  return program;
}

/** Errors whose message is all that a person needs; others keep their stack. */
const EXPECTED = [
  ...[dcgan.AdapterError, dcgan.CheckpointError, dcgan.DataError, dcgan.DeviceLostError],
  ...[dcgan.NonFiniteError, dcgan.OutOfMemoryError, RangeError],
];

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
  const [first, about = "help"] = args;
  // Commander suggests a command for `sampel`, but not for `help sampel`.
  const asked = first === "help" && !isCommand(about) ? [about] : args;
  try {
    await programFor(args).parseAsync(renamed(asked), { from: "user" });
    return 0;
  } catch (error) {
    return exitCodeOf(error as Error, asked);
  }
}

/** Prints what was wrong; the exit code of the program. */
function exitCodeOf(error: Error, [command]: readonly string[]): number {
  if (error instanceof Exit) return error.code;
  // Whoever read the output has closed it: `| head` has all that it wants.
  if (error instanceof Deno.errors.BrokenPipe) return 0;
  const paint = painter(Deno.stderr);
  if (error instanceof UsageError || error instanceof CommanderError) {
    if (error instanceof CommanderError && /^commander\.(help|version)/.test(error.code)) {
      return error.exitCode && 2; // Without a command, the help is an error.
    }
    const about = isCommand(command) ? `${command} --help` : "--help";
    console.error(`${paint("red", usageMessage(error))}\nSee \`${PROGRAM} ${about}\`.`);
    return 2;
  }
  const plain = EXPECTED.some((Class) => error instanceof Class) || isSystemError(error);
  console.error(plain ? `${paint("red", "error:")} ${withFlags(error.message)}` : error);
  return 1;
}

if (import.meta.main) {
  confine(Deno.args[0]);
  Deno.exitCode = await main(Deno.args);
}
