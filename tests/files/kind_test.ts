import { equal } from "node:assert/strict";
import { join } from "node:path";
import { kindOf } from "../../src/files/kind.ts";
import { HAS_FIFOS, makeFifo } from "../support/fifo.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("what lies at a path: a file, a directory, something else, or nothing", () =>
  inFolder(async (dir) => {
    const at = (name: string) => kindOf(join(dir, name));
    await Deno.writeTextFile(join(dir, "file"), "");
    await Deno.symlink("file", join(dir, "link"));
    await Deno.symlink("nowhere", join(dir, "dangling"));
    equal(await kindOf(dir), "directory");
    equal(await at("file"), "file");
    equal(await at("link"), "file");
    for (const name of ["nothing", "file/deeper", "dangling"]) equal(await at(name), undefined);
    if (!HAS_FIFOS) return;
    await makeFifo(join(dir, "pipe"));
    equal(await at("pipe"), "other");
  }));
