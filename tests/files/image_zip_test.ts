/** Archives of images: the same as their folders, and nothing of what hostile ones ask for. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Zippable, zipSync } from "npm:fflate@0.8.3";
import { DataError, encodePNG, loadImages } from "../../mod.ts";
import { errorOf } from "../support/errors.ts";
import { put, withFiles } from "../support/folder.ts";

const png = (value: number) =>
  encodePNG({ width: 4, height: 4, channels: 1, data: new Uint8Array(16).fill(value) });

/** Loads an archive of these files. */
const load = (files: Zippable, change = (zip: Uint8Array) => zip) =>
  withFiles({ "a.zip": change(zipSync(files)) }, async (dir) => {
    const { images, files, skipped, ...rest } = await loadImages(join(dir, "a.zip"));
    const short = (path: string) => path.slice(dir.length + 1);
    return {
      ...rest,
      values: [...images].filter((_, i) => i % 16 === 0),
      files: files.map(short),
      skipped: skipped.map(({ path, reason }) => `${short(path)}: ${reason}`),
    };
  });

const refused = (files: Zippable, change: (zip: Uint8Array) => Uint8Array, ...said: string[]) =>
  assert.rejects(load(files, change), errorOf(DataError, "a.zip", ...said));
const same = (zip: Uint8Array) => zip;

const TREE = {
  "cat/2.png": png(2),
  "cat/1.png": png(1),
  "cat-tail/1.png": png(3),
  "dog/notes.txt": new Uint8Array(3),
};

Deno.test("zip: an archive is what its folder is, also with a folder around it", async () => {
  await withFiles(TREE, async (dir) => {
    const { images, labels, classes } = await loadImages(dir);
    const found = await load(TREE);
    assert.deepEqual(found.values, [1, 2, 3]);
    assert.deepEqual([...images].filter((_, i) => i % 16 === 0), found.values);
    assert.deepEqual([found.labels, found.classes], [labels, classes]);
    assert.deepEqual(found.classes, ["cat", "cat-tail"]);
    assert.deepEqual(found.files[0], "a.zip/cat/1.png");
    assert.deepEqual(found.skipped, ["a.zip/dog/notes.txt: called .txt"]);
  });
  const mac = { ".DS_Store": png(9), "__MACOSX": { "._1.png": png(9) } };
  const around = await load({
    set: { cat: { "1.png": png(1), deep: { "1.png": png(8) } } },
    ...mac,
  });
  assert.deepEqual([around.values, around.classes], [[1], ["cat"]]);
  assert.deepEqual(around.skipped, ["a.zip/set/cat/deep/1.png: a folder inside of a subfolder"]);
  const flat = await load({ set: { "b.png": png(2), "a.png": png(1) } });
  assert.deepEqual([flat.values, flat.classes, [...flat.labels]], [[1, 2], [], []]);
});

Deno.test("zip: names are never paths", () =>
  withFiles({}, async (dir) => {
    const zip = zipSync({ "../../x/b.png": png(1), "__proto__/c.png": png(2) });
    await put(dir, { "in/a.zip": zip });
    // A name that begins with a dot is hidden.
    const { count, files } = await loadImages(join(dir, "in/a.zip"));
    assert.deepEqual([count, files], [1, [join(dir, "in/a.zip/__proto__/c.png")]]);
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["in"]);
  }));

Deno.test("zip: what is damaged or hostile is refused", async () => {
  const bomb = { "a.png": new Uint8Array(2 ** 20) };
  await refused(bomb, same, "more than", "damaged or hostile");
  // It says that it is small: no more than that is made of it, and this is no image.
  const lie = (zip: Uint8Array) => {
    const view = new DataView(zip.buffer);
    for (let at = 0; at + 4 <= zip.length; at++) {
      if (view.getUint32(at, true) === 2 ** 20) view.setUint32(at, 100, true);
    }
    return zip;
  };
  await refused(bomb, lie, "no PNG, JPEG or WebP image", "has 100 bytes");
  await refused(TREE, (zip) => zip.subarray(0, zip.length >> 1), "cannot be read as a ZIP file");
  await refused(TREE, () => new TextEncoder().encode("no archive"), "cannot be read as a ZIP file");
  await refused({}, same, "No PNG, JPEG or WebP file", "it is empty");
  await refused({ "a.png": png(1), "b/c.png": png(2) }, same, "a.png", "subfolders");
  const twice = (zip: Uint8Array) =>
    Uint8Array.from(zip, (byte, i) => zip[i + 1] === 0x2e && byte === 0x62 ? 0x61 : byte);
  await refused({ "a.png": png(1), "b.png": png(2) }, twice, "two files of one name");
});
