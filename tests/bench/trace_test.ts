/**
 * The profiler's trace, against what the Trace Event Format asks for.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { traceOf } from "../../bench/support/trace.ts";
import { Gpu } from "../../src/graph/gpu.ts";
import * as ops from "../../src/ops/mod.ts";

Deno.test("a profile becomes complete events that follow each other, on named threads", async () => {
  using gpu = await Gpu.request();
  using program = gpu.compile({ a: [64, 64], b: [64, 64] }, ({ a, b }) => {
    const y = ops.tanh(ops.matmul(a, b));
    return { y: ops.sum(y, 0), z: ops.transpose(y) };
  });
  program.run({ a: new Float32Array(4096), b: new Float32Array(4096) });
  const timings = await program.profile();
  const text = JSON.stringify(traceOf(timings, "a program", { adapter: gpu.info.description }));
  const { traceEvents, displayTimeUnit } = JSON.parse(text);
  equal(displayTimeUnit, "ms");

  // deno-lint-ignore no-explicit-any
  const events = traceEvents as any[];
  for (const { name, cat, ph, ts, pid, tid } of events) {
    ok(typeof name === "string" && name !== "" && typeof cat === "string");
    ok(Number.isFinite(ts));
    ok(ph === "X" || ph === "M");
    ok(Number.isInteger(pid) && Number.isInteger(tid));
  }
  const complete = events.filter((e) => e.ph === "X");
  equal(complete.length, program.stats.dispatches);
  let end = 0;
  for (const { ts, dur, cat, tid } of complete) {
    ok(Number.isFinite(dur) && dur >= 0);
    ok(ts >= end - 1e-3, `begins at ${ts}, before ${end}`);
    end = ts + dur;
    const [lane] = events.filter((e) => e.name === "thread_name" && e.tid === tid);
    ok(lane.args.name.startsWith(cat.split(".")[0]), `${cat} is on the thread ${lane.args.name}`);
  }
  equal(complete[0].ts, 0);

  const named = events.filter((e) => e.name === "process_name").map((e) => e.args);
  deepEqual(named, [{ name: "a program" }]);
  const lanes = new Set(complete.map((e) => e.tid));
  equal(events.filter((e) => e.name === "thread_sort_index").length, lanes.size);
});
