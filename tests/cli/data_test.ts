import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { loadData } from "../../src/cli/data.ts";
import { writeDigits } from "../support/digits.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("data: a folder of IDX files, or of PNG files in it or below it", () =>
  inFolder(async (dir) => {
    const said: string[] = [];
    const load = (data: string) => loadData({ data: join(dir, data) }, (text) => said.push(text));
    await writeDigits(join(dir, "digits"));
    assert.equal((await load("digits")).count, 12);
    await Deno.mkdir(join(dir, "images/cats"), { recursive: true });
    const png = encodePNG({ width: 4, height: 4, channels: 1, data: new Uint8Array(16) });
    await Deno.writeFile(join(dir, "images/cats/a.png"), png);
    assert.equal((await load("images")).count, 1);
    assert.match(said.at(-1)!, /images, 1 images of 4 x 4 x 1 in 1 folders$/);
    await Deno.writeTextFile(join(dir, "images/cats/b.jpg"), "JPEG");
    await load("images");
    assert.match(said.at(-1)!, /^1 other files there were not read, only PNG files are \(b\.jpg/);
  }));

Deno.test("data: a folder of neither says what was looked for and what is there", () =>
  inFolder(async (dir) => {
    const load = (data: string, flags = {}) => loadData({ data, ...flags }, () => {});
    const neither = /has neither MNIST's IDX files .* nor PNG files: it /;
    await assert.rejects(load(dir), neither);
    await assert.rejects(load(dir), /: it is empty$/);
    for (const name of ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]) {
      await Deno.writeTextFile(join(dir, name), "");
    }
    await assert.rejects(load(dir), neither);
    await assert.rejects(load(dir), /: it holds a\.jpg, b\.jpg, c\.jpg, \.\.\.$/);
    await assert.rejects(load(join(dir, "none")), /There is no folder .*none: --data names one/);
    await assert.rejects(load(join(dir, "a.jpg")), /There is no folder .*a\.jpg/);
    await writeDigits(join(dir, "digits"));
    const none = { name: "UsageError", message: /^--channels is for PNG files, and .* has none$/ };
    await assert.rejects(load(join(dir, "digits"), { channels: 3 }), none);
    await assert.rejects(loadData({ channels: 1 }, () => {}), /--data names no folder of them/);
    // Half of MNIST is no folder of another kind: the missing file is named.
    await Deno.remove(join(dir, "digits/train-labels-idx1-ubyte"));
    await assert.rejects(load(join(dir, "digits")), /No train-labels-idx1-ubyte in/);
  }));
