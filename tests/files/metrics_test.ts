import assert from "node:assert/strict";
import { join } from "node:path";
import { DataError } from "../../src/errors.ts";
import { encodeRow, type MetricsRow } from "../../src/formats/metrics.ts";
import { MetricsLog, readMetrics } from "../../src/training/metrics_log.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder } from "../support/folder.ts";
import { stepsTo } from "../support/training.ts";

/** A test with a file in a folder of its own. */
const test = (name: string, body: (path: string) => Promise<void>) =>
  Deno.test(`metrics: ${name}`, () => inFolder((dir) => body(join(dir, "metrics.jsonl"))));

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
async function log(path: string, afterStep: number, ...rows: Logged[]): Promise<string> {
  {
    await using log = await MetricsLog.open(path, { afterStep });
    for (const row of rows) {
      if (typeof row === "number") log.step(stepOf(row));
      else log.epoch(epochOf(...row));
    }
  }
  return named(await read(path));
}

const time = "2026-01-01T00:00:00.000Z";

/** The lines of steps and epochs. */
const lines = (...rows: Logged[]) =>
  rows.map((row) =>
    encodeRow(
      typeof row === "number"
        ? { type: "step", time, ...stepOf(row) }
        : { type: "epoch", time, ...epochOf(...row) },
    )
  );

/** A log of steps 1 to `last`, three an epoch. */
const logOf = (last: number) =>
  lines(...stepsTo(last).flatMap((n): Logged[] => n % 3 ? [n] : [n, [n / 3, n]])).join("");

const read = (path: string): Promise<MetricsRow[]> => Array.fromAsync(readMetrics(path));
const named = (rows: readonly MetricsRow[]) =>
  rows.map(({ type, step, epoch }) => type === "step" ? step : `epoch ${epoch} at ${step}`).join();

const refused = (path: string, message: RegExp) =>
  assert.rejects(read(path), errorOf(DataError, message, path));

test("what is logged is one JSON object a line, and is read back", async (path) => {
  const before = Date.now();
  {
    await using log = await MetricsLog.open(path);
    log.step(stepOf(1));
    log.step({ ...stepOf(2), generatorLoss: NaN, discriminatorLoss: -Infinity });
    log.epoch({ ...epochOf(1, 2), discriminatorLoss: Infinity, frechetDistance: 0.25 });
  }
  const text = await Deno.readTextFile(path);
  assert.ok(text.endsWith("}\n"));
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const time = lines[0].time;
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now(), time);
  assert.deepEqual(lines[0], { type: "step", time, ...stepOf(1) });
  assert.deepEqual([lines[1].generatorLoss, lines[1].discriminatorLoss], ["NaN", "-Infinity"]);
  const epoch = { ...epochOf(1, 2), discriminatorLoss: "Infinity", frechetDistance: 0.25 };
  assert.deepEqual(lines[2], { type: "epoch", time: lines[2].time, ...epoch });
  assert.deepEqual(await read(path), [
    lines[0],
    { ...lines[1], generatorLoss: NaN, discriminatorLoss: -Infinity },
    { ...lines[2], discriminatorLoss: Infinity },
  ]);
});

test("a resumed run's file has every step once, in order", async (path) => {
  await Deno.writeTextFile(path, logOf(9));
  const kept: MetricsRow[] = [];
  await (await MetricsLog.open(path, { afterStep: 4, onRow: (row) => kept.push(row) })).close();
  assert.equal(named(kept), "1,2,3,epoch 1 at 3,4");
  assert.deepEqual(await read(path), kept);
  assert.equal(await log(path, 4, 5, 6, [2, 6]), `${named(kept)},5,6,epoch 2 at 6`);
  assert.deepEqual((await read(path)).slice(0, kept.length), kept);
});

/** A file, the step after which a log goes on with it, what it adds, and what the file has then. */
const OPENED: [name: string, file: string, afterStep: number, rows: Logged[], then: string][] = [
  ["a new run starts with an empty file", "rubbish\n", 0, [], ""],
  ["a new run starts with an empty file, in place of a log", logOf(5), 0, [], ""],
  [
    "resuming after an epoch keeps its line, and does not write it again",
    logOf(8),
    6,
    [[2, 6], 7],
    "1,2,3,epoch 1 at 3,4,5,6,epoch 2 at 6,7",
  ],
  ["a last line that lacks only its line break is kept", logOf(2).trimEnd(), 2, [3], "1,2,3"],
  [
    "damage beyond the step of a resume goes with the rest",
    logOf(5) + "rubbish\nmore\n",
    4,
    [5],
    "1,2,3,epoch 1 at 3,4,5",
  ],
  [
    "an epoch that was cut may end again, later",
    lines(1, 2, [1, 2]).join(""),
    2,
    [3, [1, 3]],
    "1,2,epoch 1 at 2,3,epoch 1 at 3",
  ],
];
for (const [name, file, afterStep, rows, then] of OPENED) {
  test(name, async (path) => {
    await Deno.writeTextFile(path, file);
    assert.equal(await log(path, afterStep, ...rows), then);
    if (!then) assert.equal((await Deno.stat(path)).size, 0);
  });
}

test("a line that was torn by a killed process is left out, and cut off", async (path) => {
  const whole = logOf(5);
  const lastLine = whole.trimEnd().lastIndexOf("\n") + 1;
  const rest = "1,2,3,epoch 1 at 3,4";
  for (let cut = lastLine; cut < whole.length - 1; cut++) {
    await Deno.writeTextFile(path, whole.slice(0, cut));
    assert.equal(named(await read(path)), rest);
  }
  await Deno.writeTextFile(path, whole.trimEnd());
  assert.equal(named(await read(path)), `${rest},5`, "it lacks only its line break");
  await Deno.writeTextFile(path, whole.slice(0, lastLine) + "\0\0\0\0");
  assert.equal((await read(path)).length, 5);
  assert.equal(await log(path, 5, 6), `${rest},6`);
});

test("damage elsewhere is an error with its line's number", async (path) => {
  const lines = logOf(5).trimEnd().split("\n");
  /** A line with other values. */
  const but = (line: number, values: object) =>
    JSON.stringify({ ...JSON.parse(lines[line - 1]), ...values });
  const damages: [line: number, text: string, message: RegExp][] = [
    [2, "{", /is damaged: it is not JSON \(.+\)\. Repair or remove/],
    [2, "", /it is not JSON/],
    [2, "null", /its "type" is undefined/],
    [2, `{"type":"batch"}`, /its "type" is "batch", not "step" or "epoch"/],
    [2, but(2, { step: 1.5 }), /its "step" is 1\.5, not a whole number/],
    [2, but(2, { epoch: undefined }), /its "epoch" is undefined/],
    [2, but(2, { generatorLoss: "low" }), /its "generatorLoss" is "low"/],
    [2, but(2, { discriminatorLoss: null }), /"discriminatorLoss" is null/],
    [2, but(2, { time: "noon" }), /its "time" is "noon", not a time/],
    [2, lines[0], /step 1 comes after step 1/],
    [4, but(4, { seconds: "2" }), /its "seconds" is "2", not a number/],
    [4, but(4, { distance: "2" }), /its "distance" is "2", not a number/],
    [4, but(4, { coverage: "2" }), /its "coverage" is "2", not a number/],
    [4, but(4, { step: 2 }), /epoch 1 ends at step 2, after step 3/],
    [5, lines[3], /epoch 1 at step 3 comes after epoch 1 at step 3/],
    [5, but(4, { step: 4, epoch: 0.5 }), /its "epoch" is 0\.5/],
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
});

test("a run resumed in a folder without a log begins one at its step", async (path) => {
  await using log = await MetricsLog.open(path, { afterStep: 7 });
  assert.throws(() => log.step(stepOf(1)), /Cannot log step 1 to .*: the next one is 8/);
  log.step(stepOf(8));
  await log.flush();
  assert.equal(named(await read(path)), "8");
});

test("steps out of order, twice or left out, and numbers of no sense are refused", async (path) => {
  const log = await MetricsLog.open(path);
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
  await log.close();
  assert.throws(() => log.step(stepOf(4)), /it is closed/);
  assert.equal(named(await read(path)), "1,epoch 1 at 1,2,epoch 3 at 2,3");
});

/** The line of a step with a field that this version does not know. */
const noted = (step: number, note: string) => lines(step)[0].replace("}", `,"note":${note}}`);

test("lines longer than what is read at once, and of other bytes, are put together", async (path) => {
  const long = stepsTo(3).map((step) => noted(step, `"${"ü".repeat(50_000)}"`));
  await Deno.writeTextFile(path, long.join(""));
  assert.equal(named(await read(path)), "1,2,3");
  await (await MetricsLog.open(path, { afterStep: 2 })).close();
  assert.equal(await Deno.readTextFile(path), long[0] + long[1]);
});

test("a file without line breaks is not read into memory", async (path) => {
  await Deno.writeFile(path, new Uint8Array(2 ** 22));
  await refused(path, /Line 1 of .* is damaged: it has more than 1048576 bytes/);
});

test("a line nested too deep for whoever goes through it is damaged", async (path) => {
  await Deno.writeTextFile(path, noted(1, "[".repeat(9000) + "]".repeat(9000)));
  await refused(path, /Line 1 of .* is damaged: it is nested more than 64 levels deep/);
});
