import assert from "node:assert/strict";
import type { TrainResult } from "../../mod.ts";
import {
  bar,
  duration,
  type Output,
  painter,
  Report,
  RunReport,
  untilGone,
} from "../../src/cli/report.ts";

function output(isTerminal: boolean, columns = 120) {
  return {
    text: "",
    isTerminal,
    width: columns,
    columns() {
      return this.width;
    },
    write(text: string) {
      this.text += text;
    },
  } satisfies Output & { text: string; width: number };
}

Deno.test("report: people, scripts and programs each get their part", () => {
  const said = (options: { quiet?: boolean; json?: boolean }) => {
    const out = output(false);
    const report = new Report(options, out, (_, text) => text);
    report.note("from", "a.safetensors");
    report.wrote("b.png");
    report.text("a table");
    report.result({ out: "b.png" });
    return out.text;
  };
  assert.equal(said({}), "from     a.safetensors\nwrote    b.png\na table\n");
  assert.equal(said({ quiet: true }), "b.png\na table\n");
  assert.equal(said({ json: true }), '{"out":"b.png"}\n');
  assert.equal(said({ json: true, quiet: true }), '{"out":"b.png"}\n');
});

Deno.test("report: color on a terminal only, and never with NO_COLOR", () => {
  const stream = (terminal: boolean) => ({ isTerminal: () => terminal });
  assert.equal(painter(stream(true), false)("red", "no"), "\x1b[31mno\x1b[39m");
  assert.equal(painter(stream(true), true)("red", "no"), "no");
  assert.equal(painter(stream(false), false)("red", "no"), "no");
});

const STEP = { epoch: 1, generatorLoss: 0.7, discriminatorLoss: 1.4, images: 64, totalSteps: 100 };

Deno.test("progress: a bar on a terminal, which lines replace", () => {
  const out = output(true);
  const report = new RunReport(out, {}, 3);
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
    const out = output(true, columns);
    const report = new RunReport(out, {}, 50);
    const step = { ...STEP, totalSteps: 11_750 };
    report.step({ ...step, step: 1 });
    out.text = "";
    report.step({ ...step, step: 5000, images: 320_000 });
    const line = out.text.slice("\r\x1b[J".length);
    assert.ok(line.length < columns, `${line.length} of ${columns}`);
    if (columns >= 40) assert.match(line, /^█+░+ {2}/, `${columns} columns`);
    if (columns >= 80) assert.match(line, /0\.7000.* 1\.4000.* left$/, `${columns} columns`);
  }
});

Deno.test("progress: nothing of the bar stays after its terminal was narrowed", () => {
  const out = output(true, 120);
  const report = new RunReport(out, {}, 3);
  report.step({ ...STEP, step: 1 });
  const { length } = out.text; // One line of 120 columns, three of 40.
  assert.ok(length > 80 && length < 120);
  out.width = 40;
  out.text = "";
  report.message("hello");
  assert.equal(out.text, "\r\x1b[2A\x1b[Jhello\n");
});

Deno.test("progress: plain lines elsewhere, without control characters", () => {
  const out = output(false);
  const report = new RunReport(out, {}, 3);
  report.step({ ...STEP, step: 1 });
  report.step({ ...STEP, step: 2 });
  const { generatorLoss, discriminatorLoss } = STEP;
  report.epoch({ epoch: 1, step: 2, steps: 2, generatorLoss, discriminatorLoss, seconds: 75 });
  assert.deepEqual(out.text.trimEnd().split("\n"), [
    "epoch 1/3  step 1/100  generator 0.7000  discriminator 1.4000",
    "epoch 1/3  generator 0.7000  discriminator 1.4000  1m 15s",
  ]);
});

Deno.test("progress: the last step of a run that ends within an epoch names no epoch", () => {
  const end = { steps: 2, aborted: false } as TrainResult;
  const last = (isTerminal: boolean, ...steps: number[]) => {
    const out = output(isTerminal);
    const report = new RunReport(out, {}, 3);
    for (const step of steps) report.step({ ...STEP, step, totalSteps: 2 });
    out.text = "";
    report.end(end);
    return out.text.replace("\r\x1b[J", "").split("\n").slice(0, -1);
  };
  const line = "step 2/2  generator 0.7000  discriminator 1.4000";
  for (const isTerminal of [false, true]) {
    for (const steps of [[1, 2], [2]]) {
      assert.deepEqual(last(isTerminal, ...steps), [line, "trained 2 steps in 0s"]);
    }
  }
  // The lines before it may name the epoch; a run that was stopped after one has nothing to add.
  assert.deepEqual(last(false, 1), ["trained 2 steps in 0s"]);
});

Deno.test("progress: a program gets events, nobody gets nothing", () => {
  const of = (options: { quiet?: boolean; json?: boolean }) => {
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
  assert.equal(of({ quiet: true }), "");
  assert.equal(of({ quiet: true, json: true }), "");
});

Deno.test("progress: durations and bars", () => {
  const durations = [0, 59.6, 200, 3725, -1].map(duration);
  assert.deepEqual(durations, ["0s", "1m 00s", "3m 20s", "1h 02m", "0s"]);
  assert.deepEqual([bar(0, 4), bar(0.5, 4), bar(2, 4)], ["░░░░", "██░░", "████"]);
});

Deno.test("report: output on a full disk is dropped, and a reader that has gone stops the run", () => {
  const written: string[] = [];
  let error: Error | undefined;
  let gone = 0;
  const out = untilGone({
    isTerminal: false,
    columns: () => 80,
    write(text) {
      if (error) throw error;
      written.push(text);
    },
  }, () => gone++);
  const withCode = (code: string) => Object.assign(new Error(code), { code });
  out.write("a");
  error = withCode("ENOSPC");
  out.write("b");
  error = undefined;
  out.write("c");
  error = withCode("EBADF");
  assert.throws(() => out.write("d"), error);
  assert.equal(gone, 0);
  error = withCode("EIO"); // The terminal was closed.
  out.write("e");
  out.write("f");
  error = undefined;
  out.write("g");
  assert.deepEqual([gone, written], [1, ["a", "c"]]);
});
