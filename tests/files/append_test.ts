/** Files that grow, under every log: what waits, what is written, and what if it cannot be. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { AppendFile } from "../../src/files/append.ts";
import { full } from "../support/bad_disk.ts";
import { inFolder } from "../support/folder.ts";
import { stepsTo } from "../support/training.ts";

const { write } = Deno.FsFile.prototype;

/** A new file. `read` gives the numbers in its lines. */
async function opened(path: string) {
  const log = await AppendFile.open(path);
  const read = async () => (await Deno.readTextFile(path)).match(/.*\n/g)?.map(Number) ?? [];
  const add = (n: number, bytes = 0) =>
    log.add(new TextEncoder().encode(`${n}`.padEnd(bytes) + "\n"));
  return { log, file: log["file"], add, read };
}

type Opened = Awaited<ReturnType<typeof opened>>;

const test = (name: string, body: (opened: Opened) => Promise<void>) =>
  Deno.test(`append: ${name}`, () =>
    inFolder(async (dir) => {
      const file = await opened(join(dir, "log"));
      await body(file);
      await file.log.close();
    }));

test("entries wait for a flush, and flushes at once keep their order", async ({ log, add, read }) => {
  add(1);
  assert.deepEqual(await read(), []);
  const flushes = [log.flush()];
  for (const n of stepsTo(50, 2)) {
    add(n);
    flushes.push(log.flush({ sync: n === 30 }));
  }
  await Promise.all(flushes);
  assert.deepEqual(await read(), stepsTo(50));
  add(51);
  await log.close();
  await log.close();
  assert.deepEqual(await read(), stepsTo(51));
  assert.throws(() => add(52), /it is closed/);
  await log.flush();
});

test("what is added while a flush writes comes with the next one", async ({ log, file, add, read }) => {
  add(1);
  file.write = async (bytes) => {
    add(2);
    return await write.call(file, bytes);
  };
  await log.flush();
  file.write = write;
  assert.deepEqual(await read(), [1]);
  await log.flush();
  assert.deepEqual(await read(), [1, 2]);
});

test("what could not be written leaves no half entry, and the next flush writes it", async (opened) => {
  const { log, file, add, read } = opened;
  add(1);
  await log.flush();
  add(2, 200);
  let calls = 0;
  file.write = async (bytes) => { // A disk that fills up within an entry.
    if (calls++ > 0) throw full();
    return await write.call(file, bytes.subarray(0, 20));
  };
  await assert.rejects(log.flush(), /Cannot write .*log: No space left on device/);
  assert.equal(await Deno.readTextFile(log.path), "1\n");
  add(3);
  file.write = write;
  await log.flush();
  assert.deepEqual(await read(), [1, 2, 3]);
});

test("what cannot be written is held, up to 16 MiB, and the newest is written at last", async (opened) => {
  const { log, file, add, read } = opened;
  file.write = () => Promise.reject(full());
  for (let n = 0; n < 40; n++) {
    add(n, 2 ** 20 - 1);
    await assert.rejects(log.flush(), /Free some space/);
  }
  assert.equal(log.lost, 24);
  file.write = write;
  await log.close();
  assert.deepEqual(await read(), stepsTo(39, 24));
});
