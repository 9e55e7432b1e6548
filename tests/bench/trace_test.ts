/** The profiler's trace, against what the Trace Event Format asks for. */

import { deepEqual, equal, ok } from "node:assert/strict";
import { traceOf } from "../../bench/support/trace.ts";
import { Gpu, ops } from "../../mod.ts";

Deno.test("a profile becomes complete events that follow each other, on named threads", async () => {
  using gpu = await Gpu.request();
  using program = gpu.compile({ a: [64, 64], b: [64, 64] }, ({ a, b }) => {
    const y = ops.tanh(ops.matmul(a, b));
    return { y: ops.sum(y, 0), z: ops.transpose(y) };
  });
  program.run({ a: new Float32Array(4096), b: new Float32Array(4096) });
  const trace = traceOf(await program.profile(), "a program", { adapter: gpu.info.description });
  const { traceEvents, displayTimeUnit } = JSON.parse(JSON.stringify(trace)) as typeof trace;
  equal(displayTimeUnit, "ms");
  for (const { name, cat, ph, ts, pid, tid } of traceEvents) {
    ok(name !== "" && [name, cat].every((text) => typeof text === "string"));
    ok(Number.isFinite(ts) && Number.isInteger(pid) && Number.isInteger(tid));
    ok(ph === "X" || ph === "M");
  }
  const named = (name: string) => traceEvents.filter((event) => event.name === name);
  const complete = traceEvents.filter(({ ph }) => ph === "X");
  equal(complete.length, program.stats.dispatches);
  equal(complete[0].ts, 0);
  let end = 0;
  for (const { ts, dur = NaN, cat, tid } of complete) {
    ok(Number.isFinite(dur) && dur >= 0);
    ok(ts >= end - 1e-3, `begins at ${ts}, before ${end}`);
    end = ts + dur;
    const thread = named("thread_name").find((event) => event.tid === tid)!;
    ok(String(thread.args.name).startsWith(cat.split(".")[0]), `${cat} is on ${thread.args.name}`);
  }
  deepEqual(named("process_name").map(({ args }) => args), [{ name: "a program" }]);
  equal(named("thread_sort_index").length, new Set(complete.map(({ tid }) => tid)).size);
});
