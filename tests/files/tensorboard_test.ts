import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG, TensorBoardLog } from "../../mod.ts";
import type { AppendFile } from "../../src/files/append.ts";
import { encodeRecord } from "../../src/formats/tfrecord.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder } from "../support/folder.ts";
import { readEvents } from "../support/tensorboard.ts";

/** A folder that does not exist yet. */
const withFolder = (test: (folder: string) => Promise<void>) =>
  inFolder((dir) => test(join(dir, "tensorboard")));

const filesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("tensorboard: checksums are those that the format's own writers write", () => {
  // The record of an empty event, as any TFRecord writer has it: zeros' checksum, then nothing's.
  assert.equal(encodeRecord(new Uint8Array()).toHex(), "000000000000000029039807d8ea82a2");
});

Deno.test("tensorboard: a file begins with its version and the start of the session", () =>
  withFolder(async (folder) => {
    const before = Date.now() / 1000;
    await (await TensorBoardLog.open(folder)).close();
    const [name, ...others] = filesIn(folder);
    assert.deepEqual(others, []);
    assert.match(name, /^events\.out\.tfevents\.\d{10}\.dcgan\.\d+$/);
    const events = await readEvents(join(folder, name));
    assert.equal(events.length, 2);
    assert.equal(events[0].fileVersion, "brain.Event:2");
    assert.ok(events[0].wallTime >= before && events[0].wallTime <= Date.now() / 1000);
    assert.deepEqual([events[1].step, events[1].sessionLog?.status], [1, "START"]);
  }));

Deno.test("tensorboard: scalars keep their steps, tags and values, those that are not finite too", () =>
  withFolder(async (folder) => {
    const log = await TensorBoardLog.open(folder);
    log.scalars(1, { "loss/generator": 0.5, "loss/discriminator": 1.25 });
    log.scalars(2, { "loss/generator": NaN, "loss/discriminator": -Infinity });
    log.scalars(2 ** 40, { "distance ü": 3 });
    await log.close();
    const events = (await readEvents(log.path)).slice(2);
    const values = (i: number) =>
      events[i].summary?.value.map(({ tag, simpleValue }) => [tag, simpleValue]);
    assert.deepEqual(events.map(({ step }) => step), [1, 2, 2 ** 40]);
    assert.deepEqual(values(0), [["loss/generator", 0.5], ["loss/discriminator", 1.25]]);
    assert.deepEqual(values(1), [["loss/generator", NaN], ["loss/discriminator", -Infinity]]);
    assert.deepEqual(values(2), [["distance ü", 3]]);
  }));

Deno.test("tensorboard: images carry their size, their colors and the PNG file itself", () =>
  withFolder(async (folder) => {
    const log = await TensorBoardLog.open(folder);
    const pngs = [1, 2, 3, 4].map((channels) =>
      encodePNG({ width: 5, height: 2, channels, data: new Uint8Array(10 * channels).fill(99) })
    );
    pngs.forEach((png, i) => log.image(i + 1, "images", png));
    await log.close();
    const events = (await readEvents(log.path)).slice(2);
    assert.deepEqual(events.map(({ step }) => step), [1, 2, 3, 4]);
    events.forEach(({ summary }, i) => {
      const [{ tag, image }] = summary!.value;
      assert.deepEqual([tag, image?.width, image?.height], ["images", 5, 2]);
      assert.equal(image?.colorspace, i + 1); // gray, gray with alpha, RGB, RGBA
      assert.deepEqual(new Uint8Array(image!.encodedImageString), pngs[i]);
    });
  }));

Deno.test("tensorboard: what is no PNG file, or no step, is refused", () =>
  withFolder(async (folder) => {
    await using log = await TensorBoardLog.open(folder);
    const png = encodePNG({ width: 2, height: 2, channels: 1, data: new Uint8Array(4) });
    const refused = (act: () => void, message: RegExp) =>
      assert.throws(act, errorOf(RangeError, message));
    refused(() => log.image(1, "p", new Uint8Array(100)), /100 bytes is not a PNG file/);
    for (const size of [0, 3, 15, 20]) {
      refused(() => log.image(1, "p", png.slice(0, size)), / \d+ bytes is not a PNG file/);
    }
    refused(() => log.image(1, "p", png.with(13, 0)), /not a PNG file/);
    refused(() => log.image(1, "p", png.with(25, 5)), /not a PNG file/);
    refused(() => log.scalars(-1, {}), /at least 0, got -1/);
    refused(() => log.scalars(1.5, {}), /whole number of at least 0, got 1\.5/);
    await log.flush();
    assert.equal((await readEvents(log.path)).length, 2);
  }));

Deno.test("tensorboard: a resumed run begins a file that is read last, at the first step to come", () =>
  withFolder(async (folder) => {
    const first = await TensorBoardLog.open(folder);
    first.scalars(21, { "loss/generator": 1 });
    await first.close();
    const before = await Deno.readFile(first.path);
    // At once, in the same second: TensorBoard reads by name.
    const second = await TensorBoardLog.open(folder, { afterStep: 20 });
    second.scalars(21, { "loss/generator": 2 });
    await second.close();
    assert.deepEqual(filesIn(folder).map((name) => join(folder, name)), [first.path, second.path]);
    assert.deepEqual(await Deno.readFile(first.path), before);
    const [version, start, value] = await readEvents(second.path);
    assert.equal(version.fileVersion, "brain.Event:2");
    // TensorBoard drops what it has of this step and later ones.
    assert.deepEqual([start.step, start.sessionLog?.status], [21, "START"]);
    assert.equal(value.step, 21);
  }));

Deno.test("tensorboard: a new run removes our event files, and nobody else's", () =>
  withFolder(async (folder) => {
    await (await TensorBoardLog.open(folder)).close();
    await (await TensorBoardLog.open(folder, { afterStep: 1 })).close();
    const others = ["events.out.tfevents.1700000000.elsewhere.7", "notes.txt"];
    for (const name of others) await Deno.writeTextFile(join(folder, name), "");
    const log = await TensorBoardLog.open(folder);
    await log.close();
    assert.deepEqual(
      filesIn(folder).map((name) => join(folder, name)).sort(),
      [
        ...others.map((name) => join(folder, name)),
        log.path,
      ].sort(),
    );
  }));

Deno.test("tensorboard: what could not be written leaves no half record, and is written later", () =>
  withFolder(async (folder) => {
    const log = await TensorBoardLog.open(folder);
    log.scalars(1, { a: 1 });
    const file = (log["file"] as AppendFile)["file"];
    file.write = (bytes) => { // A disk that fills up within a record.
      if (bytes.length < 20) throw new Error("No space left on device (os error 28)");
      return Deno.FsFile.prototype.write.call(file, bytes.subarray(0, bytes.length - 5));
    };
    await assert.rejects(log.flush(), /Cannot write .*: No space left on device/);
    assert.equal((await readEvents(log.path)).length, 2);
    file.write = Deno.FsFile.prototype.write;
    log.scalars(2, { a: 2 });
    await log.close();
    await log.close();
    assert.deepEqual((await readEvents(log.path)).slice(2).map(({ step }) => step), [1, 2]);
    assert.throws(() => log.scalars(3, { a: 3 }), /it is closed/);
  }));
