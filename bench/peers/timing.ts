/**
 * Times of several contestants, taken in turn, and the table of them.
 *
 * @module
 */

import { columns } from "../support/table.ts";
import { median } from "../support/time.ts";
import type { Contestant } from "./process.ts";
import type { Request } from "./protocol.ts";

/** A line of the table. */
export interface Row {
  readonly what: string;
  readonly batch: number;
  readonly name: string;
  /** Seconds, one a round; of one run where a request asks for several. */
  readonly seconds: readonly number[];
  readonly median: number;
  readonly min: number;
  /** Median over the median of ours in the same rounds. */
  readonly ratio: number;
}

/** What is to be timed. */
export interface Task {
  readonly what: string;
  readonly batch: number;
  /** Asked of each before anything. */
  readonly prepare?: Request;
  readonly request: Request;
  readonly rounds: number;
  /** How many runs the request asks for; the time is divided by it. Default 1. */
  readonly runs?: number;
}

/**
 * Asks ours and each peer in turn, ours before every peer, so that what else the machine does
 * meets all of them; everyone else sleeps meanwhile. A request to each before that, which compiles,
 * is not counted. A peer that fails leaves the race.
 */
export async function race(
  ours: Contestant,
  peers: readonly Contestant[],
  { what, batch, prepare, request, rounds, runs = 1 }: Task,
  report: (text: string) => void,
): Promise<Row[]> {
  const times = new Map<Contestant, number[]>();
  const run = async (contestant: Contestant) => {
    const list = times.get(contestant);
    if (!list && prepare) await contestant.ask(prepare);
    const seconds = await contestant.time(request) / runs;
    const note = list ? "" : " (first)";
    report(`${what}, batch ${batch}: ${contestant.name} ${seconds.toPrecision(4)} s${note}`);
    if (list) list.push(seconds);
    else times.set(contestant, []);
  };
  let running = [...peers];
  const runPeers = async (before?: () => Promise<void>) => {
    for (const peer of running) {
      await before?.();
      try {
        await run(peer);
      } catch (error) {
        report((error as Error).message);
        times.delete(peer);
        running = running.filter((other) => other !== peer);
      }
    }
  };
  await run(ours);
  await runPeers();
  for (let round = 0; round < rounds; round++) {
    if (running.length) await runPeers(() => run(ours));
    else await run(ours);
  }
  const base = median(times.get(ours)!);
  return [...times].map(([{ name }, seconds]) => ({
    what,
    batch,
    name,
    seconds,
    median: median(seconds),
    min: Math.min(...seconds),
    ratio: median(seconds) / base,
  }));
}

/** The rows as aligned text. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ what, batch, name, median, min, ratio, seconds }) => [
    ...[what, `${batch}`, name, median.toPrecision(4), min.toPrecision(4)],
    ...[ratio.toFixed(2), `${seconds.length}`],
  ]);
  return columns([["what", "batch", "who", "median s", "min s", "x ours", "n"], ...cells], [0, 2]);
}
