/**
 * How long the fuzz tests run. As ordinary tests they try the same cases every time; `deno task fuzz`
 * tries more of them, from a new seed or a given one:
 *
 *   deno task fuzz --runs 20000 --seed 7
 */

import { parseArgs } from "node:util";

const { values } = parseArgs({
  args: [...Deno.args],
  options: { runs: { type: "string" }, seed: { type: "string" }, long: { type: "boolean" } },
  strict: false,
});

function asked(name: "runs" | "seed"): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`--${name} takes a whole number, got ${text}`);
}

const SEED = asked("seed") ?? (values.long ? Date.now() % 2 ** 31 : 20261124);

/** Cases of a property: what the ordinary tests try, or what the command line asks for. */
export function runs(ordinary: number): number {
  return asked("runs") ?? (values.long ? 20 * ordinary : ordinary);
}

/** Parameters of fast-check. A failure prints the seed and the path of the shrunk case. */
export const parameters = (ordinary: number) => ({ numRuns: runs(ordinary), seed: SEED });

if (values.long) console.log(`fuzzing with --seed ${SEED}`);
