import assert from "node:assert/strict";
import { join } from "node:path";
import { PNG } from "npm:pngjs@7.0.0";
import {
  DataError,
  loadImages,
  type LoadImagesOptions,
  loadPictures,
  type LoadPicturesOptions,
  type Pictures,
} from "../../mod.ts";
import { validateDataset } from "../../src/data/dataset.ts";
import { errorOf } from "../support/errors.ts";
import { put, withFiles } from "../support/folder.ts";

type Files = Readonly<Record<string, Uint8Array | string>>;

/** A test with a folder that holds these files. */
const test = (name: string, files: Files, body: (dir: string) => Promise<void>) =>
  Deno.test(`images: ${name}`, () => withFiles(files, body));

type Pixel = readonly [number, number, number, number?];

/** A PNG written by pngjs: as RGBA, or of another of its color types. */
function png(
  width: number,
  height: number,
  pixel: (x: number, y: number) => Pixel,
  colorType: 0 | 2 | 4 | 6 = 6,
): Uint8Array {
  const image = new PNG({ width, height });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [r, g, b, a = 255] = pixel(x, y);
      image.data.set([r, g, b, a], (y * width + x) * 4);
    }
  }
  return new Uint8Array(PNG.sync.write(image, { colorType })); // A slice of a Buffer is no copy.
}

/** A gray PNG. */
const gray = (width: number, height: number, value: (x: number, y: number) => number) =>
  png(width, height, (x, y) => [value(x, y), value(x, y), value(x, y)], 0);
const plain = (value: number, width = 4, height = 4) => gray(width, height, () => value);
const COLORED = png(4, 4, () => [1, 2, 3], 2);

/** Expects a DataError that says all of this. */
const refused = (dir: string, options: LoadImagesOptions, ...said: (string | RegExp)[]) =>
  assert.rejects(loadImages(dir, options), errorOf(DataError, ...said));

/** Loads a folder with one image; the first bytes of it. */
const load = (file: Uint8Array, count: number, options?: LoadImagesOptions) =>
  withFiles({ "a.png": file }, async (dir) => {
    const loaded = await loadImages(dir, options);
    return { ...loaded, bytes: [...loaded.images.subarray(0, count)] };
  });

test("files come in the order of their names, pixels row by row", {
  "b.PNG": gray(8, 4, (x, y) => 100 + 8 * y + x),
  "a.png": gray(8, 4, (x, y) => 8 * y + x),
  "notes.txt": "passed over",
  ".hidden.png": "passed over",
}, async (dir) => {
  await Deno.mkdir(join(dir, "empty"));
  const loaded = await loadImages(dir);
  validateDataset(loaded);
  const { images, labels, count, height, width, channels, classes, files } = loaded;
  assert.deepEqual([count, height, width, channels], [2, 4, 8, 1]);
  assert.deepEqual([...images], Array.from({ length: 64 }, (_, i) => i < 32 ? i : 68 + i));
  assert.deepEqual([[...labels], classes], [[], []]);
  assert.deepEqual(files, [join(dir, "a.png"), join(dir, "b.PNG")]);
  const message = `${join(dir, "notes.txt")} is skipped: called .txt. ` +
    "Convert it to PNG, JPEG or WebP, if it is an image";
  assert.deepEqual(loaded.skipped, [{
    path: join(dir, "notes.txt"),
    reason: "called .txt",
    message,
  }]);
});

test("subfolders are classes, labels by name", {
  "dog/1.png": plain(30),
  "cat/2.png": plain(20),
  "cat/1.png": plain(10),
  "none/readme.txt": "no class",
  "photo.gif": "GIF",
  "cat/3.jpeg": "no JPEG",
  "cat/deep/1.png": plain(0),
}, async (dir) => {
  const { images, labels, classes, skipped } = await loadImages(dir);
  const others = {
    "photo.gif": "called .gif",
    "cat/deep": "a folder inside of a subfolder",
    "none/readme.txt": "called .txt",
    "cat/3.jpeg": "no PNG, JPEG or WebP image",
  };
  assert.deepEqual(
    skipped.map(({ path, reason }) => [path, reason]),
    Object.entries(others).map(([name, reason]) => [join(dir, name), reason]),
  );
  assert.deepEqual([...images].filter((_, i) => i % 16 === 0), [10, 20, 30]);
  assert.deepEqual([...labels], [0, 0, 1]);
  assert.deepEqual(classes, ["cat", "dog"]);
  await put(dir, { "stray.png": plain(0) });
  await refused(dir, {}, /stray\.png.*cat.*subfolders/);
});

test("links are followed", { "elsewhere/a.png": plain(7), "set/.hidden": "" }, async (dir) => {
  await Deno.symlink(join(dir, "elsewhere/a.png"), join(dir, "set/linked.png"));
  assert.equal((await loadImages(join(dir, "set"))).images[0], 7);
});

test("a link that leads nowhere is skipped", {
  "a.png": plain(7),
}, async (dir) => {
  await Deno.symlink(join(dir, "gone.txt"), join(dir, "b.txt"));
  await Deno.symlink(join(dir, "c"), join(dir, "c")); // to itself
  await Deno.symlink(join(dir, "gone.png"), join(dir, "d.png"));
  const { count, skipped } = await loadImages(dir);
  assert.equal(count, 1);
  const links = ["b.txt", "c", "d.png"].map((
    name,
  ) => [join(dir, name), "a link that leads nowhere"]);
  assert.deepEqual(skipped.map(({ path, reason }) => [path, reason]), links);
});

Deno.test("images: names are shown without their commands to a terminal", async () => {
  const bad = "\u001b[31mx\u0007";
  const folders: Files[] = [
    { [`${bad}.png`]: "no image, and long enough to have a header" },
    { [`${bad}.png`]: "short" },
    { "a.png": plain(1), [`${bad}.png`]: plain(1, 8, 8) },
    { [`${bad}.png`]: plain(1, 5, 5) },
    { [`${bad}.png`]: plain(1).slice(0, 40) },
    { [`${bad}.txt`]: "no image" },
    { [`${bad}.png`]: plain(1), [`${bad}/a.png`]: plain(1) },
  ];
  // deno-lint-ignore no-control-regex
  const shown = ["\\u001b[31mx\\u0007", /^[^\x00-\x1f]*$/];
  for (const files of folders) await withFiles(files, (dir) => refused(dir, {}, ...shown));
  await withFiles({ [`${bad}/${bad}.png`]: plain(1) }, async (dir) => {
    const { classes, files } = await loadImages(dir);
    assert.deepEqual([classes, files], [[bad], [join(dir, bad, `${bad}.png`)]]);
  });
  await withFiles({ "a.png": plain(1), [`${bad}.png`]: "", [`${bad}.txt`]: "" }, async (dir) => {
    const { skipped } = await loadImages(dir);
    assert.equal(skipped.length, 2);
    for (const { message, reason } of skipped) {
      assert.ok(message.includes(shown[0] as string), message);
      assert.match(message + reason, shown[1] as RegExp);
    }
  });
});

Deno.test("images: colors become gray by their luma, gray becomes RGB", async () => {
  const colors: Pixel[] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 90]];
  const file = png(4, 4, (x) => colors[x], 2);
  // 0.299 * 255 = 76.2, 0.587 * 255 = 149.7, 0.114 * 255 = 29.1, 2.99 + 117.4 + 10.26 = 130.7
  assert.deepEqual((await load(file, 4, { channels: 1 })).bytes, [76, 150, 29, 131]);
  const three = await load(file, 12);
  assert.deepEqual([three.channels, three.bytes], [3, colors.flat()]);
  const rgb = await load(gray(4, 4, (x) => x), 12, { channels: 3 });
  assert.deepEqual(rgb.bytes, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
});

Deno.test("images: what is transparent is put on the background", async () => {
  const file = png(4, 4, (x) => [200, 100, 0, [0, 255, 51, 255][x]], 6);
  const white = await load(file, 9);
  // A fifth of the color on four fifths of white: 204 + 40, 204 + 20, 204.
  assert.deepEqual([white.channels, white.bytes], [3, [255, 255, 255, 200, 100, 0, 244, 224, 204]]);
  const black = await load(file, 9, { background: 0 });
  assert.deepEqual(black.bytes, [0, 0, 0, 200, 100, 0, 40, 20, 0]);
  const alpha = png(4, 4, (x) => [80, 80, 80, x === 0 ? 0 : 255], 4);
  const mixed = await load(alpha, 2, { background: 9 });
  assert.deepEqual([mixed.channels, mixed.bytes], [1, [9, 80]]);
});

Deno.test("images: the background may be a color, and is gray in a gray image", async () => {
  const file = png(4, 4, (x) => [200, 110, 0, [0, 255][x % 2]], 6);
  const blue = await load(file, 6, { background: [0, 0, 240] });
  assert.deepEqual(blue.bytes, [0, 0, 240, 200, 110, 0]);
  const gray = await load(file, 2, { background: [0, 0, 240], channels: 1 });
  assert.deepEqual(gray.bytes, [27, 124]);
});

Deno.test("images: padding scales to lie within, in the middle of the background", async () => {
  const wide = gray(16, 8, () => 50);
  const padded = await load(wide, 64, { size: [8, 8], fit: "pad", background: 9 });
  const rows = Array.from({ length: 8 }, (_, y) => new Array(8).fill(y < 2 || y >= 6 ? 9 : 50));
  assert.deepEqual(padded.bytes, rows.flat());
  const high = await load(plain(50, 4, 12), 48, { size: [4, 12], fit: "pad", background: 9 });
  const row = Array.from({ length: 12 }, (_, x) => x === 5 ? 50 : 9);
  assert.deepEqual(high.bytes, [row, row, row, row].flat());
  // An image that has the size stays as it is, and so does one of its shape by cropping.
  const same = gray(8, 8, (x, y) => 8 * y + x);
  for (const size of [[8, 8], [4, 4], [16, 16]] as const) {
    const [pad, crop] = await Promise.all(
      (["pad", "crop"] as const).map((fit) => load(same, 64, { size, fit })),
    );
    assert.deepEqual(pad.images, crop.images);
  }
  // All of an image stays, however narrow it is.
  const outer = (at: number) => at < 500 || at >= 1500 ? 200 : 0;
  const long = { size: [32, 32], fit: "pad", background: 9 } as const;
  const line = (await load(gray(2000, 1, outer), 1024, long)).bytes;
  const column = (await load(gray(1, 2000, (_, y) => outer(y)), 1024, long)).bytes;
  const middle = Array.from({ length: 32 }, (_, x) => x < 8 || x >= 24 ? 200 : 0);
  const around = line.toSpliced(15 * 32, 32);
  for (const at of [7, 8, 23, 24]) line[15 * 32 + at] = middle[at]; // edges, between both
  assert.deepEqual(line.slice(15 * 32, 16 * 32), middle);
  assert.deepEqual(around, Array(31 * 32).fill(9));
  for (const at of [7, 8, 23, 24]) column[at * 32 + 15] = middle[at];
  assert.deepEqual(column.filter((_, i) => i % 32 === 15), middle);
  const colors = await load(png(8, 4, () => [1, 2, 3], 2), 9, { size: [8, 8], fit: "pad" });
  assert.deepEqual([colors.bytes, [...colors.images.subarray(48, 51)]], [Array(9).fill(255), [
    1,
    2,
    3,
  ]]);
});

test("behind a color, gray becomes RGB, whichever comes first", {
  "a.png": png(4, 4, (x) => [80, 80, 80, x === 0 ? 0 : 255], 4),
  "b.png": COLORED,
}, async (dir) => {
  const background = [0, 0, 240] as const;
  const { channels, images } = await loadImages(dir, { background });
  assert.deepEqual([channels, ...images.subarray(0, 6)], [3, 0, 0, 240, 80, 80, 80]);
  await Deno.remove(join(dir, "b.png"));
  assert.deepEqual((await loadImages(dir, { background })).images, images.subarray(0, 48));
  assert.equal((await loadImages(dir, { background, channels: 1 })).channels, 1);
  assert.equal((await loadImages(dir, { background: [7, 7, 7] })).channels, 1);
});

test("gray among colors becomes RGB, wherever it comes", {
  "a.png": plain(7),
  "b.png": COLORED,
  "c.png": plain(9),
}, async (dir) => {
  const { channels, images, count } = await loadImages(dir);
  assert.deepEqual([channels, count], [3, 3]);
  assert.deepEqual(images, (await loadImages(dir, { channels: 3 })).images);
  assert.deepEqual([images[0], ...images.subarray(48, 51), images[96]], [7, 1, 2, 3, 9]);
  assert.equal((await loadImages(dir, { channels: 1 })).channels, 1);
});

Deno.test("images: JPEG and WebP, by name in any case, in the order of the names", async () => {
  const file = (name: string) =>
    Deno.readFileSync(new URL(`../support/images/${name}`, import.meta.url));
  const files = {
    "a.JPG": file("gray.jpg"),
    "b.webp": file("lossless.webp"),
    "c.jpeg": file("444.jpg"),
    "d.png": file("reference/444.jpg.png"),
  };
  await withFiles(files, async (dir) => {
    const { images, channels, count, height, width, skipped } = await loadImages(dir);
    assert.deepEqual([count, height, width, channels, skipped], [4, 12, 16, 3, []]);
    const of = (i: number) => images.subarray(i * 12 * 16 * 3, (i + 1) * 12 * 16 * 3);
    assert.deepEqual(of(2), of(3));
    assert.ok(of(0).every((value, i, all) => value === all[i - i % 3]), "gray");
  });
});

Deno.test("images: one that is damaged among many is skipped", async () => {
  const jpeg = Deno.readFileSync(new URL("../support/images/420.jpg", import.meta.url));
  const good = Array.from({ length: 20 }, (_, i): [string, Uint8Array] => [`${i}.jpg`, jpeg]);
  const files = { ...Object.fromEntries(good), "7.jpg": jpeg.subarray(0, 700) };
  await withFiles(files, async (dir) => {
    const { count, files, skipped } = await loadImages(dir);
    assert.deepEqual([count, files.length, skipped.length], [19, 19, 1]);
    assert.equal(skipped[0].path, join(dir, "7.jpg"));
    assert.match(skipped[0].message, /7\.jpg cannot be read as JPEG: Premature end of JPEG file/);
  });
});

Deno.test("images: size scales to cover and cuts the middle out", async () => {
  // Twice as wide as it is high: the outer quarters go.
  const wide = gray(16, 8, (x) => x < 4 || x >= 12 ? 255 : 50);
  const middle = await load(wide, 64, { size: [8, 8] });
  assert.deepEqual(new Set(middle.images), new Set([50]));
  assert.deepEqual([middle.height, middle.width], [8, 8]);

  // Constants stay constants, whatever the sizes.
  for (const [width, height] of [[5, 7], [31, 9], [4, 4], [100, 33], [1, 1]]) {
    for (const size of [[4, 4], [28, 28], [8, 16]] as const) {
      const { images } = await load(plain(123, width, height), 0, { size });
      assert.deepEqual(new Set(images), new Set([123]), `${width} x ${height} to ${size}`);
    }
  }
});

Deno.test("images: enlarging interpolates linearly, shrinking averages", async () => {
  const large = await load(gray(4, 4, (x) => [0, 100, 200, 0][x]), 8, { size: [8, 8] });
  assert.deepEqual(large.bytes, [0, 25, 75, 125, 175, 150, 50, 0]);

  const small = await load(gray(8, 8, (x) => x === 2 ? 240 : 0), 16, { size: [4, 4] });
  // A triangle over 4 pixels weighs the inner two by 3/8, the outer two by 1/8; the first output
  // has no fourth pixel: 1/7.
  const row = [240 / 7, 240 * 3 / 8, 0, 0].map(Math.round);
  assert.deepEqual([...small.images], [...row, ...row, ...row, ...row]);

  // The mean of a fine pattern stays what it was.
  const fine = await load(gray(64, 64, (x, y) => (x + y) % 2 ? 255 : 0), 0, { size: [4, 4] });
  for (const value of fine.images) assert.ok(Math.abs(value - 127.5) <= 3, `${value}`);
});

test("what does not fit is named, with both values and the way out", {
  "a.png": plain(1),
  "b.png": plain(1, 8, 4),
}, async (dir) => {
  await refused(dir, {}, "b.png has 8 x 4 pixels", "a.png has 4 x 4", "Pass `size`", "[4, 4]");
  assert.equal((await loadImages(dir, { size: [4, 4] })).count, 2);

  await put(dir, { "a.png": plain(1, 30, 28), "b.png": plain(1, 30, 28) });
  await refused(dir, {}, "a.png has a width of 30", "multiple of 4", "[28, 32]");
});

Deno.test("images: damaged files, and headers that lie, are skipped; all of them are refused", async () => {
  const whole = gray(32, 32, (x, y) => (x * y) % 256);
  const sized = (side: number) => {
    const lie = plain(1).slice();
    new DataView(lie.buffer).setUint32(16, side);
    new DataView(lie.buffer).setUint32(20, side);
    return lie;
  };
  const damages: [content: Uint8Array | string, ...said: string[]][] = [
    [whole.subarray(0, whole.length - 40), "whole PNG file"],
    [whole.subarray(0, 20), "b.png is no PNG, JPEG or WebP image, or cut off", "has 20 bytes"],
    ["", "b.png is no PNG, JPEG or WebP image, or cut off", "has 0 bytes"],
    [
      "This is a text that somebody gave another name.",
      "b.png is no PNG, JPEG or WebP image",
      "it begins with 0x5468697320697320 and has 47 bytes. Convert it",
    ],
    [whole.with(60, whole[60] ^ 1), ""],
    [sized(0x7fffffff), "b.png says", "2147483647 x 2147483647", "at most"],
    [sized(8192), "8192 x 8192"], // Within the limit, but more than its bytes can hold.
  ];
  for (const [content, ...said] of damages) {
    await withFiles({ "a.png": whole, "b.png": content }, async (dir) => {
      const options = { size: [32, 32] } as const;
      const { count, skipped } = await loadImages(dir, options);
      assert.deepEqual([count, skipped.length], [1, 1]);
      for (const text of said) assert.ok(skipped[0].message.includes(text), skipped[0].message);
      await put(dir, { "c.png": content });
      await Deno.remove(join(dir, "a.png"));
      await refused(dir, options, "None of the 2 images of", "b.png", ...said);
      await Deno.remove(join(dir, "c.png"));
      await refused(dir, options, "b.png", ...said);
      await refused(dir, {}, "b.png", ...said);
    });
  }
});

test("more than fits is refused before it is read", {
  "a.png": plain(1),
  "b.png": plain(1),
}, async (dir) => {
  const size = [32768, 32768] as const;
  await refused(dir, { size }, "2 images, 2147483648 bytes", "at most 2147483647", "`size`");

  await Deno.truncate(join(dir, "b.png"), 2 ** 29 + 1); // takes no place on the disk
  const { skipped: [{ message, reason }] } = await loadImages(dir);
  assert.match(message, /b\.png: it has 536870913 bytes, at most 536870912/);
  assert.equal(reason, "not readable");
});

Deno.test("images: a label is a byte", () => {
  const folders = Array.from({ length: 257 }, (_, i) => [`${i}/a.png`, plain(1)]);
  return withFiles(Object.fromEntries(folders), async (dir) => {
    await refused(dir, {}, "257 subfolders", "256");
    await Deno.remove(join(dir, "256"), { recursive: true });
    assert.equal((await loadImages(dir)).labels[255], 255);
  });
});

test("folders without images, or none at all", {}, async (dir) => {
  await refused(dir, {}, `No PNG, JPEG or WebP file in ${dir}`, "empty");
  await refused(join(dir, "no"), {}, join(dir, "no"), "exists");
  await put(dir, { "photo.gif": "gif" });
  await refused(dir, {}, "photo.gif", "Convert");
  await refused(join(dir, "photo.gif"), {}, "photo.gif", "a folder of PNG, JPEG or WebP files");
  await Deno.mkdir(join(dir, "a.png"));
  await refused(dir, {}, "No PNG, JPEG or WebP file");
});

Deno.test("images: the names of the version before mean the same", () => {
  const options: LoadPicturesOptions = { channels: 1 };
  const load: (dir: string, options: LoadImagesOptions) => Promise<Pictures> = loadPictures;
  assert.equal(load, loadImages);
  assert.deepEqual(options, { channels: 1 });
});

test("options are checked, and a signal stops", { "a.png": plain(1) }, async (dir) => {
  const wrong: [LoadImagesOptions, RegExp][] = [
    [{ size: [28, 30] }, /multiples of 4.*\[28, 30\]/s],
    [{ size: [0, 4] }, /\[0, 4\]/],
    [{ channels: 4 as 3 }, /channels must be 1 .* got 4/],
    [{ background: 256 }, /background .* got 256/],
    [{ background: NaN }, /background .* got NaN/],
    [{ background: [1, 2, 256] }, /background .* got 1,2,256/],
    [{ background: [1, 2] as unknown as number }, /background .* got 1,2/],
    [{ fit: "stretch" as "pad" }, /fit must be "crop" or "pad", got "stretch"/],
  ];
  for (const [options, message] of wrong) {
    await assert.rejects(loadImages(dir, options), errorOf(RangeError, message));
  }
  const reason = new Error("enough");
  await assert.rejects(loadImages(dir, { signal: AbortSignal.abort(reason) }), reason);
});
