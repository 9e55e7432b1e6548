import assert from "node:assert/strict";
import type { TrainResult } from "../../mod.ts";
import { bar, duration, type Output, painter, Report } from "../../src/cli/report.ts";
import { type ReportOptions, RunReport, untilGone } from "../../src/cli/report.ts";

/** A terminal of so many columns, or none, and what was written to it. */
function output(columns?: number) {
  const out: Output & { text: string; width?: number } = {
    ...{ text: "", isTerminal: columns !== undefined, width: columns },
    columns: () => out.width ?? 80,
    write: (text) => void (out.text += text),
  };
  return out;
}

Deno.test("report: people, scripts and programs each get their part", () => {
  const json = '{"out":"b.png"}\n';
  const cases: [ReportOptions, string][] = [
    [{}, "from     a.safetensors\nwrote    b.png\na table\n"],
    [{ quiet: true }, "b.png\na table\n"],
    [{ json: true }, json],
    [{ json: true, quiet: true }, json],
  ];
  for (const [options, said] of cases) {
    const out = output();
    const report = new Report(options, out, (_, text) => text);
    report.note("from", "a.safetensors");
    report.wrote("b.png");
    report.text("a table");
    report.result({ out: "b.png" });
    assert.equal(out.text, said);
  }
});

Deno.test("report: color on a terminal only, and never with NO_COLOR", () => {
  const red = (terminal: boolean, noColor: boolean) =>
    painter({ isTerminal: () => terminal }, noColor)("red", "no");
  assert.equal(red(true, false), "\x1b[31mno\x1b[39m");
  assert.equal(red(true, true), "no");
  assert.equal(red(false, false), "no");
});

const STEP = { epoch: 1, generatorLoss: 0.7, discriminatorLoss: 1.4, images: 64, totalSteps: 100 };
const LOSSES = "generator 0.7000  discriminator 1.4000";

type Event = (report: RunReport, out: ReturnType<typeof output>) => void;
const step = (step: number, more = {}): Event => (report) =>
  report.step({ ...STEP, step, ...more });
const hello: Event = (report) => report.message("hello");

/** What the last of some events writes, to a terminal of so many columns or elsewhere. */
function last(columns: number | undefined, ...events: Event[]): string {
  const out = output(columns);
  const report = new RunReport(out, {}, 50);
  for (const event of events) {
    out.text = "";
    event(report, out);
  }
  return out.text;
}

Deno.test("progress: a bar on a terminal, which lines replace", () => {
  const events = [step(1), step(50, { images: 3200 })];
  assert.match(last(120, ...events), /█+░+ {2}epoch 1\/50 {2}step 50\/100 {2}generator 0\.7000/);
  assert.match(last(120, ...events), /images\/s.* left$/);
  for (const text of [last(120, ...events), last(120, step(1))]) assert.ok(!text.includes("\n"));
  assert.equal(last(120, ...events, hello), "\r\x1b[Jhello\n");
});

Deno.test("progress: the bar is there from 40 columns on, and never exceeds the terminal", () => {
  for (const columns of [10, 20, 40, 60, 80, 100, 120, 200]) {
    const all = { totalSteps: 11_750, images: 320_000 };
    const line = last(columns, step(1, { ...all, images: 64 }), step(5000, all)).slice(4);
    assert.ok(line.length < columns, `${line.length} of ${columns}`);
    if (columns >= 40) assert.match(line, /^█+░+ {2}/, `${columns} columns`);
    if (columns >= 80) assert.match(line, /0\.7000.* 1\.4000.* left$/, `${columns} columns`);
  }
});

Deno.test("progress: nothing of the bar stays after its terminal was narrowed", () => {
  const { length } = last(120, step(1)); // One line of 120 columns, three of 40.
  assert.ok(length > 80 && length < 120);
  const narrow: Event = (_, out) => out.width = 40;
  assert.equal(last(120, step(1), narrow, hello), "\r\x1b[2A\x1b[Jhello\n");
});

Deno.test("progress: plain lines elsewhere, without control characters", () => {
  const epoch: Event = (report) => report.epoch({ ...STEP, step: 2, steps: 2, seconds: 75 });
  assert.equal(last(undefined, step(1)), `epoch 1/50  step 1/100  ${LOSSES}\n`);
  assert.equal(last(undefined, step(1), step(2)), "");
  assert.equal(last(undefined, step(1), step(2), epoch), `epoch 1/50  ${LOSSES}  1m 15s\n`);
  const frechetDistance = 107.468;
  const evaluated: Event = (report) =>
    report.epoch({ ...STEP, step: 2, steps: 2, seconds: 75, frechetDistance });
  assert.equal(
    last(undefined, evaluated),
    `epoch 1/50  ${LOSSES}  Fréchet distance 107.5  1m 15s\n`,
  );
});

Deno.test("progress: the last step of a run that ends within an epoch names no epoch", () => {
  const ended = (columns: number | undefined, ...steps: number[]) => {
    const events = steps.map((number) => step(number, { totalSteps: 2 }));
    const end: Event = (report) => report.end({ steps: 2, aborted: false } as TrainResult);
    return last(columns, ...events, end).replace("\r\x1b[J", "");
  };
  for (const columns of [undefined, 120]) {
    for (const steps of [[1, 2], [2]]) {
      assert.equal(ended(columns, ...steps), `step 2/2  ${LOSSES}\ntrained 2 steps in 0s\n`);
    }
  }
  // The lines before it may name the epoch; a run that was stopped after one has nothing to add.
  assert.equal(ended(undefined, 1), "trained 2 steps in 0s\n");
});

Deno.test("progress: a program gets events, nobody gets nothing", () => {
  const events = [
    { type: "message", text: "hello" },
    { type: "step", ...STEP, step: 1, generatorLoss: "NaN" },
    { type: "image", step: 1, epoch: 1, path: "a.png" },
  ];
  const json = events.map((event) => JSON.stringify(event) + "\n").join("");
  for (const quiet of [true, false]) {
    const out = output();
    const report = new RunReport(out, { json: true, quiet });
    report.message("hello");
    report.step({ ...STEP, step: 1, generatorLoss: NaN });
    report.image({ step: 1, epoch: 1, images: new Float32Array(9), columns: 3, path: "a.png" });
    assert.equal(out.text, quiet ? "" : json);
  }
});

Deno.test("progress: durations and bars", () => {
  const durations = [0, 59.6, 200, 3725, -1].map(duration);
  assert.deepEqual(durations, ["0s", "1m 00s", "3m 20s", "1h 02m", "0s"]);
  assert.deepEqual([bar(0, 4), bar(0.5, 4), bar(2, 4)], ["░░░░", "██░░", "████"]);
});

Deno.test("report: output on a full disk is dropped, and a reader that has gone stops the run", () => {
  let [written, code, gone] = ["", "", 0];
  const write = (text: string) => {
    if (code) throw Object.assign(new Error(code), { code });
    written += text;
  };
  const out = untilGone({ ...output(), write }, () => gone++);
  const writes = (text: string, failure = "") => {
    code = failure;
    out.write(text);
    return [written, gone];
  };
  assert.deepEqual(writes("a"), ["a", 0]);
  assert.deepEqual(writes("b", "ENOSPC"), ["a", 0]);
  assert.deepEqual(writes("c"), ["ac", 0]);
  assert.throws(() => writes("d", "EBADF"), { code: "EBADF" });
  assert.deepEqual(writes("e", "EIO"), ["ac", 1]); // The terminal was closed.
  assert.deepEqual(writes("f", "EIO"), ["ac", 1]);
  assert.deepEqual(writes("g"), ["ac", 1]);
});
