/** Sizes of image files from their first bytes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { encodeGIF, encodePNG } from "../../mod.ts";
import { imageSize } from "../../web/image_size.ts";

const bytes = (hex: string) =>
  new Uint8Array(Buffer.from(hex.replaceAll(" ", "").padEnd(80, "0"), "hex"));

Deno.test("the size of each kind of image is read from its header", () => {
  const gray = { width: 37, height: 11, channels: 1, data: new Uint8Array(37 * 11) };
  const riff = "52494646 00000000 57454250";
  const files = {
    png: encodePNG(gray),
    gif: encodeGIF([gray], { delayMs: 10 }),
    bmp: bytes("424d 00000000 00000000 00000000 28000000 25000000 f5ffffff"), // rows from the top
    // A comment and a table of quantization, then a frame header.
    jpeg: bytes("ffd8 fffe 0006 61626364 ffdb 0004 0000 ffff c2 000b 08 000b 0025 01"),
    lossy: bytes(`${riff} 56503820 00000000 000000 9d012a 2500 0b00`),
    lossless: bytes(`${riff} 5650384c 00000000 2f 24800200`),
    extended: bytes(`${riff} 56503858 0a000000 00000000 240000 0a0000`),
  };
  for (const [kind, file] of Object.entries(files)) {
    assert.deepEqual(imageSize(file), [37, 11], kind);
    for (let length = 0; length < file.length; length++) imageSize(file.subarray(0, length));
  }
});

Deno.test("a photo that was taken upright is as high as it is shown", () => {
  const exif = "457869660000 4d4d002a00000008 0001 0112 0003 00000001 00060000 00000000";
  const photo = bytes(`ffd8 ffe1 0022 ${exif} ffc0 000b 08 000b 0025 01`);
  assert.deepEqual(imageSize(photo), [11, 37]);
});

Deno.test("what is no image has no size", () => {
  assert.equal(imageSize(new TextEncoder().encode("no image at all ".repeat(9))), undefined);
  assert.equal(imageSize(bytes("ffd8 00")), undefined);
  assert.equal(imageSize(new Uint8Array()), undefined);
});
