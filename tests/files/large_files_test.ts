/**
 * Small files that are of something large, read in processes of their own: what they take of memory, all
 * of it, as the system counts it. (Counting the arrays that are made would miss lists and copies that the
 * engine makes on its own.)
 */

import { equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { gzip, idx } from "../support/digits.ts";
import { withFiles } from "../support/folder.ts";
import { concat } from "../support/fuzz/bytes.ts";
import { type Header, imageFile, inflatedSize } from "../support/fuzz/png.ts";
import { runWithHeap } from "../support/fuzz/small_heap.ts";

/** Of the engine's own heap, in which arrays of bytes are not. */
const HEAP_MB = 64;

/** Files, who reads them (one of them, or their folder), what it says, and its most megabytes. */
type Case = readonly [
  files: Readonly<Record<string, Uint8Array | string>>,
  reader: string,
  said: RegExp,
  most: number,
];

function test(name: string, make: () => Case | Promise<Case>): void {
  Deno.test(name, async () => {
    const [files, reader, expected, most] = await make();
    await withFiles(files, async (dir) => {
      const path = ["png", "tfjs"].includes(reader) ? join(dir, Object.keys(files)[0]) : dir;
      // All is allowed for what the system says of the process.
      const permissions = ["--allow-all"];
      const outcome = await runWithHeap(HEAP_MB, "large_worker.ts", [reader, path], permissions);
      equal(outcome.code, 0, outcome.stderr);
      const { said, megabytes } = JSON.parse(outcome.stdout);
      match(said, expected);
      ok(megabytes <= most, `${megabytes} MB`);
    });
  });
}

/** A valid image, black. */
const black = (header: Header) => ({
  "a.png": imageFile(header, new Uint8Array(inflatedSize(header))),
});

const LARGEST = { width: 4096, height: 4096 };
const COLOR_16 = { ...LARGEST, color: 6, depth: 16 };

const IMAGES: [what: string, reader: string, header: Header, most: number][] = [
  ["the largest PNG of 1 bit", "png", { ...LARGEST, color: 0, depth: 1 }, 150],
  ["the largest PNG of 8 bits in color with alpha", "png", { ...COLOR_16, depth: 8 }, 450],
  ["the largest PNG of 16 bits in color with alpha", "png", COLOR_16, 800],
  ["a data set of the largest image", "images", COLOR_16, 800],
  // Of an image that is all height only the rows in the middle are scaled.
  ["a very high image", "scaled", { width: 4, height: 2 ** 22, color: 0, depth: 1 }, 400],
];
for (const [what, reader, header, most] of IMAGES) {
  test(`${what} takes at most ${most} MB`, () => [black(header), reader, /^read$/, most]);
}

for (const reader of ["png", "images"]) {
  test(`a PNG that is larger is refused by its header, as ${reader}`, () => {
    const size = { width: 8192, height: 8192, color: 6, depth: 8 };
    const says = /a\.png .*says .*8192 x 8192 pixels; at most 16777216 are read/;
    return [black(size), reader, says, 20];
  });
}

test("a compressed data set is held once, and once more while WebCrypto hashes it", async () => {
  const count = 14_000_000;
  const mb = Math.ceil(17 * count / 2 ** 20); // images of 4 x 4 and labels
  const zeros = (dims: number[], size: number) =>
    gzip(concat(idx(dims, undefined, 0), new Uint8Array(size)));
  const files = {
    "train-images-idx3-ubyte.gz": await zeros([count, 4, 4], 16 * count),
    "train-labels-idx1-ubyte.gz": await zeros([count], count),
  };
  return [files, "mnist", /^read$/, 2 * mb + 150];
});

test("a tfjs model that names hundreds of thousands of shards is not looked for", () => {
  const paths = Array.from({ length: 300_000 }, (_, i) => `${i}.bin`);
  const model = {
    modelTopology: { class_name: "Sequential", config: { layers: [] } },
    weightsManifest: [{ paths, weights: [] }],
  };
  const files = { "model.json": JSON.stringify(model) };
  return [files, "tfjs", /300000 shards, at most 1000 are read/, 150];
});
