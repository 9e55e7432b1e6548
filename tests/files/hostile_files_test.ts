/**
 * Files that the fuzz tests found to be read wrongly, or at too high a price, and those that were known
 * to be: each stays refused, by the error that says why.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { CheckpointError, DataError, decodePNG, loadImages, readMetrics } from "../../mod.ts";
import { cachedRows } from "../../src/files/kernel_cache.ts";
import { parseFlags, UsageError, whole } from "../../src/cli/flags.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { requireState } from "../../src/training/checkpoint.ts";
import { readRunRecord, writeRunRecord } from "../../src/files/run_record.ts";
import type { SafeTensor } from "../../src/formats/safetensors.ts";
import { readTfjsModel } from "../../src/files/model_files.ts";
import { type Position, requirePosition } from "../../src/training/position.ts";
import { RunFolder } from "../../src/files/run_folder.ts";
import { inFolder } from "../support/folder.ts";
import { concat, utf8 } from "../support/fuzz/bytes.ts";
import { headerOf, safetensors } from "../support/fuzz/models.ts";
import { type Chunk, type Header, ihdr, pngFile, rowsOf } from "../support/fuzz/png.ts";

const END: Chunk = { type: "IEND", data: new Uint8Array() };
const idat = (rows: Uint8Array): Chunk => ({
  type: "IDAT",
  data: new Uint8Array(deflateSync(rows)),
});
const chunk = (type: string, data: Uint8Array | readonly number[]): Chunk => ({
  type,
  data: Uint8Array.from(data),
});
const GRAY: Header = { width: 4, height: 4, depth: 8, color: 0 };

function refusedPNG(chunks: readonly Chunk[], reason: RegExp): void {
  assert.throws(() => decodePNG(pngFile(chunks), "a.png"), (error: Error) => {
    assert.ok(error instanceof DataError, error.stack);
    assert.match(error.message, /^a\.png cannot be read as PNG: /);
    assert.match(error.message, reason);
    return true;
  });
}

Deno.test("PNG: a bomb is refused before it is inflated", () => {
  refusedPNG([ihdr(GRAY), idat(new Uint8Array(2 ** 24)), END], /pixels are more than the 20 bytes/);
  const large = ihdr({ ...GRAY, width: 30_000, height: 30_000 });
  refusedPNG([large, idat(new Uint8Array(20)), END], /at most 16777216 are read/);
  const medium = ihdr({ ...GRAY, width: 4000, height: 4000 });
  refusedPNG([medium, idat(new Uint8Array(20)), END], /more than \d+ bytes can hold/);
});

Deno.test("PNG: only the first header counts, and there is one", () => {
  const other = ihdr({ ...GRAY, width: 30_000, height: 30_000 });
  refusedPNG([ihdr(GRAY), other, idat(rowsOf(GRAY, 1)), END], /two headers/);
  refusedPNG([chunk("tEXt", utf8("a\0b")), other, END], /begins with the chunk tEXt/);
});

Deno.test("PNG: compressed profiles and texts are not opened", () => {
  const profile = concat(utf8("icc\0\0"), new Uint8Array(deflateSync(new Uint8Array(2 ** 24))));
  const file = pngFile([ihdr(GRAY), chunk("iCCP", profile), idat(rowsOf(GRAY, 0)), END]);
  assert.equal(decodePNG(file, "a.png").data.length, 16);
  const garbage = chunk("iCCP", [1, 2, 3]);
  const plain = pngFile([ihdr(GRAY), idat(rowsOf(GRAY, 0)), END]);
  const withGarbage = pngFile([ihdr(GRAY), garbage, idat(rowsOf(GRAY, 0)), END]);
  assert.deepEqual(decodePNG(withGarbage), decodePNG(plain));
});

Deno.test("PNG: missing pixels are not black ones", () => {
  const rows = rowsOf(GRAY, 1);
  refusedPNG([ihdr(GRAY), idat(rows.subarray(0, 18)), END], /are 18 bytes, its header says 20/);
  refusedPNG([ihdr(GRAY), END], /cannot be decompressed/);
});

Deno.test("PNG: the palette that an image in colour suggests is none of its own", () => {
  const header: Header = { width: 2, height: 1, depth: 8, color: 2 };
  const rows = Uint8Array.of(0, 1, 2, 3, 4, 5, 6);
  const suggested = chunk("PLTE", [9, 9, 9, 8, 8, 8]);
  const { channels, data } = decodePNG(pngFile([ihdr(header), suggested, idat(rows), END]));
  assert.deepEqual([channels, ...data], [3, 1, 2, 3, 4, 5, 6]);
});

Deno.test("PNG: palettes have at most 256 colours, and transparency for no more than they have", () => {
  const header: Header = { ...GRAY, color: 3 };
  const rest = [idat(new Uint8Array(20)), END];
  refusedPNG([ihdr(header), chunk("PLTE", new Uint8Array(3000)), ...rest], /palette has 3000/);
  const two = chunk("PLTE", [1, 2, 3, 4, 5, 6]);
  refusedPNG([ihdr(header), two, two, ...rest], /two palettes/);
  refusedPNG([ihdr(header), two, chunk("tRNS", [1, 2, 3]), ...rest], /transparency for 3/);
  refusedPNG([ihdr(header), two, chunk("tRNS", [1]), chunk("tRNS", [1]), ...rest], /transparency/);
});

Deno.test("PNG: one transparent colour becomes an alpha channel", () => {
  const gray = pngFile([
    ihdr({ width: 3, height: 1, depth: 2, color: 0 }),
    chunk("tRNS", [0, 2]),
    idat(Uint8Array.of(0, 0b01_10_11_00)),
    END,
  ]);
  assert.deepEqual([...decodePNG(gray).data], [85, 255, 170, 0, 255, 255]);
  const rgb = pngFile([
    ihdr({ width: 2, height: 1, depth: 8, color: 2 }),
    chunk("tRNS", [0, 4, 0, 5, 0, 6]),
    idat(Uint8Array.of(0, 4, 5, 6, 4, 5, 7)),
    END,
  ]);
  assert.deepEqual([...decodePNG(rgb).data], [4, 5, 6, 0, 4, 5, 7, 255]);
});

Deno.test("PNG: what would be decoded wrongly is refused", () => {
  const interlaced: Header = { width: 9, height: 9, depth: 1, color: 0, interlaced: true };
  refusedPNG([ihdr(interlaced), idat(rowsOf(interlaced, 0)), END], /save it without interlacing/);
  const odd: Header = { width: 2, height: 2, depth: 4, color: 2 };
  refusedPNG([ihdr(odd), idat(new Uint8Array(8)), END], /colour type 2 with 4 bits/);
});

Deno.test("PNG: many chunks of no pixels cost no more than their bytes", () => {
  const none = Array.from({ length: 20_000 }, () => chunk("IDAT", []));
  const file = pngFile([ihdr(GRAY), ...none, idat(rowsOf(GRAY, 0)), END]);
  assert.equal(decodePNG(file).data.length, 16);
  refusedPNG([ihdr(GRAY), none[0], chunk("tEXt", []), idat(rowsOf(GRAY, 0)), END], /not together/);
});

Deno.test("images: a text by the name of an image is refused by its own name", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "letter.png"), "Dear reader, this is no image at all.");
    await assert.rejects(loadImages(dir), (error: Error) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, /letter\.png is no PNG file: it begins with 0x4465617220726561/);
      return true;
    });
  });
});

// Checkpoints

const position = { epoch: 1, at: 0, steps: 0, sums: { steps: 0, generator: 0, discriminator: 0 } };
const good = {
  format: "1",
  configuration: '{"seed":1}',
  position: JSON.stringify({ ...position, history: [] }),
};

async function refusedCheckpoint(metadata: object, reason: RegExp): Promise<void> {
  await inFolder(async (dir) => {
    const path = join(dir, "ckpt-0001.safetensors");
    const { header } = headerOf([], { ...good, ...metadata });
    await Deno.writeFile(path, safetensors(JSON.stringify(header), new Uint8Array()));
    const read = async () =>
      requirePosition((await readCheckpoint<Position>(path)).position, 9, path);
    await assert.rejects(read, (error: Error) => {
      assert.ok(error instanceof CheckpointError, error.stack);
      assert.ok(error.message.includes(path) && error.message.length < 1000, error.message);
      assert.match(error.message, reason);
      return true;
    });
  });
}

Deno.test("checkpoints: metadata of another kind are refused", async () => {
  await refusedCheckpoint({ configuration: "null" }, /configuration in .* is null/);
  await refusedCheckpoint({ configuration: "[1]" }, /configuration in .* is \[1\]/);
  await refusedCheckpoint({ position: "null" }, /its epoch is undefined/);
  await refusedCheckpoint({ position: "[".repeat(1e5) }, /levels deep/);
  for (const format of ["", "0", "-1", "1.5", "NaN", "1e0", "2"]) {
    await refusedCheckpoint({ format }, /checkpoint format/);
  }
});

Deno.test("checkpoints: a distance that is no number is not taken for 0, the best", async () => {
  for (const distance of ["", " ", "abc"]) await refusedCheckpoint({ distance }, /distance in/);
});

Deno.test("checkpoints: an epoch of the history has all that one has", async () => {
  const epoch = { epoch: 1, step: 7, steps: 7, generatorLoss: 1, discriminatorLoss: 1, seconds: 1 };
  for (const wrong of [{ step: "7" }, { steps: -1 }, { seconds: "x" }, { distance: "x" }]) {
    const history = [{ ...epoch, ...wrong }];
    await refusedCheckpoint({ position: JSON.stringify({ ...position, history }) }, /history is/);
  }
});

Deno.test("checkpoints: names and shapes are shown short, and without commands to a terminal", () => {
  const state = new Map([["random", { shape: [2], dtype: "u32" as const }]]);
  const random = { dtype: "U32", shape: [2], data: new Uint32Array(2) } as const;
  const says = (tensors: Map<string, SafeTensor>, reason: RegExp) =>
    assert.throws(() => requireState(tensors, state, "a.safetensors"), (error: Error) => {
      assert.ok(error instanceof CheckpointError, error.stack);
      assert.match(error.message, reason);
      assert.ok(error.message.length < 500, error.message.slice(0, 1000));
      return true;
    });
  requireState(new Map([["random", random]]), state, "a.safetensors");
  says(new Map(), /^a\.safetensors has no tensor random: /);
  const shape = [...new Array(300_000).fill(1), 2];
  says(new Map([["random", { ...random, shape }]]), /^In a\.safetensors, random is U32 \[1, 1,/);
  const name = "\u001b[31mred";
  const unknown = new Map([["random", random], [name, random]]);
  says(unknown, /^a\.safetensors has an unknown tensor \\u001b\[31mred: /);
});

// tfjs

const layer = { class_name: "Dense", config: { name: "dense" } };
const model = (change: { layers?: unknown; paths?: unknown; weights?: unknown }) => ({
  modelTopology: { class_name: "Sequential", config: { layers: change.layers ?? [layer] } },
  weightsManifest: [{ paths: change.paths ?? ["a.bin"], weights: change.weights ?? [] }],
});

async function refusedModel(content: unknown, reason: RegExp): Promise<void> {
  await inFolder(async (dir) => {
    const path = join(dir, "model.json");
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await Deno.writeTextFile(path, text);
    await Deno.writeFile(join(dir, "a.bin"), new Uint8Array(400));
    await assert.rejects(readTfjsModel(path), (error: Error) => {
      assert.ok(error instanceof CheckpointError, error.stack);
      assert.ok(error.message.includes(path) && error.message.length < 1500, error.message);
      assert.match(error.message, reason);
      return true;
    });
  });
}

Deno.test("tfjs models: a shard that is named often does not grow", async () => {
  const weights = [{ name: "w", shape: [300], dtype: "float32" }];
  await refusedModel(model({ paths: ["a.bin", "a.bin", "a.bin"], weights }), /named twice/);
});

Deno.test("tfjs models: names of shards lead nowhere else", async () => {
  for (const path of ["../a.bin", "/etc/passwd", "..", "", "C:\\x", "x:y", "a\u0000", 3, null]) {
    await refusedModel(model({ paths: [path] }), /not the plain name/);
  }
});

Deno.test("tfjs models: more layers and weights than any have are refused", async () => {
  await refusedModel(model({ layers: new Array(1001).fill(layer) }), /1001 layers, at most 1000/);
  const weights = new Array(4001).fill({ name: "w", shape: [0], dtype: "float32" });
  await refusedModel(model({ weights }), /4001 weights, at most 4000/);
});

Deno.test("tfjs models: what is nested too deep is refused", async () => {
  await refusedModel(`{"format":${"[".repeat(1e5)}`, /levels deep/);
});

Deno.test("tfjs models: more shards than any has are refused, and the first missing one is", async () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}.bin`);
  await refusedModel(model({ paths: names(1001) }), /1001 shards, at most 1000/);
  const groups = [0, 1].map((i) => ({
    paths: i ? names(1000) : ["a.bin"],
    weights: i ? [] : [{ name: "w", shape: [100], dtype: "float32" }],
  }));
  await refusedModel({ ...model({}), weightsManifest: groups }, /1001 shards, at most 1000/);
  await refusedModel(model({ paths: ["a.bin", ...names(9)] }), /shard 0\.bin cannot be opened/);
});

Deno.test("tfjs models: only a list is taken for one", async () => {
  const bad = { toString: 1, valueOf: 1 };
  for (const list of [bad, { length: bad }, { length: 1, 0: "a.bin" }, "a.bin", -1]) {
    await refusedModel(model({ weights: list }), /no paths and weights/);
    await refusedModel(model({ paths: list }), /no paths and weights/);
    await refusedModel(model({ layers: list }), /no list of layers/);
    await refusedModel({ ...model({}), weightsManifest: list }, /no weightsManifest/);
    await refusedModel({ ...model({}), weightsManifest: [list] }, /no paths and weights/);
    const weight = { name: "w", shape: list, dtype: "float32" };
    await refusedModel(model({ weights: [weight] }), /no valid shape/);
    await refusedModel(model({ weights: [{ ...weight, shape: [list] }] }), /no valid shape/);
  }
});

// Logs and records

Deno.test("metrics: a file without line breaks is not read into memory", async () => {
  await inFolder(async (dir) => {
    const path = join(dir, "metrics.jsonl");
    await Deno.writeFile(path, new Uint8Array(2 ** 22));
    await assert.rejects(async () => {
      for await (const _ of readMetrics(path)) assert.fail("it has no line");
    }, /Line 1 of .* is damaged: it has more than 1048576 bytes/);
  });
});

Deno.test("metrics: a line nested too deep for whoever goes through it is damaged", async () => {
  await inFolder(async (dir) => {
    const path = join(dir, "metrics.jsonl");
    const row = '{"type":"step","time":"2026-11-24T14:40:00Z","step":1,"epoch":1,"images":1,' +
      '"generatorLoss":1,"discriminatorLoss":1,"more":';
    await Deno.writeTextFile(path, `${row}${"[".repeat(9000)}${"]".repeat(9000)}}\n`);
    await assert.rejects(async () => {
      for await (const _ of readMetrics(path)) assert.fail("it was read");
    }, /Line 1 of .* is damaged: it is nested more than 64 levels deep/);
  });
});

Deno.test("run record: one that is damaged stops no run, and is not blown up", async () => {
  const session = "{}";
  const texts = {
    "no configuration": `{"format":1,"sessions":[${session}]}`,
    "too many": `{"format":1,"configuration":{},"sessions":[${"{},".repeat(10_000)}{}]}`,
    "no sessions": `{"format":1,"configuration":{},"sessions":[null]}`,
    "a deep one": `{"format":1,"configuration":{},"sessions":[{"a":${"[".repeat(3000)}${
      "]".repeat(3000)
    }}]}`,
  };
  for (const [what, text] of Object.entries(texts)) {
    await inFolder(async (dir) => {
      await Deno.writeTextFile(join(dir, "run.json"), text);
      const said: string[] = [];
      const say = (text: string) => void said.push(text);
      assert.equal(await readRunRecord(dir, say), undefined, what);
      const images = { count: 1, height: 4, width: 4, channels: 1 };
      const folder = await RunFolder.open(dir, { images, onMessage: say });
      assert.equal(await folder.objection({ seed: 1 }), undefined, what);
      const facts = { configuration: {}, seed: 1, adapter: {}, kernels: {}, fromStep: 3 };
      const path = await writeRunRecord(dir, facts, say);
      assert.equal(said.length, 2, what);
      assert.ok((await Deno.stat(path)).size < 2000, what);
    });
  }
});

Deno.test("kernels: a row of the cache keeps nothing but its own", () => {
  const row = { key: "__proto__", flops: 1, choice: "texture", milliseconds: { texture: 1 } };
  const text = JSON.stringify({ identity: "x", rows: [{ ...row, more: [[]] }, null, { key: 1 }] });
  assert.deepEqual(cachedRows(text, "x", "software"), [row]);
  // A number that JSON can say, and cannot write again.
  for (
    const [right, wrong] of [['"flops":1', '"flops":1e400'], ['"texture":1', '"texture":1e400']]
  ) {
    assert.deepEqual(cachedRows(text.replace(right, wrong), "x", "software"), []);
  }
  for (const text of ["", "null", "1", "[]", '{"identity":"x"}', '{"identity":"x","rows":{}}']) {
    assert.deepEqual(cachedRows(text, "x", "software"), []);
  }
});

Deno.test("flags: a message is one line without commands to a terminal", () => {
  const flags = { seed: { value: "N", help: "a number", parse: whole(0) } };
  for (const args of [["--seed", "-x"], ["--seed=\u009b2J"], ["--\u001b[2J"], ["\u0007"]]) {
    assert.throws(() => parseFlags(flags, args), (error: Error) => {
      assert.ok(error instanceof UsageError, error.stack);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(error.message, /[\x00-\x1f\x7f-\x9f]/);
      return true;
    });
  }
});
