/** Calls that must not overlap, and what may follow an error. */

import assert from "node:assert/strict";
import { DeviceLostError, type Gpu, GpuValidationError } from "../../mod.ts";
import { Turns } from "../../src/training/turns.ts";

/** Turns of a device that explains a refused command as `explanation`. */
function turnsOf(isOpen = () => false, explanation?: Error): Turns {
  const explain = (error: unknown) => Promise.resolve(explanation ?? error);
  return new Turns({ context: { errors: { explain } } } as unknown as Gpu, isOpen);
}

const succeed = () => Promise.resolve("done");
const fail = () => Promise.reject(new GpuValidationError("planted"));
const repairs = { repairs: true };

Deno.test("turns: one at a time, and the next after it, whether it fails or not", async () => {
  const turns = turnsOf();
  const end = Promise.withResolvers<void>();
  const first = turns.take("a step", () => end.promise);
  await assert.rejects(
    turns.take("an epoch", succeed),
    /^Error: Cannot begin an epoch while a step is under way: await it first$/,
  );
  assert.equal(await turns.share(succeed), "done");
  end.reject(new RangeError("planted"));
  await assert.rejects(first, /planted/);
  assert.equal(await turns.take("a step", succeed), "done");
});

Deno.test("turns: after an error with steps open, only what repairs may follow", async () => {
  let open = true;
  const turns = turnsOf(() => open);
  await assert.rejects(turns.take("a step", fail), /planted/);
  const refusal = /^Error: Cannot begin a step: .* not have been trained \(planted\)\. Restore/;
  await assert.rejects(turns.take("a step", succeed), refusal);
  await assert.rejects(turns.take("a restore", fail, repairs), /planted/);
  await assert.rejects(turns.take("a step", succeed), refusal);
  open = false;
  assert.equal(await turns.take("a restore", succeed, repairs), "done");
  assert.equal(await turns.take("a step", succeed), "done");
  await assert.rejects(turns.take("a snapshot", fail), /planted/);
  assert.equal(await turns.take("a step", succeed), "done", "no step was open");
});

Deno.test("turns: a lost device stands behind a refused command, and nothing repairs it", async () => {
  const lost = new DeviceLostError("lost");
  const turns = turnsOf(() => true, lost);
  await assert.rejects(turns.share(fail), lost);
  await assert.rejects(turns.take("a step", fail), lost);
  await assert.rejects(turns.take("a restore", succeed), lost);
  await assert.rejects(turns.take("a restore", succeed, repairs), lost);
});

Deno.test("turns: when they end, all are refused, and those that fail say why", async () => {
  const turns = turnsOf(() => true);
  const calls = (body: () => Promise<unknown>) => [turns.take("a step", body), turns.share(body)];
  const pending = calls(() => Promise.reject(new DeviceLostError("gone")));
  turns.end();
  const ended = { name: "TypeError", message: "The trainer was disposed" };
  const all = [...pending, ...calls(succeed)];
  await Promise.all(all.map((call) => assert.rejects(call, ended)));
});
