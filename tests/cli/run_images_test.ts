import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG, type Image } from "../../mod.ts";
import { halfBlocks } from "../../src/cli/run_images.ts";
import { fitImage } from "../../src/data/fit.ts";
import { writeImages } from "../support/checkpoint.ts";
import { assertRuns } from "../support/commands.ts";
import { inFolder } from "../support/folder.ts";
import { framesOf } from "../support/gif.ts";

const ramp = (width: number, height: number, channels: number): Image => {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => i * 37 % 256);
  return { width, height, channels, data };
};

/** The pixels that half blocks show, as a terminal paints them: [rows][columns] of colors. */
function paint(text: string): string[][] {
  return text.trimEnd().split("\n").flatMap((line) => {
    // deno-lint-ignore no-control-regex
    assert.match(line, /^(\x1b\[38;2(;\d+){3};(48;2(;\d+){3}|49)m▀)+\x1b\[0m$/);
    const cells = [...line.matchAll(/38;2;(\d+;\d+;\d+);(?:48;2;(\d+;\d+;\d+)|49)m▀/g)];
    return [1, 2].map((half) => cells.map((cell) => cell[half]?.replaceAll(";", ",") ?? "none"));
  });
}

Deno.test("show: half blocks are the pixels, or fewer that keep the mean", () => {
  const rows = <T>(values: ArrayLike<T>, width: number) =>
    Array.from(
      { length: values.length / width },
      (_, y) => Array.from({ length: width }, (_, x) => values[y * width + x]),
    );
  const colors = Array.from({ length: 20 }, (_, i) => ramp(5, 4, 3).data.slice(3 * i, 3 * i + 3));
  assert.deepEqual(paint(halfBlocks(ramp(5, 4, 3), 80)), rows(colors.map(String), 5));

  // Scaled as images of a data set are; 3 rows: the last has no lower half.
  const image = ramp(12, 9, 1);
  const small = fitImage(Float32Array.from(image.data), image, [3, 4]);
  const grays = [...Array.from(small, (v) => `${v},${v},${v}`), ...Array(4).fill("none")];
  assert.deepEqual(paint(halfBlocks(image, 4)), rows(grays, 4));

  const gray = (image: Image, columns: number) =>
    paint(halfBlocks(image, columns)).flat().filter((c) => c !== "none").map(parseFloat);
  const mean = (values: ArrayLike<number>) =>
    Array.from(values).reduce((a, b) => a + b, 0) / values.length;
  const square = ramp(10, 10, 1);
  const shrunk = gray(square, 7);
  assert.equal(shrunk.length, 7 * 7);
  assert.ok(Math.abs(mean(shrunk) - mean(square.data)) < 0.5);
  assert.deepEqual(gray(square, 10), [...square.data]);
  const flat = { width: 9, height: 9, channels: 1, data: new Uint8Array(81).fill(200) };
  assert.ok(gray(flat, 4).every((value) => value === 200));
});

Deno.test("show: not in a terminal it prints the path; the newest image of the newest run", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "out"), { epoch_0001: 10, epoch_0002: 20 });
    await writeImages(join(dir, "out-2"), { epoch_0001: 30, step_000007: 40 });
    const image = (name: string) => join(dir, `${name}.png`);
    const second = "out/image_at_epoch_0002";
    const old = new Date(Date.now() - 60_000);
    for (const name of ["out/image_at_epoch_0001", second, "out-2/image_at_epoch_0001"]) {
      await Deno.utime(image(name), old, old);
    }
    // The version before had more ways to draw.
    const ways = ["blocks", "truecolor", "256", "kitty", "iterm2"];
    const [newest, json, path, ...drawn] = await assertRuns(
      dir,
      [0, "show"],
      [0, "show out --epoch=2 --json"],
      [0, "show out --epoch=2 --quiet"],
      ...ways.map((way) => [0, `show out --epoch=2 --as=${way} --quiet`] as const),
      [1, "show out --epoch=3", /no image after epoch 3: there are epochs 1, 2/],
      [2, "show out --epoch=2 --step=7", /--epoch and --step exclude each other/],
    );
    assert.equal(newest, image("out-2/image_at_step_000007") + "\n");
    assert.deepEqual(JSON.parse(json), { path: image(second), epoch: 2, width: 6, height: 4 });
    assert.equal(path, image(second) + "\n");
    for (const [i, way] of ways.entries()) {
      assert.deepEqual(paint(drawn[i]), Array(4).fill(Array(6).fill("20,20,20")), way);
    }
  }));

Deno.test("gif: the tutorial's schedule, or all, of steps or epochs", () =>
  inFolder(async (dir) => {
    const out = join(dir, "out");
    for (const n of [1, 2, 3, 4, 5, 6]) await writeImages(out, { [`epoch_000${n}`]: 10 * n });
    const path = join(out, "dcgan.gif");
    assert.deepEqual(await assertRuns(dir, [0, "gif out --quiet"]), [`${path}\n`]);
    assert.deepEqual(await framesOf(path), [10, 20, 30, 50, 60].map((g) => [g, 20]));

    await writeImages(out, { step_000050: 200, step_000100: 210 });
    const [all] = await assertRuns(
      dir,
      [0, "gif out --all --delay=50 --out=a.gif --json"],
      [0, "gif out --all --epochs --out=e.gif"],
      [2, "gif out --steps --epochs", /--steps and --epochs exclude each other/],
      [2, "gif out --delay=655351", /It must be a whole number from 0 to 655350/],
      [2, "gif out --out=a.png", /It must be a name that ends in \.gif/],
    );
    const facts = { out: join(dir, "a.gif"), frames: 3, images: 3, delay: 50 };
    assert.deepEqual(JSON.parse(all), facts);
    assert.deepEqual(await framesOf(join(dir, "a.gif")), [[200, 5], [210, 5], [60, 5]]);
    assert.equal((await framesOf(join(dir, "e.gif"))).length, 6);

    const dot = encodePNG({ width: 1, height: 1, channels: 1, data: new Uint8Array(1) });
    await Deno.writeFile(join(out, "image_at_epoch_0006.png"), dot);
    const alike = /epoch_0001\.png is 6 x 4 .*epoch_0006\.png is 1 x 1/;
    await assertRuns(dir, [1, "gif out --epochs", alike]);
  }));
