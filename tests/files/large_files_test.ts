/**
 * Small files that are of something large, read in processes of their own: what they take of memory, all
 * of it, as the system counts it. (Counting the arrays that are made would miss lists and copies that the
 * engine makes on its own.)
 *
 * @module
 */

import { equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import { inFolder } from "../support/folder.ts";
import { concat, word } from "../support/fuzz/bytes.ts";
import { type Header, ihdr, inflatedSize, pngFile } from "../support/fuzz/png.ts";
import { runWithHeap } from "../support/fuzz/small_heap.ts";

/** Of the engine's own heap, in which arrays of bytes are not. */
const HEAP_MB = 64;

interface Outcome {
  readonly said: string;
  readonly megabytes: number;
}

async function read(reader: string, path: string): Promise<Outcome> {
  // All is allowed for what the system says of the process.
  const outcome = await runWithHeap(HEAP_MB, "large_worker.ts", [reader, path], ["--allow-all"]);
  equal(outcome.code, 0, outcome.stderr);
  return JSON.parse(outcome.stdout);
}

/** A valid image, black. */
function black(header: Header): Uint8Array {
  return pngFile([
    ihdr(header),
    { type: "IDAT", data: new Uint8Array(deflateSync(new Uint8Array(inflatedSize(header)))) },
    { type: "IEND", data: new Uint8Array() },
  ]);
}

const LARGEST = { width: 4096, height: 4096 };
const COLOR_16 = { ...LARGEST, color: 6, depth: 16 };

for (
  const [what, reader, header, most] of [
    ["the largest PNG of 1 bit", "png", { ...LARGEST, color: 0, depth: 1 }, 150],
    ["the largest PNG of 8 bits in color with transparency", "png", { ...COLOR_16, depth: 8 }, 450],
    ["the largest PNG of 16 bits in color with transparency", "png", COLOR_16, 800],
    ["a data set of the largest image", "images", COLOR_16, 800],
    // Of an image that is all height only the rows in the middle are scaled.
    ["a very high image", "scaled", { width: 4, height: 2 ** 22, color: 0, depth: 1 }, 400],
  ] as const
) {
  Deno.test(`${what} takes at most ${most} MB`, () =>
    inFolder(async (dir) => {
      const path = join(dir, "a.png");
      await Deno.writeFile(path, black(header));
      const { said, megabytes } = await read(reader, reader === "png" ? path : dir);
      equal(said, "read");
      ok(megabytes <= most, `${megabytes} MB`);
    }));
}

Deno.test("a PNG that is larger is refused by its header", async () => {
  await inFolder(async (dir) => {
    const path = join(dir, "a.png");
    await Deno.writeFile(path, black({ width: 8192, height: 8192, color: 6, depth: 8 }));
    for (const [reader, of] of [["png", path], ["images", dir]]) {
      const { said, megabytes } = await read(reader, of);
      match(said, /a\.png .*says .*8192 x 8192 pixels; at most 16777216 are read/);
      ok(megabytes <= 20, `${megabytes} MB`);
    }
  });
});

Deno.test("a compressed data set is held once, and once more while WebCrypto hashes it", async () => {
  const count = 14_000_000;
  const mb = Math.ceil(17 * count / 2 ** 20); // images of 4 x 4 and labels
  const idx = (dims: readonly number[]) => {
    const header = concat(Uint8Array.of(0, 0, 8, dims.length), ...dims.map(word));
    return gzipSync(concat(header, new Uint8Array(dims.reduce((a, b) => a * b, 1))));
  };
  await inFolder(async (dir) => {
    await Deno.writeFile(join(dir, "train-images-idx3-ubyte.gz"), idx([count, 4, 4]));
    await Deno.writeFile(join(dir, "train-labels-idx1-ubyte.gz"), idx([count]));
    const { said, megabytes } = await read("mnist", dir);
    equal(said, "read");
    ok(megabytes <= 2 * mb + 150, `${megabytes} MB for ${mb}`);
  });
});

Deno.test("a tfjs model that names hundreds of thousands of shards is not looked for", async () => {
  const paths = Array.from({ length: 300_000 }, (_, i) => `${i}.bin`);
  await inFolder(async (dir) => {
    const path = join(dir, "model.json");
    await Deno.writeTextFile(
      path,
      JSON.stringify({
        modelTopology: { class_name: "Sequential", config: { layers: [] } },
        weightsManifest: [{ paths, weights: [] }],
      }),
    );
    const { said, megabytes } = await read("tfjs", path);
    match(said, /300000 shards, at most 1000 are read/);
    ok(megabytes <= 150, `${megabytes} MB`);
  });
});
