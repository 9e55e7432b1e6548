import assert from "node:assert/strict";
import { NODE } from "../../src/files/node.ts";
import { type FileSystem, isReason } from "../../src/files/file_system.ts";

const SYSTEMS: Readonly<Record<string, FileSystem>> = { Deno, Node: NODE };

for (const [name, system] of Object.entries(SYSTEMS)) {
  Deno.test(`${name}'s file system: a file is written, read, cut, renamed and removed`, async () => {
    const dir = await Deno.makeTempDir();
    const [path, other] = [`${dir}/a/b/file`, `${dir}/a/b/other`];
    await system.mkdir(`${dir}/a/b`, { recursive: true });
    await system.mkdir(`${dir}/a/b`, { recursive: true });
    {
      using file = await system.open(path, { write: true, createNew: true });
      assert.equal(await file.write(new Uint8Array([1, 2, 3, 4])), 4);
      await file.sync();
      await file.truncate(3);
      await file.seek(1, 0);
      await file.write(new Uint8Array([9]));
      const { size, isFile, ino } = await file.stat();
      assert.deepEqual({ size, isFile, ino }, {
        size: 3,
        isFile,
        ino: (await Deno.stat(path)).ino,
      });
    }
    assert.deepEqual([...await system.readFile(path)], [1, 9, 3]);
    {
      using file = await system.open(path);
      const chunk = new Uint8Array(2);
      const counts = [await file.read(chunk), await file.read(chunk), await file.read(chunk)];
      assert.deepEqual([counts, ...chunk], [[2, 1, null], 3, 9]);
    }
    await system.rename(path, other);
    await Deno.symlink("other", path);
    assert.equal((await system.lstat(path)).isSymlink, true);
    assert.equal((await system.stat(path)).isFile, true);
    const entries = (await Array.fromAsync(system.readDir(`${dir}/a/b`)))
      .map(({ name, isFile, isSymlink }) => ({ name, isFile, isSymlink }))
      .sort((a, b) => a.name < b.name ? -1 : 1);
    assert.deepEqual(entries, [
      { name: "file", isFile: false, isSymlink: true },
      { name: "other", isFile: true, isSymlink: false },
    ]);
    for (const path of ["a/b/file", "a/b/other", "a/b", "a"]) await system.remove(`${dir}/${path}`);
    assert.deepEqual(await Array.fromAsync(system.readDir(dir)), []);
    await Deno.remove(dir);
  });

  Deno.test(`${name}'s file system: reasons have names and codes`, async () => {
    const dir = await Deno.makeTempDir();
    await Deno.writeTextFile(`${dir}/file`, "");
    const refused = (call: Promise<unknown>, ...reasons: string[]) =>
      assert.rejects(call, (error: Error & { code?: string }) => {
        assert.ok(isReason(error, ...reasons), `${error.name} is none of ${reasons}`);
        assert.match(error.code ?? "", /^E/);
        return true;
      });
    await refused(system.readFile(`${dir}/none`), "NotFound");
    await refused(system.stat(`${dir}/none`), "NotFound");
    await refused(system.stat(`${dir}/file/below`), "NotADirectory");
    await refused(Array.fromAsync(system.readDir(`${dir}/none`)), "NotFound");
    await refused(system.open(`${dir}/file`, { write: true, createNew: true }), "AlreadyExists");
    await refused(system.open(`${dir}/none`, { write: true }), "NotFound");
    await Deno.remove(dir, { recursive: true });
  });

  Deno.test(`${name}'s file system: a locked file is not locked again until it is closed`, async () => {
    const path = await Deno.makeTempFile();
    const open = () => system.open(path, { read: true, write: true, create: true });
    const first = await open();
    using second = await open();
    assert.equal(await first.tryLock(true), true);
    assert.equal(await second.tryLock(true), false);
    first.close();
    assert.equal(await second.tryLock(true), true);
    await Deno.remove(path);
  });
}

Deno.test("Node's lock: the number of a process that has ended does not hold a file", async () => {
  const path = await Deno.makeTempFile();
  for (const [pid, free] of [[2 ** 30, true], [Deno.ppid, false]] as const) {
    await Deno.writeTextFile(path, `${pid}\n`);
    using file = await NODE.open(path, { write: true });
    assert.equal(await file.tryLock(true), free, `process ${pid}`);
  }
  await Deno.remove(path);
});
