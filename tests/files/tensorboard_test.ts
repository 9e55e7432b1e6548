import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { encodeRecord } from "../../src/formats/tfrecord.ts";
import { TensorBoardLog } from "../../src/training/tensorboard_log.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder, put } from "../support/folder.ts";
import { readEvents } from "../support/tensorboard.ts";
import { namesIn } from "../support/training.ts";

/** A test with a folder that does not exist yet. */
const test = (name: string, body: (folder: string) => Promise<void>) =>
  Deno.test(`tensorboard: ${name}`, () => inFolder((dir) => body(join(dir, "tensorboard"))));

/** The events of a new file after its beginning. */
async function logged(folder: string, write: (log: TensorBoardLog) => void) {
  const log = await TensorBoardLog.open(folder);
  write(log);
  await log.close();
  return (await readEvents(log.path)).slice(2);
}

Deno.test("tensorboard: checksums are those that the format's own writers write", () => {
  // The record of an empty event, as any TFRecord writer has it: zeros' checksum, then nothing's.
  assert.equal(encodeRecord(new Uint8Array()).toHex(), "000000000000000029039807d8ea82a2");
});

test("a file begins with its version and the start of the session", async (folder) => {
  const before = Date.now() / 1000;
  await (await TensorBoardLog.open(folder)).close();
  const [name, ...others] = namesIn(folder);
  assert.deepEqual(others, []);
  assert.match(name, /^events\.out\.tfevents\.\d{10}\.dcgan\.\d+$/);
  const [version, start, ...rest] = await readEvents(join(folder, name));
  assert.deepEqual(rest, []);
  assert.equal(version.fileVersion, "brain.Event:2");
  assert.ok(version.wallTime >= before && version.wallTime <= Date.now() / 1000);
  assert.deepEqual([start.step, start.sessionLog?.status], [1, "START"]);
});

test("scalars keep their steps, tags and values, those that are not finite too", async (folder) => {
  const events = await logged(folder, (log) => {
    log.scalars(1, { "loss/generator": 0.5, "loss/discriminator": 1.25 });
    log.scalars(2, { "loss/generator": NaN, "loss/discriminator": -Infinity });
    log.scalars(2 ** 40, { "distance ü": 3 });
  });
  const values = events.map(({ step, summary }) => [
    step,
    summary?.value.map(({ tag, simpleValue }) => [tag, simpleValue]),
  ]);
  assert.deepEqual(values, [
    [1, [["loss/generator", 0.5], ["loss/discriminator", 1.25]]],
    [2, [["loss/generator", NaN], ["loss/discriminator", -Infinity]]],
    [2 ** 40, [["distance ü", 3]]],
  ]);
});

test("images carry their size, their colors and the PNG file itself", async (folder) => {
  const pngs = [1, 2, 3, 4].map((channels) =>
    encodePNG({ width: 5, height: 2, channels, data: new Uint8Array(10 * channels).fill(99) })
  );
  const events = await logged(folder, (log) => {
    pngs.forEach((png, i) => log.image(i + 1, "images", png));
  });
  assert.deepEqual(events.map(({ step }) => step), [1, 2, 3, 4]);
  events.forEach(({ summary }, i) => {
    const [{ tag, image }] = summary!.value;
    assert.deepEqual([tag, image?.width, image?.height], ["images", 5, 2]);
    assert.equal(image?.colorspace, i + 1); // gray, gray with alpha, RGB, RGBA
    assert.deepEqual(new Uint8Array(image!.encodedImageString), pngs[i]);
  });
});

test("what is no PNG file, or no step, is refused", async (folder) => {
  const png = encodePNG({ width: 2, height: 2, channels: 1, data: new Uint8Array(4) });
  const events = await logged(folder, (log) => {
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
  });
  assert.deepEqual(events, []);
});

test("a resumed run begins a file that is read last, at the first step to come", async (folder) => {
  const first = await TensorBoardLog.open(folder);
  first.scalars(21, { "loss/generator": 1 });
  await first.close();
  const before = await Deno.readFile(first.path);
  // At once, in the same second: TensorBoard reads by name.
  const second = await TensorBoardLog.open(folder, { afterStep: 20 });
  second.scalars(21, { "loss/generator": 2 });
  await second.close();
  assert.deepEqual(namesIn(folder).map((name) => join(folder, name)), [first.path, second.path]);
  assert.deepEqual(await Deno.readFile(first.path), before);
  const [version, start, value] = await readEvents(second.path);
  assert.equal(version.fileVersion, "brain.Event:2");
  // TensorBoard drops what it has of this step and later ones.
  assert.deepEqual([start.step, start.sessionLog?.status], [21, "START"]);
  assert.equal(value.step, 21);
});

test("a new run removes our event files, and nobody else's", async (folder) => {
  for (const afterStep of [0, 1]) await (await TensorBoardLog.open(folder, { afterStep })).close();
  const others = ["events.out.tfevents.1700000000.elsewhere.7", "notes.txt"];
  await put(folder, Object.fromEntries(others.map((name) => [name, ""])));
  const log = await TensorBoardLog.open(folder);
  await log.close();
  const expected = [...others.map((name) => join(folder, name)), log.path].sort();
  assert.deepEqual(namesIn(folder).map((name) => join(folder, name)), expected);
});
