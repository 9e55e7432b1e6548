import assert from "node:assert/strict";
import { join } from "node:path";
import { zipSync } from "npm:fflate@0.8.3";
import { encodePNG } from "../../mod.ts";
import { loadData } from "../../src/cli/data.ts";
import { writeDigits } from "../support/digits.ts";
import { put, withFiles } from "../support/folder.ts";

const PNG = encodePNG({ width: 4, height: 4, channels: 1, data: new Uint8Array(16) });

Deno.test("data: a folder of IDX files, or of PNG files in it or below it", () =>
  withFiles({ "images/cats/a.png": PNG }, async (dir) => {
    const said: string[] = [];
    const load = (data: string) => loadData({ data: join(dir, data) }, (text) => said.push(text));
    await writeDigits(join(dir, "digits"));
    assert.equal((await load("digits")).count, 12);
    assert.equal((await load("images")).count, 1);
    assert.match(said.at(-1)!, /images, 1 images of 4 x 4 x 1 in 1 folders$/);
    await put(dir, {
      "images/cats/b.jpg": "JPEG",
      "images/cats/c.gif": "",
      "images/cats/d.GIF": "",
    });
    await load("images");
    assert.deepEqual(said.slice(-3, -1), [
      "2 files skipped, called .gif: c.gif, d.GIF",
      "1 file skipped, no PNG, JPEG or WebP image: b.jpg",
    ]);
    await put(dir, { "all.zip": zipSync({ "a.png": PNG, "b.png": PNG }) });
    assert.equal((await load("all.zip")).count, 2);
  }));

Deno.test("data: a folder of neither says what was looked for and what is there", () =>
  withFiles({}, async (dir) => {
    const refuses = (data: string, message: RegExp, flags = {}) =>
      assert.rejects(loadData({ data: join(dir, data), ...flags }, () => {}), message);
    const neither = "has neither MNIST's IDX files .* nor PNG, JPEG or WebP files: it";
    await refuses(".", RegExp(`${neither} is empty$`));
    await put(dir, { "a.gif": "", "b.gif": "", "c.gif": "", "d.gif": "" });
    await refuses(".", RegExp(`${neither} holds a\\.gif, b\\.gif, c\\.gif, \\.\\.\\.$`));
    await refuses("none", /There is no folder .*none: --data names one/);
    await refuses("a.gif", /There is no folder .*a\.gif/);
    await writeDigits(join(dir, "digits"));
    const none = /^UsageError: --channels is for image files, and .* has none$/;
    await refuses("digits", none, { channels: 3 });
    await assert.rejects(loadData({ channels: 1 }, () => {}), /--data names no folder of them/);
    const fashion = loadData({ data: "fashion-mnist", channels: 1 }, () => {});
    await assert.rejects(fashion, /^UsageError: --channels .* --data fashion-mnist has none$/);
    // Half of MNIST is no folder of another kind: the missing file is named.
    await Deno.remove(join(dir, "digits/train-labels-idx1-ubyte"));
    await refuses("digits", /No train-labels-idx1-ubyte in/);
  }));
