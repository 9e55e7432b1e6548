/**
 * Profiles in the Trace Event Format, which Perfetto and chrome://tracing open.
 *
 * Dispatches are complete events ("X"): `ts` and `dur` in microseconds, fractions allowed. The
 * kernels are the threads of one process, the one that took longest first, so that the eye finds
 * what the time goes to; names and order of threads are metadata events ("M").
 *
 * @module
 */

import type { Timing } from "../../mod.ts";
import { sumOf } from "./time.ts";

/** One event. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: "X" | "M";
  readonly pid: number;
  readonly tid: number;
  /** What is shown of the event when it is selected; of metadata, the value. */
  readonly args: Readonly<Record<string, string | number>>;
  /** Category; of a dispatch, the kernel's entry point. */
  readonly cat: string;
  /** Begin, in microseconds; 0 of metadata. */
  readonly ts: number;
  /** Duration, in microseconds. */
  readonly dur?: number;
}

/** What a trace file holds. */
export interface Trace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: "ms";
  readonly otherData: Readonly<Record<string, string>>;
}

const PID = 1;

/** The trace of one run. `process` names it, `otherData` is kept beside the events. */
export function traceOf(
  timings: readonly Timing[],
  process: string,
  otherData: Readonly<Record<string, string>> = {},
): Trace {
  const fileOf = ({ kernel }: Timing) => kernel.split(".")[0];
  const lanes = [...Map.groupBy(timings, fileOf)]
    .map(([file, list]) => ({ file, milliseconds: sumOf(list).milliseconds }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
  const tids = new Map(lanes.map(({ file }, i) => [file, i + 1]));
  const meta = (name: string, tid: number, args: TraceEvent["args"]): TraceEvent => (
    { name, cat: "__metadata", ph: "M", pid: PID, tid, ts: 0, args }
  );
  return {
    displayTimeUnit: "ms",
    otherData,
    traceEvents: [
      meta("process_name", 0, { name: process }),
      ...lanes.flatMap(({ file, milliseconds }, i) => [
        meta("thread_name", i + 1, { name: `${file} (${milliseconds.toFixed(1)} ms)` }),
        meta("thread_sort_index", i + 1, { sort_index: i + 1 }),
      ]),
      ...timings.map((timing): TraceEvent => {
        const { label, kernel, start, milliseconds, flops, bytes } = timing;
        return {
          name: label,
          cat: kernel,
          ph: "X",
          pid: PID,
          tid: tids.get(fileOf(timing))!,
          ts: microseconds(start),
          dur: microseconds(milliseconds),
          args: {
            kernel,
            ...(flops ? { "GFLOP/s": rate(flops, milliseconds) } : {}),
            "GB/s": rate(bytes, milliseconds),
          },
        };
      }),
    ],
  };
}

/** To whole nanoseconds, which is what timestamps count. */
function microseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6) / 1e3;
}

/** A dispatch shorter than a timestamp's tick has no rate, and JSON no infinity. */
function rate(amount: number, milliseconds: number): number {
  return milliseconds > 0 ? Math.round(amount / milliseconds / 1e4) / 100 : 0;
}
