/** Runs the programs in Node, and prints their numbers, or why there is no adapter, as JSON. */

import { create } from "npm:webgpu@0.6.2";
import { AdapterError, Gpu } from "../../../mod.ts";
import { runAll } from "./programs.ts";

try {
  const gpu = await Gpu.request({ gpu: create([]) });
  console.log(JSON.stringify(await runAll(gpu)));
  gpu[Symbol.dispose]();
} catch (error) {
  if (!(error instanceof AdapterError)) throw error;
  console.log(JSON.stringify(error.message));
}
