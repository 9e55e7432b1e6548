/**
 * The same training steps in Deno and in Chromium, in turn.
 *
 *   deno task bench:browser [--batch N] [--width W] [--steps N] [--rounds N]
 *
 * Chromium computes on its own software adapter, SwiftShader; Deno on the one that it finds. Times are
 * minima; that of the first step includes the compilation of all kernels.
 *
 * @module
 */

import { Page } from "../tests/support/browser/runtime.ts";
import { options, whole, width as multiple } from "./support/options.ts";
import { type StepTime, stepTime } from "./support/step_time.ts";
import { columns } from "./support/table.ts";

const { batch, width, steps, rounds } = options("bench:browser", {
  batch: [64, "N", "images a step (64)", whole],
  width: [1, "W", "multiplies the channels of hidden layers (1)", multiple],
  steps: [3, "N", "steps after the first (3)", whole],
  rounds: [2, "N", "how often each is begun anew (2)", whole],
});

const page = new Page("bench/support/step_time.ts");
const arguments_ = { batch, width, steps };
const times: Record<string, StepTime[]> = { Deno: [], Chromium: [] };
for (let round = 0; round < rounds; round++) {
  times.Deno.push(await stepTime(arguments_));
  const call = `m.stepTime(${JSON.stringify(arguments_)})`;
  const inPage = page.evaluate(`import("/step_time.js").then((m) => ${call})`);
  times.Chromium.push(await inPage as StepTime);
}
await page.close();

const least = (values: readonly number[]) => Math.min(...values).toFixed(3);
console.log(columns([
  ["", "first step, s", "step, s"],
  ...Object.entries(times).map(([name, all]) => [
    name,
    least(all.map(({ first }) => first)),
    least(all.flatMap(({ later }) => later)),
  ]),
], [0]));
