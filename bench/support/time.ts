/**
 * Taking times: of calls that are waited for, of many that share one wait, and of single dispatches.
 *
 * A wait costs some 10 ms on some adapters, whatever it waits for. So the time of one call that is
 * waited for and the time a call takes among many are two numbers, and both are worth knowing.
 *
 * @module
 */

import type { Gpu, Timing } from "../../mod.ts";

/** The middle one; of an even number, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Seconds of each of `runs` calls that are waited for. */
export async function secondsOf(runs: number, call: () => Promise<unknown>): Promise<number[]> {
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    const begun = performance.now();
    await call();
    seconds.push((performance.now() - begun) / 1000);
  }
  return seconds;
}

/**
 * Seconds of one run among many that are enqueued together and share one wait: the median of
 * `rounds` such crowds. A crowd takes about half a second, and is a single run where that is longer.
 */
export async function secondsAmongMany(
  gpu: Gpu,
  run: () => void,
  rounds: number,
): Promise<number> {
  const crowd = async (size: number) => {
    const [seconds] = await secondsOf(1, () => {
      for (let i = 0; i < size; i++) run();
      return gpu.idle();
    });
    return seconds / size;
  };
  await crowd(1); // compiled
  const size = Math.min(64, Math.max(1, Math.round(0.5 / await crowd(1))));
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) times.push(await crowd(size));
  return median(times);
}

/** Several profiles of one program, as one. */
export interface Profile {
  /** Every dispatch, in order, with the least time that it took in any run. */
  readonly dispatches: Timing[];
  /** The run that took least in all, as it happened. */
  readonly fastest: Timing[];
}

/** Whether a device can profile. */
export function hasTimestamps(gpu: Gpu): boolean {
  return gpu.device.features.has("timestamp-query");
}

/** Profiles `runs` times. */
export async function profileRuns(
  runs: number,
  profile: () => Promise<Timing[]>,
): Promise<Profile> {
  const all: Timing[][] = [];
  for (let i = 0; i < runs; i++) all.push(await profile());
  const fastest = all.reduce((a, b) => spanOf(b) < spanOf(a) ? b : a);
  const dispatches = fastest.map((timing, i) => ({
    ...timing,
    milliseconds: Math.min(...all.map((run) => run[i].milliseconds)),
  }));
  return { dispatches, fastest };
}

/** Milliseconds from the first dispatch's start to the last one's end. */
export function spanOf(timings: readonly Timing[]): number {
  const last = timings.at(-1);
  return last ? last.start + last.milliseconds : 0;
}

/** A sum of some dispatches. */
export type Sum = Pick<Timing, "milliseconds" | "flops" | "bytes">;

/** Adds up what dispatches took and did. */
export function sumOf(timings: readonly Timing[]): Sum {
  const add = (field: keyof Sum) => timings.reduce((sum, timing) => sum + timing[field], 0);
  return { milliseconds: add("milliseconds"), flops: add("flops"), bytes: add("bytes") };
}

/** The op that a dispatch belongs to. */
export function opOf({ label }: Timing): string {
  return label.split(" ")[0];
}

/**
 * The share of the time that is not spent on matrix products and convolutions, of the dispatches'
 * own time. An op is one of those when one of its dispatches counts operations; its other dispatches
 * (transforms, sums of shares, transposed copies) belong to it.
 */
export function shareOutside(timings: readonly Timing[]): number {
  const ops = new Set(timings.filter((t) => t.flops > 0).map(opOf));
  return 1 - sumOf(timings.filter((t) => ops.has(opOf(t)))).milliseconds /
      sumOf(timings).milliseconds;
}
