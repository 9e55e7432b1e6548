import assert from "node:assert/strict";
import { join } from "node:path";
import { DataError, MetricsLog, type MetricsRow, readMetrics } from "../../mod.ts";
import type { AppendFile } from "../../src/files/append.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder } from "../support/folder.ts";

/** A file in a folder of the test's own. */
const withFile = (test: (path: string) => Promise<void>) =>
  inFolder((dir) => test(join(dir, "metrics.jsonl")));

const stepOf = (step: number) => ({
  step,
  epoch: Math.ceil(step / 3),
  images: 10 * step,
  generatorLoss: 0.5 + step,
  discriminatorLoss: 1.5 + step,
});
const epochOf = (epoch: number, step = 3 * epoch) => ({
  step,
  epoch,
  steps: 3,
  generatorLoss: 0.7,
  discriminatorLoss: 1.4,
  seconds: 2.5,
});

/** A step to log by its number, or an epoch that ends at a step. */
type Logged = number | readonly [epoch: number, step: number];

/** Opens a log, adds to it and closes it; gives what the file has then. */
async function log(path: string, afterStep: number, ...rows: Logged[]): Promise<string[]> {
  {
    await using log = await MetricsLog.open(path, { afterStep });
    for (const row of rows) {
      if (typeof row === "number") log.step(stepOf(row));
      else log.epoch(epochOf(...row));
    }
  }
  return names(await read(path));
}

/** Steps 1 to `last`, three an epoch. */
const write = (path: string, last: number) =>
  log(
    path,
    0,
    ...Array.from({ length: last }, (_, i): Logged[] =>
      i % 3 === 2 ? [i + 1, [(i + 1) / 3, i + 1]] : [i + 1]).flat(),
  );

const read = (path: string): Promise<MetricsRow[]> => Array.fromAsync(readMetrics(path));
const names = (rows: readonly MetricsRow[]) =>
  rows.map((row) => row.type === "step" ? `${row.step}` : `epoch ${row.epoch} at ${row.step}`);

const refused = (path: string, message: RegExp) =>
  assert.rejects(read(path), errorOf(DataError, message, path));

Deno.test("metrics: what is logged is one JSON object a line, and is read back", () =>
  withFile(async (path) => {
    const before = Date.now();
    {
      await using log = await MetricsLog.open(path);
      log.step(stepOf(1));
      log.step({ ...stepOf(2), generatorLoss: NaN, discriminatorLoss: -Infinity });
      log.epoch({ ...epochOf(1, 2), discriminatorLoss: Infinity, distance: 0.25 });
    }
    const text = await Deno.readTextFile(path);
    assert.ok(text.endsWith("}\n"));
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    const time = lines[0].time;
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now(), time);
    assert.deepEqual(lines[0], { type: "step", time, ...stepOf(1) });
    assert.deepEqual([lines[1].generatorLoss, lines[1].discriminatorLoss], ["NaN", "-Infinity"]);
    const epoch = { ...epochOf(1, 2), discriminatorLoss: "Infinity", distance: 0.25 };
    assert.deepEqual(lines[2], { type: "epoch", time: lines[2].time, ...epoch });

    const rows = await read(path);
    assert.deepEqual(rows[0], lines[0]);
    assert.deepEqual(rows[1], { ...lines[1], generatorLoss: NaN, discriminatorLoss: -Infinity });
    assert.deepEqual(rows[2], { ...lines[2], discriminatorLoss: Infinity });
  }));

Deno.test("metrics: lines wait for a flush, and flushes at once keep their order", () =>
  withFile(async (path) => {
    const log = await MetricsLog.open(path);
    log.step(stepOf(1));
    assert.equal((await Deno.readTextFile(path)).length, 0);
    const flushes = [log.flush()];
    for (let step = 2; step <= 50; step++) {
      log.step(stepOf(step));
      flushes.push(log.flush({ sync: step === 30 }));
    }
    await Promise.all(flushes);
    assert.deepEqual(names(await read(path)), Array.from({ length: 50 }, (_, i) => `${i + 1}`));
    log.step(stepOf(51));
    await log.close();
    await log.close();
    assert.equal((await read(path)).length, 51);
    assert.throws(() => log.step(stepOf(52)), /it is closed/);
    await log.flush();
  }));

Deno.test("metrics: what is logged while a flush writes comes with the next one", () =>
  withFile(async (path) => {
    await using log = await MetricsLog.open(path);
    log.step(stepOf(1));
    const file = (log["file"] as AppendFile)["file"];
    file.write = async (bytes) => {
      log.step(stepOf(2));
      return await Deno.FsFile.prototype.write.call(file, bytes);
    };
    await log.flush();
    file.write = Deno.FsFile.prototype.write;
    assert.deepEqual(names(await read(path)), ["1"]);
    await log.flush();
    assert.deepEqual(names(await read(path)), ["1", "2"]);
  }));

Deno.test("metrics: a resumed run's file has every step once, in order", () =>
  withFile(async (path) => {
    await write(path, 9);
    const kept: MetricsRow[] = [];
    await (await MetricsLog.open(path, { afterStep: 4, onRow: (row) => kept.push(row) })).close();
    assert.deepEqual(names(kept), ["1", "2", "3", "epoch 1 at 3", "4"]);
    assert.deepEqual(await read(path), kept);
    assert.deepEqual(await log(path, 4, 5, 6, [2, 6]), [...names(kept), "5", "6", "epoch 2 at 6"]);
    assert.deepEqual((await read(path)).slice(0, kept.length), kept);
  }));

const change = async (path: string, by: (text: string) => string) =>
  await Deno.writeTextFile(path, by(await Deno.readTextFile(path)));

Deno.test("metrics: a new run starts with an empty file", () =>
  withFile(async (path) => {
    await Deno.writeTextFile(path, "rubbish\n");
    assert.deepEqual(await log(path, 0), []);
    await write(path, 5);
    assert.deepEqual(await log(path, 0), []);
    assert.equal((await Deno.stat(path)).size, 0);
  }));

Deno.test("metrics: resuming after an epoch keeps its line, and does not write it again", () =>
  withFile(async (path) => {
    await write(path, 8);
    assert.deepEqual((await log(path, 6, [2, 6], 7)).slice(-3), ["6", "epoch 2 at 6", "7"]);
  }));

Deno.test("metrics: a last line that lacks only its line break is kept", () =>
  withFile(async (path) => {
    await write(path, 2);
    await change(path, (text) => text.trimEnd());
    assert.equal((await read(path)).length, 2);
    assert.deepEqual(await log(path, 2, 3), ["1", "2", "3"]);
  }));

Deno.test("metrics: damage beyond the step of a resume goes with the rest", () =>
  withFile(async (path) => {
    await write(path, 5);
    await change(path, (text) => text + "rubbish\nmore\n");
    assert.deepEqual(await log(path, 4, 5), ["1", "2", "3", "epoch 1 at 3", "4", "5"]);
  }));

Deno.test("metrics: an epoch that was cut may end again, later", () =>
  withFile(async (path) => {
    await log(path, 0, 1, 2, [1, 2]);
    const all = ["1", "2", "epoch 1 at 2", "3", "epoch 1 at 3"];
    assert.deepEqual(await log(path, 2, 3, [1, 3]), all);
  }));

Deno.test("metrics: a line that was torn by a killed process is left out, and cut off", () =>
  withFile(async (path) => {
    await write(path, 5);
    const whole = await Deno.readTextFile(path);
    const lastLine = whole.trimEnd().lastIndexOf("\n") + 1;
    const rest = ["1", "2", "3", "epoch 1 at 3", "4"];
    for (let cut = lastLine; cut < whole.length - 1; cut++) {
      await Deno.writeTextFile(path, whole.slice(0, cut));
      assert.deepEqual(names(await read(path)), rest);
    }
    await Deno.writeTextFile(path, whole.slice(0, lastLine) + "\0\0\0\0");
    assert.equal((await read(path)).length, 5);
    assert.deepEqual(await log(path, 5, 6), [...rest, "6"]);
  }));

Deno.test("metrics: damage elsewhere is an error with its line's number", () =>
  withFile(async (path) => {
    await write(path, 5);
    const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
    const second = JSON.parse(lines[1]);
    const epoch = JSON.parse(lines[3]);
    const damages: [line: number, text: string, message: RegExp][] = [
      [2, "{", /is damaged: it is not JSON \(.+\)\. Repair or remove/],
      [2, "", /it is not JSON/],
      [2, "null", /its "type" is undefined/],
      [2, `{"type":"batch"}`, /its "type" is "batch", not "step" or "epoch"/],
      [2, JSON.stringify({ ...second, step: 1.5 }), /its "step" is 1\.5, not a whole number/],
      [2, JSON.stringify({ ...second, epoch: undefined }), /its "epoch" is undefined/],
      [2, JSON.stringify({ ...second, generatorLoss: "low" }), /its "generatorLoss" is "low"/],
      [2, JSON.stringify({ ...second, discriminatorLoss: null }), /"discriminatorLoss" is null/],
      [2, JSON.stringify({ ...second, time: "noon" }), /its "time" is "noon", not a time/],
      [2, lines[0], /step 1 comes after step 1/],
      [4, JSON.stringify({ ...epoch, seconds: "2" }), /its "seconds" is "2", not a number/],
      [4, JSON.stringify({ ...epoch, distance: "2" }), /its "distance" is "2", not a number/],
      [4, JSON.stringify({ ...epoch, step: 2 }), /epoch 1 ends at step 2, after step 3/],
      [5, lines[3], /epoch 1 at step 3 comes after epoch 1 at step 3/],
      [5, JSON.stringify({ ...epoch, step: 4, epoch: 0.5 }), /its "epoch" is 0\.5/],
    ];
    for (const [line, text, message] of damages) {
      await Deno.writeTextFile(path, lines.with(line - 1, text).join("\n") + "\n");
      await refused(path, new RegExp(`Line ${line} of .*${message.source}`));
    }
    const bytes = new TextEncoder().encode(lines.join("\n") + "\n");
    bytes[lines[0].length + 3] = 0xff;
    await Deno.writeFile(path, bytes);
    await refused(path, /Line 2 .*UTF-8/);
    await assert.rejects(MetricsLog.open(path, { afterStep: 4 }), DataError);
    assert.deepEqual(await Deno.readFile(path), bytes); // refused, not changed
  }));

Deno.test("metrics: a run resumed in a folder without a log begins one at its step", () =>
  withFile(async (path) => {
    await using log = await MetricsLog.open(path, { afterStep: 7 });
    assert.throws(() => log.step(stepOf(1)), /Cannot log step 1 to .*: the next one is 8/);
    log.step(stepOf(8));
    await log.flush();
    assert.deepEqual(names(await read(path)), ["8"]);
  }));

Deno.test("metrics: steps out of order, twice or left out, and numbers of no sense are refused", () =>
  withFile(async (path) => {
    await using log = await MetricsLog.open(path);
    const wrong = (act: () => void, message: RegExp) =>
      assert.throws(act, errorOf(RangeError, message));
    wrong(() => log.step(stepOf(2)), /step 2 .*the next one is 1/);
    log.step(stepOf(1));
    wrong(() => log.step(stepOf(1)), /step 1 .*the next one is 2/);
    wrong(() => log.step({ ...stepOf(2), images: NaN }), /"images" is "NaN"/);
    wrong(() => log.step({ ...stepOf(2), epoch: 0 }), /"epoch" is 0, not a whole number/);
    wrong(() => log.epoch(epochOf(1, 2)), /epoch 1 at step 2 .*the last step is 1/);
    log.epoch(epochOf(1, 1));
    wrong(() => log.epoch(epochOf(1, 1)), /epoch 1 at step 1 comes after epoch 1 at step 1/);
    log.step(stepOf(2));
    wrong(() => log.epoch(epochOf(2 ** 53, 2)), /"epoch" is 9007199254740992/);
    log.epoch(epochOf(3, 2));
    log.step(stepOf(3));
    wrong(() => log.epoch(epochOf(2, 3)), /epoch 2 at step 3 comes after epoch 3 at step 2/);
    await log.flush();
    const kept = ["1", "epoch 1 at 1", "2", "epoch 3 at 2", "3"];
    assert.deepEqual(names(await read(path)), kept);
  }));

Deno.test("metrics: lines longer than what is read at once, and of other bytes, are put together", () =>
  withFile(async (path) => {
    const note = "ü".repeat(50_000); // A field that this version does not know.
    const line = (step: number) =>
      JSON.stringify({ type: "step", time: "2026-01-01T00:00:00.000Z", ...stepOf(step), note });
    await Deno.writeTextFile(path, [1, 2, 3].map((step) => line(step) + "\n").join(""));
    assert.deepEqual(names(await read(path)), ["1", "2", "3"]);
    await (await MetricsLog.open(path, { afterStep: 2 })).close();
    assert.equal(await Deno.readTextFile(path), `${line(1)}\n${line(2)}\n`);
  }));

Deno.test("metrics: what could not be written leaves no half line, and the next flush writes it", () =>
  withFile(async (path) => {
    await using log = await MetricsLog.open(path);
    log.step(stepOf(1));
    await log.flush();
    log.step(stepOf(2));
    const file = (log["file"] as AppendFile)["file"];
    let calls = 0;
    file.write = async (bytes) => { // A disk that fills up within a line.
      if (calls++ > 0) throw new Error("No space left on device (os error 28)");
      return await Deno.FsFile.prototype.write.call(file, bytes.subarray(0, 20));
    };
    await assert.rejects(log.flush(), /Cannot write .*metrics\.jsonl: No space left on device/);
    assert.ok((await Deno.readTextFile(path)).endsWith("}\n"));
    log.step(stepOf(3));
    file.write = Deno.FsFile.prototype.write;
    await log.flush();
    assert.deepEqual(names(await read(path)), ["1", "2", "3"]);
  }));

Deno.test("metrics: a file without line breaks is not read into memory", () =>
  withFile(async (path) => {
    await Deno.writeFile(path, new Uint8Array(2 ** 22));
    await refused(path, /Line 1 of .* is damaged: it has more than 1048576 bytes/);
  }));

Deno.test("metrics: a line nested too deep for whoever goes through it is damaged", () =>
  withFile(async (path) => {
    const row = { type: "step", time: "2026-11-24T14:40:00Z", ...stepOf(1) };
    const more = `${"[".repeat(9000)}${"]".repeat(9000)}`;
    await Deno.writeTextFile(path, `${JSON.stringify(row).slice(0, -1)},"more":${more}}\n`);
    await refused(path, /Line 1 of .* is damaged: it is nested more than 64 levels deep/);
  }));
