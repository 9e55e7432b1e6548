/** PNG files, written and read by pngjs, too. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { PNG } from "npm:pngjs@7.0.0";
import { DataError } from "../../src/errors.ts";
import { decodePNG, encodePNG } from "../../src/formats/png.ts";
import { errorOf } from "../support/errors.ts";
import { chunk, imageFile, KINDS, rowsOf } from "../support/fuzz/png.ts";
import { image, rgba, says } from "../support/image.ts";

/** The pixels of a file as pngjs reads them. */
const theirs = (bytes: Uint8Array) => [...PNG.sync.read(Buffer.from(bytes)).data];

Deno.test("PNG: images survive, by pngjs and by our own reader", () => {
  for (const channels of [1, 2, 3, 4]) {
    for (const [width, height] of [[1, 1], [7, 5], [28, 3]]) {
      const sent = image(width, height, channels);
      const bytes = encodePNG(sent);
      const other = PNG.sync.read(Buffer.from(bytes));
      assert.deepEqual([other.width, other.height], [width, height]);
      assert.deepEqual(theirs(bytes), rgba(sent));
      assert.deepEqual(decodePNG(bytes), sent);
    }
  }
});

Deno.test("PNG: a file written by pngjs is read, 16 bits a value too", () => {
  const sent = image(5, 4, 3);
  const png = new PNG({ width: 5, height: 4 });
  png.data = Buffer.from(rgba(sent));
  assert.deepEqual(decodePNG(PNG.sync.write(png, { colorType: 2 })), sent);

  const wide = Uint16Array.of(0, 257, 128 * 257 + 100, 65535);
  const bytes = PNG.sync.write(
    { width: 4, height: 1, data: Buffer.from(wide.buffer) } as unknown as PNG,
    { colorType: 0, inputColorType: 0, bitDepth: 16, inputHasAlpha: false },
  );
  assert.deepEqual([...decodePNG(bytes).data], [0, 1, 128, 255]);
});

Deno.test("PNG: palettes and depths below 8 bits are read as pngjs reads them", () => {
  const header = { width: 3, height: 2 };
  const colors = [[1, 2, 3], [9, 8, 7], [50, 60, 70], [200, 210, 220]];
  const rows = Uint8Array.of(0, 0b00011000, 0, 0b11100100);
  const palette = imageFile({ ...header, depth: 2, color: 3 }, rows, chunk("PLTE", colors.flat()));
  const grayBits = imageFile({ ...header, depth: 2, color: 0 }, rows);
  const nibbles = Uint8Array.of(0, 0x1f, 0x70, 0, 0x08, 0xe0);
  for (const bytes of [palette, grayBits, imageFile({ ...header, depth: 4, color: 0 }, nibbles)]) {
    assert.deepEqual(rgba(decodePNG(bytes)), theirs(bytes));
  }
  assert.deepEqual([...decodePNG(grayBits).data], [0, 85, 170, 255, 170, 85]);
});

Deno.test("PNG: every kind, with every filter, interlaced or not, is read as pngjs reads it", () => {
  const colors = chunk("PLTE", Uint8Array.from({ length: 768 }, (_, i) => i * 31));
  const alphas = chunk("tRNS", [0, 50, 100]);
  for (const [color, depth] of KINDS) {
    for (const [width, height] of [[1, 1], [3, 2], [9, 7], [17, 20]]) {
      for (const interlaced of [false, true]) {
        const header = { width, height, color, depth, interlaced };
        const palette = color === 3
          ? [{ ...colors, data: colors.data.subarray(0, 3 * 2 ** depth) }]
          : [];
        if (palette.length && depth > 1) palette.push(alphas);
        const file = imageFile(header, rowsOf(header, width), ...palette);
        assert.deepEqual(rgba(decodePNG(file)), theirs(file), JSON.stringify(header));
      }
    }
  }
});

Deno.test("PNG: damage is refused with the name of the file", () => {
  const good = encodePNG(image(9, 9, 1));
  const flipped = good.map((byte, i) => i === 60 ? byte ^ 1 : byte);
  const huge = good.slice();
  new DataView(huge.buffer).setUint32(16, 2 ** 31 - 1);
  const cut = good.subarray(0, 70);
  for (const bytes of [new Uint8Array(), new Uint8Array(100), cut, flipped, huge]) {
    assert.throws(() => decodePNG(bytes, "face.png"), errorOf(DataError, "face.png", "PNG"));
  }
  assert.throws(() => decodePNG(huge), says("2147483647 x 9 pixels"));
  assert.throws(() => encodePNG(image(2, 2, 1, new Uint8Array(5))), says("4 bytes", "got 5"));
  assert.throws(() => encodePNG(image(2, 2, 5)), says("channels, got 5"));
  assert.throws(() => encodePNG(image(0, 2, 1)), says("width", "got 0"));
});
