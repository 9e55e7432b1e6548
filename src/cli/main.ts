/**
 * The command line: `train`, and what later commands share.
 *
 * @module
 */

import {
  AdapterError,
  CheckpointError,
  DataError,
  DeviceLostError,
  OutOfMemoryError,
} from "../../mod.ts";
import { calibrate } from "./calibrate.ts";
import { exportModel } from "./export.ts";
import { UsageError } from "./flags.ts";
import { train } from "./train.ts";

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  train,
  calibrate,
  export: exportModel,
};

const HELP = `usage: deno task COMMAND [OPTION...]

  train       train the DCGAN on MNIST; \`train --help\` explains its options
  calibrate   measure which kernels are fastest on this adapter
  export      write a trained generator for other programs: ONNX, tfjs, safetensors
`;

/** Errors whose message is all that a person needs; others keep their stack. */
const EXPECTED = [
  AdapterError,
  CheckpointError,
  DataError,
  DeviceLostError,
  OutOfMemoryError,
  RangeError,
];

/** Runs a command line. Returns the exit code: 0 done, 1 failed, 2 not understood, 130 interrupted. */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    console.log(HELP);
    return name === undefined ? 2 : 0;
  }
  try {
    const command = COMMANDS[name];
    if (!command) throw new UsageError(`there is no command ${JSON.stringify(name)}`);
    return await command(rest);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nSee --help for what there is.`);
      return 2;
    }
    const plain = error instanceof Error &&
      (EXPECTED.some((Class) => error instanceof Class) ||
        error instanceof Deno.errors.NotCapable ||
        "code" in error || error.name === "OutputError");
    console.error(plain ? `error: ${(error as Error).message}` : error);
    return 1;
  }
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
