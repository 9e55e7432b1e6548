/**
 * Runs whose process ends at any moment. `deno task faults` kills many more of them, and adds what
 * needs mounts and a terminal.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { decodePNG } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import type { Position } from "../../src/training/position.ts";
import { DCGAN, TINY } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";
import { signaled } from "../support/process.ts";
import { TestRandom } from "../support/random.ts";
import { checkpoints, everything, logged, temporary } from "../support/run_state.ts";
import { namesIn, WORKER } from "../support/training.ts";

/** Three epochs of five steps, and a cut one. */
const STEPS = 17;

/** Kills in all, and the most of one run. */
const KILLS = Deno.args.includes("--long") ? 200 : 10;
const KILLS_A_RUN = 20;

/** Milliseconds after the first sign of life in which a process is killed. */
const LIFE = 1400;

/** Starts the worker, and kills it so many milliseconds after it began, unless it is done before. */
async function train(dir: string, how: string, killAfter = Infinity): Promise<boolean> {
  const process = new Deno.Command("deno", {
    args: [...WORKER, dir, String(STEPS), how],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const _ of process.stdout) {
    if (timer !== undefined || killAfter === Infinity) continue;
    timer = setTimeout(() => {
      try {
        process.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // It has ended.
      }
    }, killAfter);
  }
  clearTimeout(timer);
  const { code, signal } = await process.status;
  assert.ok(signal === "SIGKILL" || code === 0, `exit code ${code}`);
  return signal === "SIGKILL";
}

/** Whatever is there is whole, at every moment. */
async function requireReadable(dir: string): Promise<void> {
  for (const path of await checkpoints(dir)) await readCheckpoint(path);
  for await (const { name } of Deno.readDir(dir)) {
    const path = join(dir, name);
    if (name.endsWith(".png")) decodePNG(await Deno.readFile(path), name);
    if (name === "run.json") JSON.parse(await Deno.readTextFile(path));
    if (name === "metrics.jsonl") await logged(dir);
  }
}

Deno.test(`faults: killed at ${KILLS} random moments and resumed each time, a run gives the same bits`, async () => {
  const straight = await inFolder(async (dir) => {
    await train(dir, "new");
    return await everything(dir);
  });
  const random = new TestRandom("moments");
  let kills = 0;
  for (let run = 1; kills < KILLS; run++) {
    await inFolder(async (dir) => {
      const next = async () => (await checkpoints(dir)).length ? "resume" : "overwrite";
      for (let of = 0; of < KILLS_A_RUN && kills < KILLS; of++) {
        if (!await train(dir, await next(), random.between(0, LIFE))) break;
        kills++;
        await requireReadable(dir);
      }
      await train(dir, await next());
      assert.deepEqual(await everything(dir), straight, `run ${run}`);
      assert.deepEqual(temporary(dir), []);
    });
  }
});

const TRAIN = [...DCGAN, "train", ...TINY, "--no-calibrate", "--json", "--out=a"];

/** The first step of a run in the output. */
const STEP = /"type":"step"/;

for (const [signal, exitCode] of [["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test({
    name: `faults: ${signal} stops the command line as Ctrl-C does, with exit code ${exitCode}`,
    ignore: Deno.build.os === "windows",
    fn: () =>
      inFolder(async (dir) => {
        const { code, text } = await signaled(TRAIN, STEP, signal, { env: { INIT_CWD: dir } });
        assert.equal(code, exitCode, text);
        assert.equal(JSON.parse(text.trim().split("\n").at(-1)!).aborted, true);
        const [path] = await checkpoints(join(dir, "a"));
        assert.match(path, /ckpt-0001-step-\d+\.safetensors$/);
        await readCheckpoint(path);
        assert.deepEqual(temporary(join(dir, "a")), []);
      }),
  });
}

const { state: script } = await Deno.permissions.query({ name: "run", command: "script" });

Deno.test({
  name: "faults: a terminal that is closed leaves a checkpoint and the whole log",
  // Linux' `script` makes a terminal, which is gone when it is killed.
  ignore: Deno.build.os !== "linux" || script !== "granted",
  fn: () =>
    inFolder(async (dir) => {
      const line = ["deno", ...TRAIN].join(" ");
      const how = { program: "script", env: { INIT_CWD: dir } };
      await signaled(["-qec", line, "/dev/null"], STEP, "SIGKILL", how);
      const run = join(dir, "a");
      // The lock's file goes last; it is a process of its own whose end cannot be waited for.
      for (let tries = 0; tries < 300; tries++) {
        const names = namesIn(run);
        if (names.includes("dcgan.gif") || !names.includes("run.lock")) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const [path] = await checkpoints(run);
      const { position } = await readCheckpoint<Position>(path);
      assert.equal((await logged(run)).length, position.steps);
    }),
});
