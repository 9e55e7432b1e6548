import assert from "node:assert/strict";
import type { TrainResult } from "../../mod.ts";
import { bar, duration, type Output, painter, Report } from "../../src/cli/report.ts";
import { type ReportOptions, RunReport, untilGone } from "../../src/cli/report.ts";

function output(isTerminal: boolean, width = 120) {
  const out: Output & { text: string; width: number } = {
    ...{ text: "", isTerminal, width },
    columns: () => out.width,
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
    const out = output(false);
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

/** What a run's report writes to a terminal of so many columns, or elsewhere. */
function progress(columns?: number, epochs = 3) {
  const out = output(columns !== undefined, columns);
  return { out, report: new RunReport(out, {}, epochs) };
}

Deno.test("progress: a bar on a terminal, which lines replace", () => {
  const { out, report } = progress(120);
  report.step({ ...STEP, step: 1 });
  report.step({ ...STEP, step: 50, images: 3200 });
  assert.match(out.text, /█+░+ {2}epoch 1\/3 {2}step 50\/100 {2}generator 0\.7000/);
  assert.match(out.text, /images\/s/);
  assert.match(out.text, / left$/);
  assert.ok(!out.text.includes("\n"));
  report.message("hello");
  assert.ok(out.text.endsWith("\r\x1b[Jhello\n"));
});

Deno.test("progress: the bar is there from 40 columns on, and never exceeds the terminal", () => {
  for (const columns of [10, 20, 40, 60, 80, 100, 120, 200]) {
    const { out, report } = progress(columns, 50);
    report.step({ ...STEP, totalSteps: 11_750, step: 1 });
    out.text = "";
    report.step({ ...STEP, totalSteps: 11_750, step: 5000, images: 320_000 });
    const line = out.text.slice("\r\x1b[J".length);
    assert.ok(line.length < columns, `${line.length} of ${columns}`);
    if (columns >= 40) assert.match(line, /^█+░+ {2}/, `${columns} columns`);
    if (columns >= 80) assert.match(line, /0\.7000.* 1\.4000.* left$/, `${columns} columns`);
  }
});

Deno.test("progress: nothing of the bar stays after its terminal was narrowed", () => {
  const { out, report } = progress(120);
  report.step({ ...STEP, step: 1 });
  const { length } = out.text; // One line of 120 columns, three of 40.
  assert.ok(length > 80 && length < 120);
  Object.assign(out, { width: 40, text: "" });
  report.message("hello");
  assert.equal(out.text, "\r\x1b[2A\x1b[Jhello\n");
});

Deno.test("progress: plain lines elsewhere, without control characters", () => {
  const { out, report } = progress();
  report.step({ ...STEP, step: 1 });
  report.step({ ...STEP, step: 2 });
  report.epoch({ ...STEP, step: 2, steps: 2, seconds: 75 });
  const losses = "generator 0.7000  discriminator 1.4000";
  const [step, epoch] = [`step 1/100  ${losses}`, `${losses}  1m 15s`];
  assert.equal(out.text, `epoch 1/3  ${step}\nepoch 1/3  ${epoch}\n`);
});

Deno.test("progress: the last step of a run that ends within an epoch names no epoch", () => {
  const last = (columns: number | undefined, ...steps: number[]) => {
    const { out, report } = progress(columns);
    for (const step of steps) report.step({ ...STEP, step, totalSteps: 2 });
    out.text = "";
    report.end({ steps: 2, aborted: false } as TrainResult);
    return out.text.replace("\r\x1b[J", "").split("\n").slice(0, -1);
  };
  const line = "step 2/2  generator 0.7000  discriminator 1.4000";
  for (const columns of [undefined, 120]) {
    for (const steps of [[1, 2], [2]]) {
      assert.deepEqual(last(columns, ...steps), [line, "trained 2 steps in 0s"]);
    }
  }
  // The lines before it may name the epoch; a run that was stopped after one has nothing to add.
  assert.deepEqual(last(undefined, 1), ["trained 2 steps in 0s"]);
});

Deno.test("progress: a program gets events, nobody gets nothing", () => {
  const of = (options: ReportOptions) => {
    const out = output(false);
    const report = new RunReport(out, options, 3);
    report.message("hello");
    report.step({ ...STEP, step: 1, generatorLoss: NaN });
    report.image({ step: 1, epoch: 1, images: new Float32Array(9), path: "a.png" });
    return out.text;
  };
  assert.deepEqual(of({ json: true }).trimEnd().split("\n").map((line) => JSON.parse(line)), [
    { type: "message", text: "hello" },
    { type: "step", ...STEP, step: 1, generatorLoss: "NaN" },
    { type: "image", step: 1, epoch: 1, path: "a.png" },
  ]);
  for (const json of [false, true]) assert.equal(of({ quiet: true, json }), "");
});

Deno.test("progress: durations and bars", () => {
  const durations = [0, 59.6, 200, 3725, -1].map(duration);
  assert.deepEqual(durations, ["0s", "1m 00s", "3m 20s", "1h 02m", "0s"]);
  assert.deepEqual([bar(0, 4), bar(0.5, 4), bar(2, 4)], ["░░░░", "██░░", "████"]);
});

Deno.test("report: output on a full disk is dropped, and a reader that has gone stops the run", () => {
  const written: string[] = [];
  let code: string | undefined;
  let gone = 0;
  const write = (text: string) => {
    if (code) throw Object.assign(new Error(code), { code });
    written.push(text);
  };
  const out = untilGone({ isTerminal: false, columns: () => 80, write }, () => gone++);
  const writes = (text: string, failure?: string) => {
    code = failure;
    out.write(text);
  };
  writes("a");
  writes("b", "ENOSPC");
  writes("c");
  assert.throws(() => writes("d", "EBADF"), { code: "EBADF" });
  assert.equal(gone, 0);
  writes("e", "EIO"); // The terminal was closed.
  writes("f", "EIO");
  writes("g");
  assert.deepEqual([gone, written], [1, ["a", "c"]]);
});
