/**
 * How long the fuzz tests run. As ordinary tests they try the same cases every time; `deno task fuzz`
 * tries more of them, from a new seed or a given one:
 *
 *   deno task fuzz --runs 20000 --seed 7
 */

import { parseArgs } from "node:util";

const { values } = parseArgs({
  args: [...Deno.args],
  options: { runs: { type: "string" }, seed: { type: "string" } },
  strict: false,
});

const asked = (name: "runs" | "seed"): number | undefined => {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`--${name} takes a whole number, got ${text}`);
  }
  return value;
};

const long = Deno.args.includes("--long");

export const SEED = asked("seed") ?? (long ? Date.now() % 2 ** 31 : 20261124);

/** Cases of a property: what the ordinary tests try, or what the command line asks for. */
export function runs(ordinary: number): number {
  return asked("runs") ?? (long ? 20 * ordinary : ordinary);
}

/** Parameters of fast-check. A failure prints the seed and the path of the shrunk case. */
export function parameters(ordinary: number) {
  return { numRuns: runs(ordinary), seed: SEED };
}

if (long) console.log(`fuzzing with --seed ${SEED}`);
