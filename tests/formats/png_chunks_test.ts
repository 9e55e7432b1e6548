/** PNG files that a stranger made: each is refused with its reason, before memory is taken for it. */

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { DataError, decodePNG } from "../../mod.ts";
import { errorOf } from "../support/errors.ts";
import { concat, utf8 } from "../support/fuzz/bytes.ts";
import * as png from "../support/fuzz/png.ts";

const { chunk, END, idat, ihdr, imageFile, rowsOf } = png;

const GRAY: png.Header = { width: 4, height: 4, depth: 8, color: 0 };
const ROWS = rowsOf(GRAY, 0);
const HUGE: png.Header = { ...GRAY, width: 30_000, height: 30_000 };
const PALETTE: png.Header = { ...GRAY, color: 3 };
const TWO_COLORS = chunk("PLTE", [1, 2, 3, 4, 5, 6]);

/** Files of these chunks, the last one aside, are refused. */
const REFUSED: Readonly<Record<string, [reason: RegExp, ...chunks: png.Chunk[]][]>> = {
  "a bomb is refused before it is inflated": [
    [/pixels are more than the 20 bytes/, ihdr(GRAY), idat(new Uint8Array(2 ** 24))],
    [/at most 16777216 are read/, ihdr(HUGE), idat(new Uint8Array(20))],
    [
      /more than \d+ bytes can hold/,
      ihdr({ ...GRAY, width: 4000, height: 4000 }),
      idat(new Uint8Array(20)),
    ],
  ],
  "only the first header counts, and there is one": [
    [/two headers/, ihdr(GRAY), ihdr(HUGE), idat(ROWS)],
    [/begins with the chunk tEXt/, chunk("tEXt", utf8("a\0b")), ihdr(HUGE), idat(ROWS)],
  ],
  "missing pixels are not black ones": [
    [/are 18 bytes, its header says 20/, ihdr(GRAY), idat(ROWS.subarray(0, 18))],
    [/cannot be decompressed/, ihdr(GRAY)],
  ],
  "palettes have at most 256 colors, and transparency for no more than they have": [
    [/palette has 3000/, ihdr(PALETTE), chunk("PLTE", new Uint8Array(3000)), idat(ROWS)],
    [/two palettes/, ihdr(PALETTE), TWO_COLORS, TWO_COLORS, idat(ROWS)],
    [/transparency for 3/, ihdr(PALETTE), TWO_COLORS, chunk("tRNS", [1, 2, 3]), idat(ROWS)],
    [/transparency/, ihdr(PALETTE), TWO_COLORS, chunk("tRNS", [1]), chunk("tRNS", [1]), idat(ROWS)],
  ],
  "what would be decoded wrongly is refused": [
    [/row with the filter 5/, ihdr(GRAY), idat(ROWS.with(10, 5))],
    [/has no palette/, ihdr(PALETTE), idat(ROWS)],
    [/the color 37, which its palette has not/, ihdr(PALETTE), TWO_COLORS, idat(ROWS)],
    [/color type 2 with 4 bits/, ihdr({ ...GRAY, color: 2, depth: 4 }), idat(ROWS)],
    [
      /checksum .* of its chunk tRNS/,
      ihdr(GRAY),
      { ...chunk("tRNS", [0, 2]), damaged: true },
      idat(ROWS),
    ],
    [/not together/, ihdr(GRAY), chunk("IDAT"), chunk("tEXt"), idat(ROWS)],
  ],
};
for (const [name, files] of Object.entries(REFUSED)) {
  Deno.test(`PNG: ${name}`, () => {
    for (const [reason, ...chunks] of files) {
      const refused = errorOf(DataError, /^a\.png cannot be read as PNG: /, reason);
      assert.throws(() => decodePNG(png.pngFile([...chunks, END]), "a.png"), refused);
    }
  });
}

Deno.test("PNG: compressed profiles and texts are not opened", () => {
  const profile = concat(utf8("icc\0\0"), deflateSync(new Uint8Array(2 ** 24)));
  const plain = decodePNG(imageFile(GRAY, ROWS));
  assert.equal(plain.data.length, 16);
  for (const data of [profile, [1, 2, 3]]) {
    assert.deepEqual(decodePNG(imageFile(GRAY, ROWS, chunk("iCCP", data))), plain);
  }
});

Deno.test("PNG: the palette that an image in color suggests is none of its own", () => {
  const header = { width: 2, height: 1, depth: 8, color: 2 };
  const rows = Uint8Array.of(0, 1, 2, 3, 4, 5, 6);
  const { channels, data } = decodePNG(imageFile(header, rows, TWO_COLORS));
  assert.deepEqual([channels, ...data], [3, 1, 2, 3, 4, 5, 6]);
});

Deno.test("PNG: one transparent color becomes an alpha channel", () => {
  const pixels = (color: number, depth: number, width: number, key: number[], rows: number[]) => {
    const header = { width, height: 1, depth, color };
    return [...decodePNG(imageFile(header, Uint8Array.from(rows), chunk("tRNS", key))).data];
  };
  assert.deepEqual(pixels(0, 2, 3, [0, 2], [0, 0b01_10_11_00]), [85, 255, 170, 0, 255, 255]);
  const colors = [4, 5, 6, 4, 5, 7];
  const expected = [4, 5, 6, 0, 4, 5, 7, 255];
  assert.deepEqual(pixels(2, 8, 2, [0, 4, 0, 5, 0, 6], [0, ...colors]), expected);
});

Deno.test("PNG: many chunks of no pixels cost no more than their bytes", () => {
  const none = new Array(20_000).fill(chunk("IDAT"));
  assert.equal(decodePNG(imageFile(GRAY, ROWS, ...none)).data.length, 16);
});

Deno.test("PNG: a file without the signature is refused, whatever follows", () => {
  const file = imageFile(GRAY, ROWS);
  file[0]++;
  const refused = errorOf(DataError, "a.png", "begins with 0x8a504e470d0a1a0a");
  assert.throws(() => decodePNG(file, "a.png"), refused);
});
