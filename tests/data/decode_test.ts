/** Decoding image files: another decoder says what is in them (Pillow, see `support/images/make.py`). */

import assert from "node:assert/strict";
import { decodePNG } from "../../mod.ts";
import { decodeImage, Unreadable } from "../../src/data/decode.ts";
import { namesIn } from "../support/training.ts";

const FOLDER = new URL("../support/images/", import.meta.url);
const file = (name: string) => Deno.readFileSync(new URL(name, FOLDER));
const REFERENCES = namesIn(new URL("reference", FOLDER).pathname);

/** RGB, or gray, with alpha only where something is transparent. */
function plain({ width, height, channels, data }: ReturnType<typeof decodePNG>) {
  const isOpaque = channels === 4 && data.every((value, i) => i % 4 < 3 || value === 255);
  return {
    ...{ width, height, channels: isOpaque ? 3 : channels },
    data: isOpaque ? data.filter((_, i) => i % 4 < 3) : new Uint8Array(data),
  };
}

Deno.test("decode: JPEG and WebP have the pixels that another decoder finds, upright", async () => {
  assert.equal(REFERENCES.length, 16);
  for (const reference of REFERENCES) {
    const name = reference.replace(/\.png$/, "");
    const found = await decodeImage(file(name), name);
    assert.deepEqual(plain(found), plain(decodePNG(file(`reference/${reference}`))), name);
  }
});

Deno.test("decode: the content counts, not the name", async () => {
  const { width, height } = await decodeImage(file("444.jpg"), "photo.png");
  assert.deepEqual([width, height], [16, 12]);
});

Deno.test("decode: what cannot be decoded is refused, and the next file is not harmed", async () => {
  const whole = file("420.jpg");
  const webp = file("lossy.webp");
  const flipped = whole.slice();
  for (let at = whole.length - 60; at < whole.length - 20; at += 7) flipped[at] ^= 0x55;
  // A scan takes as long as the image, however few bytes it has.
  const end = whole.length - 2;
  const scan = whole.subarray(
    whole.findLastIndex((byte, i) => byte === 0xff && whole[i + 1] === 0xda),
  );
  const scans = new Uint8Array([
    ...whole.subarray(0, end),
    ...Array(100).fill([...scan.subarray(0, -2)]).flat(),
  ]);
  const large = whole.slice();
  const frame = large.findIndex((byte, i) => byte === 0xff && large[i + 1] === 0xc0);
  large.set([0xff, 0xff, 0xff, 0xff], frame + 5);
  const claims = whole.slice();
  claims.set([0x10, 0, 0x10, 0], frame + 5);
  const refused: [Uint8Array, reason: string, message: RegExp][] = [
    [whole.subarray(0, whole.length - 40), "cannot be decoded", /as JPEG: Premature end/],
    [whole.subarray(0, 300), "cannot be decoded", /as JPEG: /],
    [flipped, "cannot be decoded", /as JPEG: Corrupt JPEG data/],
    [scans, "cannot be decoded", /it has 101 scans, at most 100/],
    [large, "too large", /65535 x 65535 pixels; at most 16777216/],
    [claims, "cannot be decoded", /says 4096 x 4096 pixels, more than 738 bytes can hold/],
    [file("cmyk.jpg"), "cannot be decoded", /Unsupported color conversion/],
    [file("animated.webp"), "cannot be decoded", /a whole file of one image/],
    [webp.subarray(0, webp.length - 20), "cannot be decoded", /as WebP/],
    [
      new TextEncoder().encode("GIF89a and some more bytes to be long"),
      "no PNG, JPEG or WebP image",
      /0x474946/,
    ],
    [new Uint8Array(), "no PNG, JPEG or WebP image", /has 0 bytes/],
  ];
  for (const [bytes, reason, message] of refused) {
    await assert.rejects(decodeImage(bytes, "a.jpg"), (error: Error) => {
      assert.ok(error instanceof Unreadable, error.stack);
      assert.deepEqual([error.name, error.reason], ["DataError", reason], error.message);
      assert.match(error.message, /^a\.jpg /);
      assert.match(error.message, message);
      return true;
    });
    assert.equal((await decodeImage(whole, "b.jpg")).width, 16);
    assert.equal((await decodeImage(webp, "b.webp")).width, 16);
  }
});

Deno.test("decode: nothing global is changed", async () => {
  await decodeImage(file("444.jpg"), "a.jpg");
  assert.equal(globalThis.location, undefined);
});

Deno.test({
  name: "decode: a decoder that may not be read is named, with the flag that gives it",
  permissions: { read: [FOLDER], net: false },
  fn: async () => {
    const bytes = file("444.jpg");
    // Another module than the one above, which has its decoders already.
    const { decoderOf } = await import("../../src/files/codecs.ts?without-permission");
    await assert.rejects(
      decoderOf("JPEG"),
      /^DataError: JPEG files need npm package @jsquash\/jpeg@.*--allow-read=/,
    );
    assert.ok(bytes.length);
  },
});
