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

const test = (name: string, body: (dir: string) => Promise<void>) =>
  Deno.test(`resume: ${name}`, () => inFolder(body));

test("a process that is killed and resumed, again and again, gives the same bits", async (dir) => {
  const [killed, straight] = [join(dir, "killed"), join(dir, "straight")];
  await output([...WORKER, straight, "12"]);
  // Steps 5 and 10 end an epoch; the files of steps within one name the step. So it is killed in the
  // middle of an epoch, at the end of one, right after it, in the next; or a little later.
  const moments = [/step-3\./, /ckpt-0001\.|ckpt-0002/, /step-([6-9]|1\d)\./, /step-([89]|1\d)\./];
  let resume: string[] = [];
  for (const pattern of moments) {
    const { signal } = await signaled([...WORKER, killed, "1000", ...resume], pattern, "SIGKILL");
    assert.equal(signal, "SIGKILL");
    resume = ["resume"];
    const { position } = await readCheckpoint<Position>((await checkpoints(killed)).at(-1)!);
    assert.ok(position.steps < 12, `it was killed too late, at step ${position.steps}`);
  }
  assert.match(await output([...WORKER, killed, "12", "resume"]), /^resumed /m);
  assert.deepEqual(await stateOf(killed), await stateOf(straight));
  assert.deepEqual(await logged(killed), await logged(straight), "the log has every step once");
  assert.deepEqual(temporary(killed), []);
});

/** A small run on MNIST by the command line. */
const TRAIN = [...DCGAN, "train", ...TINY, "--no-calibrate", "--json"];

test("after Ctrl-C in the middle of an epoch the command line goes on, bit for bit", async (dir) => {
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
});

test("Ctrl-C that ends the reader of the output, too, still leaves a checkpoint", async (dir) => {
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
});
