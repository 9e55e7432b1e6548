import assert from "node:assert/strict";
import { join } from "node:path";
import { writeFileAtomic } from "../../src/files/atomic.ts";
import { inFolder } from "../support/folder.ts";
import { noise, says } from "../support/image.ts";

Deno.test("atomic write: a new file, an old one, none at all", () =>
  inFolder(async (dir) => {
    const names = () => Array.from(Deno.readDirSync(dir), ({ name }) => name).sort();
    const path = join(dir, "image.png");
    for (const bytes of [noise(100_000), Uint8Array.of(1, 2, 3), new Uint8Array()]) {
      await writeFileAtomic(path, bytes);
      assert.deepEqual(await Deno.readFile(path), bytes);
      assert.deepEqual(names(), ["image.png"]);
    }

    const missing = join(dir, "missing", "a.png");
    await assert.rejects(
      writeFileAtomic(missing, noise(3)),
      says(`Cannot write ${missing}: `, `Create the folder ${join(dir, "missing")} first`),
    );
    await Deno.mkdir(join(dir, "folder"));
    await Deno.writeFile(join(dir, "folder", "inside"), noise(1));
    await assert.rejects(
      writeFileAtomic(join(dir, "folder"), noise(3)),
      says(`Cannot write ${join(dir, "folder")}: `, "A folder is in the way"),
    );
    assert.deepEqual(names(), ["folder", "image.png"]);
  }));

Deno.test({
  name: "atomic write: a missing permission is said, with the flag that gives it",
  permissions: { write: false },
  fn: () =>
    assert.rejects(
      writeFileAtomic("out/a.png", noise(3)),
      says("Cannot write out/a.png", "--allow-write=out"),
    ),
});
