/** Binary files, whole and damaged: they are read as promised, or refused by an error that names them. */

import { gzipSync } from "node:zlib";
import fc from "npm:fast-check@4.10.2";
import { imageHeader } from "../../src/formats/image_header.ts";
import { concat, damaged, utf8, word } from "../support/fuzz/bytes.ts";
import { chunks, chunksOf, pngFile, promisedBytes } from "../support/fuzz/png.ts";
import { type Files, fuzz, named } from "../support/fuzz/victim.ts";

const errors = ["DataError"];

const small = fc.oneof(fc.nat(3), fc.nat(9));

const idxFile: fc.Arbitrary<Uint8Array> = fc.tuple(
  fc.array(small, { minLength: 1, maxLength: 4 }),
  fc.constantFrom(0, 0, 0, 1, -1),
).map(([dims, more]) =>
  concat(
    Uint8Array.of(0, 0, 8, dims.length),
    ...dims.map(word),
    new Uint8Array(Math.max(0, dims.reduce((a, b) => a * b, 1) + more)).fill(3),
  )
);

const gzipped = (file: fc.Arbitrary<Uint8Array>) =>
  file.map((bytes): Uint8Array => new Uint8Array(gzipSync(bytes)));

/** Bombs: few bytes that claim or inflate to very many. */
const bomb: fc.Arbitrary<Uint8Array> = fc.tuple(
  fc.array(fc.constantFrom(0, 1, 255, 2 ** 16, 2 ** 20, 2 ** 31, 2 ** 32 - 1), {
    minLength: 1,
    maxLength: 4,
  }),
  fc.constantFrom(0, 10, 2 ** 16, 2 ** 20),
).map(([dims, held]) =>
  concat(Uint8Array.of(0, 0, 8, dims.length), ...dims.map(word), new Uint8Array(held))
);

const plain = fc.oneof(
  { weight: 30, arbitrary: damaged(idxFile) },
  { weight: 1, arbitrary: bomb },
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 30 }) },
);
fuzz("IDX files", "idx", named("file", plain), 4000, { errors, allowed: () => 0 });

const compressed = fc.oneof(
  damaged(gzipped(damaged(idxFile))),
  gzipped(idxFile),
  gzipped(bomb),
  gzipped(gzipped(idxFile)),
  fc.tuple(gzipped(idxFile), gzipped(idxFile)).map((both) => concat(...both)),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => concat(Uint8Array.of(0x1f, 0x8b, 8), bytes)),
);
fuzz("compressed IDX files", "idx", named("file", compressed), 2000, {
  errors,
  // The pieces that are given to the decompressor, twice, and what comes out.
  allowed: (n) => 1034 * n + 64,
});

/** A promise for each file. */
const sum = (promised: (file: Uint8Array) => number) => (_: number, files: Files) =>
  Object.values(files).reduce((bytes, file) => bytes + promised(file), 0);

/** The bound in the docstring of `loadImages`; data set and scaled image have 8 x 12 pixels. */
const imageBytes = (file: Uint8Array) => {
  const { bytes, pixels } = promisedBytes(file);
  return bytes + 16 * pixels + 3 * pixels + 4 * 3 * 12 * Math.max(12, pixels) + 3 * 96;
};

const text = fc.string({ maxLength: 200 }).map(utf8);
const pngs = fc.oneof(
  { weight: 4, arbitrary: chunks.map(pngFile) },
  { weight: 2, arbitrary: damaged(chunks.map(pngFile)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  { weight: 1, arbitrary: text },
);
const pngBytes = sum((file) => promisedBytes(file).bytes);
fuzz("PNG files", "png", named("file.png", pngs), 3000, { errors, allowed: pngBytes });

const FOLDER = new URL("../support/images/", import.meta.url);
const photos = [...Deno.readDirSync(FOLDER)].filter(({ name }) => /\.(?:jpg|webp)$/.test(name))
  .map(({ name }) => Deno.readFileSync(new URL(name, FOLDER)));
const photo = damaged(fc.constantFrom(...photos));
fuzz("JPEG and WebP files", "photo", named("photo", photo), 1000, {
  errors,
  // What a decoder in WebAssembly takes for itself is not counted.
  allowed: (n, { photo }) => {
    const { width = 0, height = 0 } = imageHeader(photo) ?? {};
    return 2 ** 20 + 4 * n + 16 * Math.min(width * height, 2 ** 24);
  },
});

const imageName = fc.constantFrom(
  ...["a.png", "b.PNG", "g.png", "c.txt", "sub/d.png", "tub/e.png", ".f.png"],
  "\u001b[31mh\u0007.png",
);

const smallPng = chunksOf(fc.constantFrom(4, 4, 4, 8, 5)).map(pngFile);
const image = fc.oneof(
  { weight: 6, arbitrary: smallPng },
  { weight: 1, arbitrary: damaged(smallPng) },
  { weight: 1, arbitrary: text },
);
const folders = fc.array(fc.tuple(imageName, image), { minLength: 1, maxLength: 3 })
  .map((all) => Object.fromEntries(all));
fuzz("folders of images", "images", folders, 1500, { errors, allowed: sum(imageBytes) });
