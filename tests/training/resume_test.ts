/** Runs that stop in the ways runs stop, each in a process of its own, and go on. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import type { Position } from "../../src/training/position.ts";
import { DCGAN, TINY } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";
import { output, signaled } from "../support/process.ts";
import { checkpoints, logged, stateOf, temporary } from "../support/run_state.ts";
import { WORKER } from "../support/training.ts";

/** A small run on MNIST by the command line. */
const TRAIN = [...DCGAN, "train", ...TINY, "--no-calibrate", "--json"];

/** Trains to the end, which must succeed; gives what was printed. */
const train = (dir: string, maxSteps: number, ...rest: string[]) =>
  output([...WORKER, dir, String(maxSteps), ...rest]);

const { straight, straightLog } = await inFolder(async (dir) => {
  await train(dir, 12);
  return { straight: await stateOf(dir), straightLog: await logged(dir) };
});

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
      const { signal } = await signaled([...WORKER, dir, "1000"], pattern, "SIGKILL");
      assert.equal(signal, "SIGKILL");
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
    const args = [...WORKER, dir, "1000"];
    await signaled(args, /step-2\./, "SIGKILL");
    await signaled([...args, "resume"], /step-4\./, "SIGKILL");
    await signaled([...args, "resume"], /step-7\./, "SIGKILL");
    await train(dir, 12, "resume");
    assert.deepEqual(await stateOf(dir), straight);
    assert.deepEqual(await logged(dir), straightLog);
  }));

Deno.test("resume: after Ctrl-C in the middle of an epoch the command line goes on, bit for bit", () =>
  inFolder(async (dir) => {
    const main = [...TRAIN, "--checkpoint-minutes=60"];
    const env = { INIT_CWD: dir };
    const { code, text } = await signaled([...main, "--out=a"], /"type":"step"/, "SIGINT", { env });
    assert.equal(code, 130, "interrupted");
    const end = JSON.parse(text.trim().split("\n").at(-1)!);
    assert.equal(end.type, "end");
    assert.ok(end.aborted && end.steps < 938, `${end.steps} steps`);
    const rest = [`--max-steps=${end.steps + 5}`];
    await output([...main, "--out=a", "--resume", ...rest], { env });
    await output([...main, "--out=b", ...rest], { env });
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
    for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (/"type":"step"/.test(text)) break; // closes the pipe
    }
    process.kill("SIGINT");
    await process.status;
    assert.equal(await errors, "");
    assert.equal((await checkpoints(join(dir, "a"))).length, 1);
  }));
