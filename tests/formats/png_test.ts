/** PNG files, written and read by pngjs, too. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { PNG } from "npm:pngjs@7.0.0";
import { DataError } from "../../src/errors.ts";
import { decodePNG, encodePNG } from "../../src/formats/png.ts";
import { image, rgba, says } from "../support/image.ts";

Deno.test("PNG: images survive, by pngjs and by our own reader", () => {
  for (const channels of [1, 2, 3, 4]) {
    for (const [width, height] of [[1, 1], [7, 5], [28, 3]]) {
      const sent = image(width, height, channels);
      const bytes = encodePNG(sent);
      const other = PNG.sync.read(Buffer.from(bytes));
      assert.deepEqual([other.width, other.height], [width, height]);
      assert.deepEqual([...other.data], rgba(sent));
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
  const colors = [[1, 2, 3], [9, 8, 7], [50, 60, 70], [200, 210, 220]];
  const palette = tinyPNG(2, 3, [[0b00011000], [0b11100100]], colors);
  const grayBits = tinyPNG(2, 0, [[0b00011000], [0b11100100]]);
  const nibbles = tinyPNG(4, 0, [[0x1f, 0x70], [0x08, 0xe0]]);
  for (const bytes of [palette, grayBits, nibbles]) {
    const ours = decodePNG(bytes);
    assert.deepEqual(rgba(ours), [...PNG.sync.read(Buffer.from(bytes)).data]);
  }
  assert.deepEqual([...decodePNG(grayBits).data], [0, 85, 170, 255, 170, 85]);
});

/** A PNG of 3 x 2 pixels, written byte by byte from packed rows. */
function tinyPNG(
  depth: number,
  colorType: number,
  rows: number[][],
  palette?: number[][],
): Uint8Array {
  const crc = (bytes: Uint8Array) => {
    let c = ~0;
    for (const byte of bytes) {
      c ^= byte;
      for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    }
    return ~c;
  };
  const u32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
  const chunk = (type: string, body: number[]) => {
    const named = [...new TextEncoder().encode(type), ...body];
    return [...u32(body.length), ...named, ...u32(crc(Uint8Array.from(named)))];
  };
  const lines = rows.flatMap((row) => [0, ...row]);
  let [a, b] = [1, 0]; // Adler-32
  for (const byte of lines) [a, b] = [(a + byte) % 65521, (a + byte + b) % 65521];
  const stored = [1, lines.length, 0, 255 - lines.length, 255, ...lines];
  return Uint8Array.from([
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk("IHDR", [...u32(3), ...u32(2), depth, colorType, 0, 0, 0]),
    ...(palette ? chunk("PLTE", palette.flat()) : []),
    ...chunk("IDAT", [0x78, 0x01, ...stored, ...u32(b * 65536 + a)]),
    ...chunk("IEND", []),
  ]);
}

Deno.test("PNG: damage is refused with the name of the file", () => {
  const good = encodePNG(image(9, 9, 1));
  const flipped = good.map((byte, i) => i === 60 ? byte ^ 1 : byte);
  const huge = good.slice();
  new DataView(huge.buffer).setUint32(16, 2 ** 31 - 1);
  for (
    const bytes of [new Uint8Array(), new Uint8Array(100), good.subarray(0, 70), flipped, huge]
  ) {
    assert.throws(
      () => decodePNG(bytes, "face.png"),
      (error) => error instanceof DataError && says("face.png", "PNG")(error),
    );
  }
  assert.throws(() => decodePNG(huge), says("2147483647 x 9 pixels"));
  assert.throws(() => encodePNG(image(2, 2, 1, new Uint8Array(5))), says("4 bytes", "got 5"));
  assert.throws(() => encodePNG(image(2, 2, 5)), says("channels, got 5"));
  assert.throws(() => encodePNG(image(0, 2, 1)), says("width", "got 0"));
});
