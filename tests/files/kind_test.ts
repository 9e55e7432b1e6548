/** What is at a path; and pipes by the names of files: each is refused by its name, without waiting. */

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import { loadImages, loadMNIST } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { animate } from "../../src/files/images.ts";
import { kindOf } from "../../src/files/kind.ts";
import { readRunRecord } from "../../src/files/run_record.ts";
import { readWeights } from "../../src/files/model_files.ts";
import { MetricsLog, readMetrics } from "../../src/training/metrics_log.ts";
import { inFolder, put } from "../support/folder.ts";
import { output } from "../support/process.ts";
import { guarded } from "../support/watchdog.ts";

const HAS_FIFOS = Deno.build.os !== "windows";

/** Makes named pipes. The tests themselves may run nothing but Deno. */
const makeFifos = (...paths: string[]) =>
  output(["eval", "await new Deno.Command('mkfifo', { args: Deno.args }).output()", ...paths]);

Deno.test("what lies at a path: a file, a directory, something else, or nothing", () =>
  inFolder(async (dir) => {
    await put(dir, { file: "" });
    await Deno.symlink("file", join(dir, "link"));
    await Deno.symlink("nowhere", join(dir, "dangling"));
    if (HAS_FIFOS) await makeFifos(join(dir, "pipe"));
    const names = ["", "file", "link", "nothing", "file/deeper", "dangling", "pipe"];
    const kinds = await Promise.all(names.map((name) => kindOf(join(dir, name))));
    const none = undefined;
    const pipe = HAS_FIFOS ? "other" : none;
    deepEqual(kinds, ["directory", "file", "file", none, none, none, pipe]);
  }));

/** Reads where there is a pipe by the name of a file. */
type Read = (path: string, dir: string) => Promise<unknown>;

const READERS: Readonly<Record<string, readonly [file: string, read: Read, refused?: string]>> = {
  "an IDX file": ["train-images-idx3-ubyte", (_, dir) => loadMNIST({ dir })],
  "a compressed IDX file": ["train-images-idx3-ubyte.gz", (_, dir) => loadMNIST({ dir })],
  "an image": ["x.png", (_, dir) => loadImages(dir)],
  "an image, through a link": ["pipe", async (path, dir) => {
    await Deno.symlink(path, join(dir, "x.png"));
    await loadImages(dir);
  }, "x.png"],
  "a frame": ["image_at_epoch_0001.png", (path) => animate([path], 200)],
  "a checkpoint": ["ckpt-0001.safetensors", (path) => readCheckpoint(path)],
  "weights": ["a.safetensors", (path) => readWeights(path, "generator")],
  "a tfjs model": ["model.json", (path) => readWeights(path, "generator")],
  "a log that is read": ["metrics.jsonl", (path) => Array.fromAsync(readMetrics(path))],
  "a log that is begun": ["metrics.jsonl", (path) => MetricsLog.open(path)],
  "a log that is gone on with": [
    "metrics.jsonl",
    (path) => MetricsLog.open(path, { afterStep: 9 }),
  ],
  // It stops no run.
  "a record of a run": ["run.json", async (path, dir) => {
    const said: string[] = [];
    equal(await readRunRecord(dir, (text) => said.push(text)), undefined);
    ok(said[0].startsWith(`${path} cannot be read (it is not a file`), said[0]);
    throw new Error(said[0]);
  }],
};

Deno.test({
  name: "a pipe by the name of a file is refused",
  ignore: !HAS_FIFOS,
  fn: (t) =>
    inFolder(async (root) => {
      const cases = Object.entries(READERS).map(([what, [file, read, refused = file]], i) => {
        const dir = join(root, `${i}`);
        return { what, dir, path: join(dir, file), refused: join(dir, refused), read };
      });
      for (const { dir } of cases) await Deno.mkdir(dir);
      await makeFifos(...cases.map(({ path }) => path));
      for (const { what, dir, path, refused, read } of cases) {
        await t.step(`it is not ${what}`, async () => {
          const said = ({ message }: Error) => {
            ok(message.includes(refused), message);
            match(message, /it is not a file, but a pipe, a socket or a device; put a file in its/);
            return true;
          };
          try {
            await guarded(() => rejects(read(path, dir), said), 5);
          } finally {
            // Whoever hangs on it goes on.
            (await Deno.open(path, { read: true, write: true })).close();
          }
        });
      }
    }),
});
