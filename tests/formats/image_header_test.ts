/** What image files say about themselves in their first bytes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { encodePNG } from "../../mod.ts";
import { imageHeader } from "../../src/formats/image_header.ts";

const bytes = (hex: string) =>
  new Uint8Array(Buffer.from(hex.replaceAll(" ", "").padEnd(160, "0"), "hex"));

const RIFF = "52494646 00000000 57454250";

/** EXIF's directory with an entry before the orientation, in both orders of bytes. */
const LITTLE = "49492a00 08000000 0200 0f01 0200 01000000 00000000 1201 0300 01000000 06000000";
const BIG = "4d4d002a 00000008 0002 010f 0002 00000001 00000000 0112 0003 00000001 00060000";
const FRAME = "ffc0 000b 08 000b 0025 01 011100";

Deno.test("the header of each kind of image is read", () => {
  const gray = { width: 37, height: 11, channels: 1, data: new Uint8Array(37 * 11) };
  const file = (kind: string, more = {}) => ({
    kind,
    width: 37,
    height: 11,
    gray: false,
    scans: 0,
    orientation: 1,
    ...more,
  });
  const files: [name: string, file: Uint8Array, header: object][] = [
    ["png", encodePNG(gray), file("PNG")],
    // A comment and a table of quantization, then a frame header and two scans.
    [
      "jpeg",
      bytes(`ffd8 fffe 0006 61626364 ffdb 0004 0000 ffff c2 000b 08 000b 0025 03 000000
        ffda 0002 1234 ff00 ffda 0002 ffd9 ffda`.replaceAll("\n", "")),
      file("JPEG", { scans: 2 }),
    ],
    ["gray", bytes(`ffd8 ${FRAME} ffda`), file("JPEG", { gray: true, scans: 1 })],
    [
      "turned",
      bytes(`ffd8 ffe1 002a 457869660000 ${LITTLE} ${FRAME} ffda`),
      file("JPEG", { gray: true, scans: 1, orientation: 6 }),
    ],
    [
      "turned, big-endian",
      bytes(`ffd8 ${FRAME} ffe1 002a 457869660000 ${BIG} ffda`),
      file("JPEG", { gray: true, scans: 1, orientation: 6 }),
    ],
    ["lossy", bytes(`${RIFF} 56503820 00000000 000000 9d012a 2500 0b00`), file("WebP")],
    ["lossless", bytes(`${RIFF} 5650384c 00000000 2f 24800200`), file("WebP")],
    ["extended", bytes(`${RIFF} 56503858 0a000000 00000000 240000 0a0000`), file("WebP")],
    [
      "extended, turned",
      bytes(`${RIFF} 56503858 0a000000 00000000 240000 0a0000
        41424344 01000000 0000 45584946 22000000 ${LITTLE}`.replaceAll("\n", "")),
      file("WebP", { orientation: 6 }),
    ],
  ];
  for (const [name, file, header] of files) {
    assert.deepEqual(imageHeader(file), header, name);
    for (let length = 0; length < file.length; length++) imageHeader(file.subarray(0, length));
  }
});

Deno.test("an image without a valid orientation is upright", () => {
  for (const exif of [LITTLE.replace(/06000000$/, "09000000"), LITTLE.slice(0, 20), ""]) {
    const file = bytes(`ffd8 ffe1 002a 457869660000 ${exif.padEnd(85, "0").slice(0, 85)} ${FRAME}`);
    assert.equal(imageHeader(file)?.orientation ?? 1, 1, exif);
  }
});

Deno.test("what is no image has no header", () => {
  assert.equal(imageHeader(new TextEncoder().encode("no image at all ".repeat(9))), undefined);
  assert.equal(imageHeader(bytes("ffd8 00")), undefined);
  assert.equal(imageHeader(new Uint8Array()), undefined);
});
