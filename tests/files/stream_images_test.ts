/** Images that are read from one file while they are trained: those that `loadImages` gives. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { zipSync } from "npm:fflate@0.8.3";
import { DataError, encodePNG, loadImages, streamImages } from "../../mod.ts";
import { errorOf } from "../support/errors.ts";
import { put, withFiles } from "../support/folder.ts";
import { listen, namesIn } from "../support/training.ts";

const png = (value: number) =>
  encodePNG({ width: 12, height: 8, channels: 1, data: new Uint8Array(96).fill(value) });
const FILES = {
  "set/dog/1.png": png(3),
  "set/cat/2.png": png(2),
  "set/cat/1.png": png(1),
  "set/cat/bad.png": "no image",
};
const OPTIONS = { size: [8, 8], background: 9, fit: "pad" } as const;

Deno.test("stream: the same images as in memory, in any order", () =>
  withFiles(FILES, async (dir) => {
    const [set, cacheDir] = [join(dir, "set"), join(dir, "cache")];
    const { messages, onMessage } = listen();
    const options = { ...OPTIONS, cacheDir, onMessage };
    const whole = await loadImages(set, { ...OPTIONS, channels: 3 });
    using streamed = await streamImages(set, options);
    const { count, height, width, channels, labels, classes, skipped } = streamed;
    assert.deepEqual([count, height, width, channels], [3, 8, 8, 3]);
    assert.deepEqual([labels, classes, skipped], [whole.labels, whole.classes, whole.skipped]);
    assert.deepEqual(await streamed.read(Uint32Array.of(0, 1, 2)), whole.images);
    const one = whole.images.subarray(0, 192);
    const two = await streamed.read(Uint32Array.of(2, 0));
    assert.deepEqual(two.subarray(192), one);
    assert.equal((await streamed.read(new Uint32Array())).length, 0);
    assert.match(messages.join(), /^decoding 4 images into .*cache/);

    // The file is there.
    using again = await streamImages(set, options);
    assert.equal(messages.length, 1);
    assert.deepEqual([again.path, again.id, again.labels], [streamed.path, streamed.id, labels]);
    assert.equal(namesIn(cacheDir).length, 2);

    // Other options and other images are others; the same images elsewhere are not.
    using gray = await streamImages(set, { ...options, channels: 1 });
    assert.notEqual(gray.id, streamed.id);
    await put(dir, {
      "all.zip": zipSync({ cat: { "1.png": png(1), "2.png": png(2) }, dog: { "1.png": png(3) } }),
    });
    using zip = await streamImages(join(dir, "all.zip"), options);
    assert.equal(zip.id, streamed.id);
    await put(dir, { "set/dog/1.png": png(4) });
    using other = await streamImages(set, options);
    assert.notEqual(other.id, streamed.id);
    assert.equal(namesIn(cacheDir).length, 8);
  }));

Deno.test("stream: a damaged file is made again, or named", () =>
  withFiles(FILES, async (dir) => {
    const [set, cacheDir] = [join(dir, "set"), join(dir, "cache")];
    const { messages, onMessage } = listen();
    const open = () => streamImages(set, { ...OPTIONS, cacheDir, onMessage });
    const { path, id, [Symbol.dispose]: close } = await open();
    close();
    await Deno.writeTextFile(`${path}.json`, "{");
    using again = await open();
    assert.deepEqual([again.path, again.id, messages.length], [path, id, 2]);
    await Deno.truncate(path, 300);
    await assert.rejects(
      again.read(Uint32Array.of(2)),
      errorOf(DataError, path, "cut off", "remove"),
    );
    await assert.rejects(open(), errorOf(DataError, path, "cut off"));
    await Deno.remove(path);
    (await open())[Symbol.dispose]();
    assert.equal(messages.length, 3);
  }));

Deno.test("stream: what cannot be made leaves nothing behind", () =>
  withFiles({ "set/bad.png": "no image", "file": "" }, async (dir) => {
    const [set, cacheDir] = [join(dir, "set"), join(dir, "cache")];
    await assert.rejects(
      streamImages(set, { ...OPTIONS, cacheDir }),
      errorOf(DataError, "bad.png"),
    );
    assert.deepEqual(namesIn(cacheDir), []);
    const inTheWay = { ...OPTIONS, cacheDir: join(dir, "file/cache") };
    await assert.rejects(streamImages(set, inTheWay), /Cannot make the folder .*file/);
    const noSize = {} as typeof OPTIONS;
    await assert.rejects(streamImages(set, noSize), errorOf(RangeError, "`size` (--image-size)"));
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(streamImages(set, { ...OPTIONS, cacheDir, signal }), reason);
  }));
