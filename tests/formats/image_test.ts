/** Grids, PNG and GIF files, read back by decoders that nobody here wrote; atomic writes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { GifReader } from "npm:omggif@1.0.10";
import { PNG } from "npm:pngjs@7.0.0";
import { DataError } from "../../src/errors.ts";
import { writeFileAtomic } from "../../src/files/atomic.ts";
import { encodeGIF, tutorialFrames } from "../../src/formats/gif.ts";
import { imageGrid } from "../../src/formats/grid.ts";
import type { Image } from "../../src/formats/image.ts";
import { decodePNG, encodePNG } from "../../src/formats/png.ts";

/** Bytes without any pattern, the same every time (a linear congruential generator). */
function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

function image(width: number, height: number, channels: number, data?: Uint8Array): Image {
  return { width, height, channels, data: data ?? noise(width * height * channels) };
}

/** The pixels as the independent decoders give them: RGBA. */
function rgba({ width, height, channels, data }: Image): number[] {
  const pixels: number[] = [];
  for (let i = 0; i < width * height; i++) {
    const p = data.subarray(i * channels, (i + 1) * channels);
    const [r, g, b] = channels < 3 ? [p[0], p[0], p[0]] : p;
    pixels.push(r, g, b, channels % 2 ? 255 : p[channels - 1]);
  }
  return pixels;
}

const says = (...texts: string[]) => (error: unknown) =>
  texts.every((text) => (error as Error).message.includes(text));

Deno.test("grid: images are laid out in rows, scaled and padded", () => {
  // Three images of 1 x 2 pixels in two columns.
  const images = Float32Array.of(-1, 1, 0, -0.5, 0.5, 0.25);
  const sizes = { count: 3, height: 1, width: 2, channels: 1, columns: 2 };
  assert.deepEqual(imageGrid(images, sizes), {
    width: 4,
    height: 2,
    channels: 1,
    data: Uint8Array.of(0, 255, 128, 64, 191, 159, 255, 255),
  });
  const { width, height, data } = imageGrid(images, { ...sizes, scale: 2, padding: 1 });
  assert.deepEqual([width, height], [11, 7]);
  const w = 255;
  assert.deepEqual(
    [...data],
    [
      [w, w, w, w, w, w, w, w, w, w, w],
      [w, 0, 0, 255, 255, w, 128, 128, 64, 64, w],
      [w, 0, 0, 255, 255, w, 128, 128, 64, 64, w],
      [w, w, w, w, w, w, w, w, w, w, w],
      [w, 191, 191, 159, 159, w, w, w, w, w, w],
      [w, 191, 191, 159, 159, w, w, w, w, w, w],
      [w, w, w, w, w, w, w, w, w, w, w],
    ].flat(),
  );
});

Deno.test("grid: channels stay together, values beyond the range are cut, NaN is 0", () => {
  const images = Float32Array.of(0, 2, 4, 5, -1, NaN);
  const sizes = { count: 2, height: 1, width: 1, channels: 3, columns: 1 };
  const { width, height, channels, data } = imageGrid(images, { ...sizes, range: [0, 4] });
  assert.deepEqual([width, height, channels], [1, 2, 3]);
  assert.deepEqual([...data], [0, 128, 255, 255, 0, 0]);
});

Deno.test("grid: wrong options are refused", () => {
  const good = { count: 2, height: 2, width: 2, channels: 1, columns: 2 };
  const images = new Float32Array(8);
  const refused = (change: object, kind: ErrorConstructor, ...said: string[]) =>
    assert.throws(
      () => imageGrid(images, { ...good, ...change }),
      (error) => error instanceof kind && says(...said)(error),
    );
  refused({ count: 3 }, TypeError, "[3, 2, 2, 1]", "12 values", "got 8");
  refused({ columns: 0 }, RangeError, "columns", "got 0");
  refused({ scale: 1.5 }, RangeError, "scale", "got 1.5");
  refused({ padding: -1 }, RangeError, "padding", "got -1");
  refused({ channels: 2 }, RangeError, "1 or 3 channels", "got 2");
  refused({ range: [1, 1] }, RangeError, "[1, 1]");
  refused({ range: [NaN, 1] }, RangeError, "[NaN, 1]");
});

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
  const colours = [[1, 2, 3], [9, 8, 7], [50, 60, 70], [200, 210, 220]];
  const palette = tinyPNG(2, 3, [[0b00011000], [0b11100100]], colours);
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

/** The file as omggif reads it. */
function readGIF(bytes: Uint8Array): {
  width: number;
  height: number;
  loop: number | null;
  frames: { pixels: number[]; delay: number }[];
} {
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

Deno.test("GIF: RGB frames of at most 256 colours are exact, each with its own", () => {
  const colours = (seed: number, count: number) => {
    const table = noise(3 * count, seed);
    const data = new Uint8Array(40 * 30 * 3);
    for (let i = 0; i < 40 * 30; i++) {
      const at = 3 * ((i * 7) % count); // Every one of them, in no simple order.
      data.set(table.subarray(at, at + 3), 3 * i);
    }
    return image(40, 30, 3, data);
  };
  const sent = [colours(1, 256), colours(5, 2), colours(9, 1), colours(13, 100)];
  const gif = readGIF(encodeGIF(sent, { delayMs: 50 }));
  assert.equal(gif.loop, 0);
  for (const [i, frame] of sent.entries()) assert.deepEqual(gif.frames[i].pixels, rgba(frame));
});

Deno.test("GIF: RGB frames of more colours stay close", () => {
  // Every pixel another colour, changing slowly.
  const data = new Uint8Array(64 * 64 * 3);
  for (let i = 0; i < 64 * 64; i++) data.set([(i % 64) * 4, (i >> 6) * 4, 128], 3 * i);
  const sent = image(64, 64, 3, data);
  const [frame] = readGIF(encodeGIF([sent], { delayMs: 100 })).frames;
  const expected = rgba(sent);
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - frame.pixels[i])));
  assert(worst <= 24, `a value is ${worst} away`);
});

Deno.test("GIF: wrong frames and delays are refused", () => {
  const one = image(2, 2, 1);
  assert.throws(() => encodeGIF([], { delayMs: 1 }), says("0 frames"));
  assert.throws(
    () => encodeGIF([one, image(2, 3, 1)], { delayMs: 1 }),
    says("frame 0 is 2 x 2 with 1", "frame 1 is 2 x 3"),
  );
  assert.throws(() => encodeGIF([one, image(2, 2, 3)], { delayMs: 1 }), says("3 channels"));
  assert.throws(() => encodeGIF([image(2, 2, 4)], { delayMs: 1 }), says("1 or 3", "got 4"));
  assert.throws(() => encodeGIF([image(65536, 1, 1)], { delayMs: 1 }), says("65536 x 1"));
  for (const delayMs of [-1, NaN, 655351]) {
    assert.throws(() => encodeGIF([one], { delayMs }), says(`got ${delayMs}`));
  }
});

Deno.test("GIF: the tutorial's schedule", () => {
  // 2 sqrt(i) rounds to k from i = ceil((k - 1/2)^2 / 4) on; worked out by hand for 50 images.
  const fifty = [0, 1, 2, 4, 6, 8, 11, 15, 19, 23, 28, 34, 40, 46, 49];
  assert.deepEqual(tutorialFrames(50), fifty);
  assert.deepEqual(tutorialFrames(0), []);
  assert.deepEqual(tutorialFrames(1), [0, 0]);
  assert.deepEqual(tutorialFrames(5), [0, 1, 2, 4, 4]);
  assert.throws(() => tutorialFrames(-1), RangeError);
  assert.throws(() => tutorialFrames(2.5), RangeError);
});

Deno.test("atomic write: a new file, an old one, none at all", async () => {
  const dir = await Deno.makeTempDir();
  const names = () => Array.from(Deno.readDirSync(dir), ({ name }) => name).sort();
  try {
    const path = join(dir, "image.png");
    for (const bytes of [noise(100_000), Uint8Array.of(1, 2, 3), new Uint8Array()]) {
      await writeFileAtomic(path, bytes);
      assert.deepEqual(await Deno.readFile(path), bytes);
      assert.deepEqual(names(), ["image.png"]);
    }

    const missing = join(dir, "missing", "a.png");
    await assert.rejects(
      writeFileAtomic(missing, noise(3)),
      says(`Cannot write ${missing}: `, `Create the folder ${join(dir, "missing")} first`),
    );
    await Deno.mkdir(join(dir, "folder"));
    await Deno.writeFile(join(dir, "folder", "inside"), noise(1));
    await assert.rejects(
      writeFileAtomic(join(dir, "folder"), noise(3)),
      says(`Cannot write ${join(dir, "folder")}: `, "A folder is in the way"),
    );
    assert.deepEqual(names(), ["folder", "image.png"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test({
  name: "atomic write: a missing permission is said, with the flag that gives it",
  permissions: { write: false },
  fn: () =>
    assert.rejects(
      writeFileAtomic("out/a.png", noise(3)),
      says("Cannot write out/a.png", "--allow-write=out"),
    ),
});
