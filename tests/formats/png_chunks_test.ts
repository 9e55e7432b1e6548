/** PNG files that a stranger made: each is refused with its reason, before memory is taken for it. */

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { DataError, decodePNG } from "../../mod.ts";
import { concat, utf8 } from "../support/fuzz/bytes.ts";
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

Deno.test("PNG: the palette that an image in color suggests is none of its own", () => {
  const header: Header = { width: 2, height: 1, depth: 8, color: 2 };
  const rows = Uint8Array.of(0, 1, 2, 3, 4, 5, 6);
  const suggested = chunk("PLTE", [9, 9, 9, 8, 8, 8]);
  const { channels, data } = decodePNG(pngFile([ihdr(header), suggested, idat(rows), END]));
  assert.deepEqual([channels, ...data], [3, 1, 2, 3, 4, 5, 6]);
});

Deno.test("PNG: palettes have at most 256 colors, and transparency for no more than they have", () => {
  const header: Header = { ...GRAY, color: 3 };
  const rest = [idat(new Uint8Array(20)), END];
  refusedPNG([ihdr(header), chunk("PLTE", new Uint8Array(3000)), ...rest], /palette has 3000/);
  const two = chunk("PLTE", [1, 2, 3, 4, 5, 6]);
  refusedPNG([ihdr(header), two, two, ...rest], /two palettes/);
  refusedPNG([ihdr(header), two, chunk("tRNS", [1, 2, 3]), ...rest], /transparency for 3/);
  refusedPNG([ihdr(header), two, chunk("tRNS", [1]), chunk("tRNS", [1]), ...rest], /transparency/);
});

Deno.test("PNG: one transparent color becomes an alpha channel", () => {
  const gray = pngFile([
    ihdr({ width: 3, height: 1, depth: 2, color: 0 }),
    chunk("tRNS", [0, 2]),
    idat(Uint8Array.of(0, 0b01_10_11_00)),
    END,
  ]);
  assert.deepEqual([...decodePNG(gray).data], [85, 255, 170, 0, 255, 255]);
  const damaged = { ...chunk("tRNS", [0, 2]), damaged: true };
  refusedPNG([ihdr(GRAY), damaged, idat(rowsOf(GRAY, 0)), END], /checksum .* of its chunk tRNS/);
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
  refusedPNG([ihdr(odd), idat(new Uint8Array(8)), END], /color type 2 with 4 bits/);
});

Deno.test("PNG: many chunks of no pixels cost no more than their bytes", () => {
  const none = Array.from({ length: 20_000 }, () => chunk("IDAT", []));
  const file = pngFile([ihdr(GRAY), ...none, idat(rowsOf(GRAY, 0)), END]);
  assert.equal(decodePNG(file).data.length, 16);
  refusedPNG([ihdr(GRAY), none[0], chunk("tEXt", []), idat(rowsOf(GRAY, 0)), END], /not together/);
});
