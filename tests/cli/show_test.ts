import assert from "node:assert/strict";
import { join } from "node:path";
import type { Image } from "../../mod.ts";
import { fitImage } from "../../src/data/fit.ts";
import { halfBlocks } from "../../src/cli/show.ts";
import { writeImages } from "../support/checkpoint.ts";
import { assertFail, printed } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

const ramp = (width: number, height: number, channels: number): Image => ({
  width,
  height,
  channels,
  data: Uint8Array.from({ length: width * height * channels }, (_, i) => i * 37 % 256),
});

/** The pixels that half blocks show, as a terminal paints them: [rows][columns] of colors. */
function paint(text: string): string[][] {
  return text.trimEnd().split("\n").flatMap((line) => {
    // deno-lint-ignore no-control-regex
    assert.match(line, /^(\x1b\[38;2(;\d+){3};(48;2(;\d+){3}|49)m▀)+\x1b\[0m$/);
    const cells = [...line.matchAll(/38;2;(\d+;\d+;\d+);(?:48;2;(\d+;\d+;\d+)|49)m▀/g)];
    return [1, 2].map((half) => cells.map((cell) => cell[half]?.replaceAll(";", ",") ?? "none"));
  });
}

Deno.test("show: half blocks are the pixels", () => {
  const image = ramp(5, 4, 3);
  const painted = paint(halfBlocks(image, 80));
  for (let y = 0; y < 4; y++) {
    const row = image.data.subarray(15 * y, 15 * (y + 1));
    assert.deepEqual(painted[y], [0, 3, 6, 9, 12].map((i) => row.slice(i, i + 3).join()));
  }
});

Deno.test("show: half blocks fit the columns, scaled as images of a data set are", () => {
  const image = ramp(12, 9, 1);
  const painted = paint(halfBlocks(image, 4));
  const small = fitImage(Float32Array.from(image.data), image, [3, 4]);
  const rows = [0, 1, 2].map((y) =>
    [...small.slice(4 * y, 4 * y + 4)].map((v) => `${v},${v},${v}`)
  );
  // 3 rows: the last has no lower half.
  assert.deepEqual(painted, [...rows, Array(4).fill("none")]);
});

Deno.test("show: shrinking by a fraction keeps the mean, and larger ones are left alone", () => {
  const gray = (text: string) => paint(text).flat().filter((c) => c !== "none").map(parseFloat);
  const mean = (values: ArrayLike<number>) =>
    Array.from(values).reduce((a, b) => a + b, 0) / values.length;
  const image = ramp(10, 10, 1);
  const small = gray(halfBlocks(image, 7));
  assert.equal(small.length, 7 * 7);
  assert.ok(Math.abs(mean(small) - mean(image.data)) < 0.5);
  assert.deepEqual(gray(halfBlocks(image, 10)), [...image.data]);
  const flat = { width: 9, height: 9, channels: 1, data: new Uint8Array(81).fill(200) };
  assert.ok(gray(halfBlocks(flat, 4)).every((value) => value === 200));
});

Deno.test("show: not in a terminal it prints the path; the newest image of the newest run", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "out"), { epoch_0001: 10, epoch_0002: 20 });
    await writeImages(join(dir, "out-2"), { epoch_0001: 30, step_000007: 40 });
    const old = new Date(Date.now() - 60_000);
    for (const name of ["out/image_at_epoch_0001", "out/image_at_epoch_0002"]) {
      await Deno.utime(join(dir, `${name}.png`), old, old);
    }
    await Deno.utime(join(dir, "out-2/image_at_epoch_0001.png"), old, old);
    const newest = join(dir, "out-2", "image_at_step_000007.png");
    assert.equal(await printed(dir, "show"), newest + "\n");
    const path = join(dir, "out", "image_at_epoch_0002.png");
    const epoch = await printed(dir, "show out --epoch=2 --json");
    assert.deepEqual(JSON.parse(epoch), { path, epoch: 2, width: 6, height: 4 });
    assert.equal(await printed(dir, "show out --epoch=2 --quiet"), path + "\n");
    // The version before had more ways to draw.
    for (const way of ["blocks", "truecolor", "256", "kitty", "iterm2"]) {
      const drawn = paint(await printed(dir, `show out --epoch=2 --as=${way} --quiet`));
      assert.deepEqual(drawn, Array(4).fill(Array(6).fill("20,20,20")), way);
    }
    await assertFail(
      dir,
      [1, /no image after epoch 3: there are epochs 1, 2/, "show out --epoch=3"],
      [2, /--epoch and --step exclude each other/, "show out --epoch=2 --step=7"],
    );
  }));
