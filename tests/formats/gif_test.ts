/** GIF files, read back by omggif. */

import assert from "node:assert/strict";
import { GifReader } from "npm:omggif@1.0.10";
import { encodeGIF, tutorialFrames } from "../../src/formats/gif.ts";
import type { Image } from "../../src/formats/image.ts";
import { image, noise, rgba, says } from "../support/image.ts";

/** The file as omggif reads it. */
function readGIF(bytes: Uint8Array) {
  assert.equal(bytes.at(-1), 0x3b, "the trailer"); // omggif does without
  const reader = new GifReader(bytes);
  const frames = Array.from({ length: reader.numFrames() }, (_, i) => {
    const pixels = new Uint8Array(reader.width * reader.height * 4);
    reader.decodeAndBlitFrameRGBA(i, pixels);
    return { pixels: [...pixels], delay: reader.frameInfo(i).delay as number };
  });
  return { width: reader.width, height: reader.height, loop: reader.loopCount(), frames };
}

Deno.test("GIF: gray frames are exact, with their delay and loop", () => {
  // Large enough for the compressor's table to fill and start anew.
  const sent = [1, 2, 3].map((seed) => image(101, 97, 1, noise(101 * 97, seed)));
  sent.push(image(101, 97, 1, new Uint8Array(101 * 97)));
  sent.push(image(101, 97, 1, Uint8Array.from({ length: 101 * 97 }, (_, i) => i)));
  const gif = readGIF(encodeGIF(sent, { delayMs: 120, loop: true }));
  assert.deepEqual([gif.width, gif.height, gif.loop], [101, 97, 0]);
  assert.deepEqual(gif.frames.map(({ delay }) => delay), [12, 12, 12, 12, 12]);
  for (const [i, frame] of sent.entries()) assert.deepEqual(gif.frames[i].pixels, rgba(frame));
});

Deno.test("GIF: frames down to a single pixel, played once", () => {
  const gif = readGIF(encodeGIF([image(1, 1, 1), image(1, 1, 1)], { delayMs: 0, loop: false }));
  assert.equal(gif.loop, null); // no loop extension
  assert.deepEqual(gif.frames.map(({ pixels }) => pixels), Array(2).fill(rgba(image(1, 1, 1))));
});

Deno.test("GIF: RGB frames of at most 256 colors are exact, each with its own", () => {
  const colors = (seed: number, count: number) => {
    const table = noise(3 * count, seed);
    const data = new Uint8Array(40 * 30 * 3);
    for (let i = 0; i < 40 * 30; i++) {
      const at = 3 * ((i * 7) % count); // Every one of them, in no simple order.
      data.set(table.subarray(at, at + 3), 3 * i);
    }
    return image(40, 30, 3, data);
  };
  const sent = [colors(1, 256), colors(5, 2), colors(9, 1), colors(13, 100)];
  const gif = readGIF(encodeGIF(sent, { delayMs: 50 }));
  assert.equal(gif.loop, 0);
  for (const [i, frame] of sent.entries()) assert.deepEqual(gif.frames[i].pixels, rgba(frame));
});

Deno.test("GIF: RGB frames of more colors stay close", () => {
  // Every pixel another color, changing slowly.
  const data = new Uint8Array(64 * 64 * 3);
  for (let i = 0; i < 64 * 64; i++) data.set([(i % 64) * 4, (i >> 6) * 4, 128], 3 * i);
  const sent = image(64, 64, 3, data);
  const [frame] = readGIF(encodeGIF([sent], { delayMs: 100 })).frames;
  const expected = rgba(sent);
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - frame.pixels[i])));
  assert(worst <= 24, `a value is ${worst} away`);
});

Deno.test("GIF: wrong frames and delays are refused", () => {
  const refused = (frames: Image[], delayMs: number, ...said: string[]) =>
    assert.throws(() => encodeGIF(frames, { delayMs }), says(...said));
  const one = image(2, 2, 1);
  refused([], 1, "0 frames");
  refused([one, image(2, 3, 1)], 1, "frame 0 is 2 x 2 with 1", "frame 1 is 2 x 3");
  refused([one, image(2, 2, 3)], 1, "3 channels");
  refused([image(2, 2, 4)], 1, "1 or 3", "got 4");
  refused([image(65536, 1, 1)], 1, "65536 x 1");
  for (const delayMs of [-1, NaN, 655351]) refused([one], delayMs, `got ${delayMs}`);
});

Deno.test("GIF: the tutorial's schedule", () => {
  // 2 sqrt(i) rounds to k from i = ceil((k - 1/2)^2 / 4) on; worked out by hand for 50 images.
  const fifty = [0, 1, 2, 4, 6, 8, 11, 15, 19, 23, 28, 34, 40, 46, 49];
  const expected = { 50: fifty, 0: [], 1: [0, 0], 5: [0, 1, 2, 4, 4] };
  for (const [count, frames] of Object.entries(expected)) {
    assert.deepEqual(tutorialFrames(Number(count)), frames);
  }
  assert.throws(() => tutorialFrames(-1), RangeError);
  assert.throws(() => tutorialFrames(2.5), RangeError);
});
