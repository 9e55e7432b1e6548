/** Runs that stop in the ways runs stop, each in a process of its own, and go on. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import type { Position } from "../../src/training/position.ts";
import { DCGAN, TINY } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";
import { checkpoints, logged, stateOf, temporary } from "../support/run_state.ts";

const DENO = ["run", "--quiet", "--no-prompt", "--allow-read", "--allow-write"];
const WORKER = ["--lock=deno.lock", "--frozen", "tests/support/train_worker.ts"];

/** A small run on MNIST by the command line. */
const TRAIN = [...DCGAN, "train", ...TINY, "--no-calibrate", "--json"];

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Trains to the end, which must succeed; gives what was printed. */
async function train(dir: string, maxSteps: number, ...rest: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: [...DENO, ...WORKER, dir, String(maxSteps), ...rest],
  }).output();
  assert.equal(code, 0, decode(stderr));
  return decode(stdout);
}

/** Starts a process and stops it with a signal when it has printed what matches. */
async function trainUntil(
  args: string[],
  pattern: RegExp,
  signal: Deno.Signal,
  env: Record<string, string> = {},
): Promise<{ text: string; status: Deno.CommandStatus }> {
  const process = new Deno.Command("deno", {
    args,
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let sent = false;
  for await (const chunk of process.stdout) {
    text += decode(chunk);
    if (sent || !pattern.test(text)) continue;
    sent = true;
    process.kill(signal);
  }
  const status = await process.status;
  assert.ok(sent, `it ended before it printed ${pattern}:\n${text}`);
  return { text, status };
}

const straightDir = await Deno.makeTempDir();
await train(straightDir, 12);
const straight = await stateOf(straightDir);
const straightLog = await logged(straightDir);
await Deno.remove(straightDir, { recursive: true });

// Steps 5 and 10 end an epoch; the files of steps within one name the step.
for (
  const [where, pattern] of [
    ["in the middle of the first epoch", /step-3\./],
    ["at the end of an epoch", /ckpt-0001\.safetensors/],
    ["right after it", /step-6\./],
    ["in the second epoch", /step-8\./],
  ] as const
) {
  Deno.test(`resume: a process killed ${where}, resumed to step 12, gives the same bits`, () =>
    inFolder(async (dir) => {
      const args = [...DENO, ...WORKER, dir, "1000"];
      const { status } = await trainUntil(args, pattern, "SIGKILL");
      assert.equal(status.signal, "SIGKILL");
      const reached = (await readCheckpoint<Position>((await checkpoints(dir)).at(-1)!)).position;
      assert.ok(reached.steps < 12, `it was killed too late, at step ${reached.steps}`);
      assert.match(await train(dir, 12, "resume"), /^resumed /m);
      assert.deepEqual(await stateOf(dir), straight);
      assert.deepEqual(await logged(dir), straightLog, "the log has every step once");
      assert.deepEqual(temporary(dir), []);
    }));
}

Deno.test("resume: killed twice, and once more, it gives the same bits", () =>
  inFolder(async (dir) => {
    const args = [...DENO, ...WORKER, dir, "1000"];
    await trainUntil(args, /step-2\./, "SIGKILL");
    await trainUntil([...args, "resume"], /step-4\./, "SIGKILL");
    await trainUntil([...args, "resume"], /step-7\./, "SIGKILL");
    await train(dir, 12, "resume");
    assert.deepEqual(await stateOf(dir), straight);
    assert.deepEqual(await logged(dir), straightLog);
  }));

Deno.test("resume: after Ctrl-C in the middle of an epoch the command line goes on, bit for bit", () =>
  inFolder(async (dir) => {
    const main = [...TRAIN, "--checkpoint-minutes=60"];
    const env = { INIT_CWD: dir };
    const stopped = await trainUntil([...main, "--out=a"], /"type":"step"/, "SIGINT", env);
    assert.equal(stopped.status.code, 130, "interrupted");
    const end = JSON.parse(stopped.text.trim().split("\n").at(-1)!);
    assert.equal(end.type, "end");
    assert.ok(end.aborted && end.steps < 938, `${end.steps} steps`);

    const run = async (...args: string[]) => {
      const { code, stderr } = await new Deno.Command("deno", {
        args: [...main, ...args, `--max-steps=${end.steps + 5}`],
        env,
      }).output();
      assert.equal(code, 0, decode(stderr));
    };
    await run("--out=a", "--resume");
    await run("--out=b");
    assert.deepEqual(await stateOf(join(dir, "a")), await stateOf(join(dir, "b")));
    assert.deepEqual(await logged(join(dir, "a")), await logged(join(dir, "b")));
  }));

Deno.test("resume: Ctrl-C that ends the reader of the output, too, still leaves a checkpoint", () =>
  inFolder(async (dir) => {
    const process = new Deno.Command("deno", {
      args: [...TRAIN, "--out=a"],
      env: { NO_COLOR: "1", INIT_CWD: dir },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const errors = new Response(process.stderr).text();
    // As in `train | tee log`: both processes get the signal, and the other one dies first.
    let text = "";
    for await (const chunk of process.stdout) {
      text += decode(chunk);
      if (/"type":"step"/.test(text)) break; // closes the pipe
    }
    process.kill("SIGINT");
    await process.status;
    assert.equal(await errors, "");
    assert.equal((await checkpoints(join(dir, "a"))).length, 1);
  }));
