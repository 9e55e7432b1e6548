import assert from "node:assert/strict";
import { imageGrid } from "../../src/formats/grid.ts";
import { errorOf } from "../support/errors.ts";

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
    assert.throws(() => imageGrid(images, { ...good, ...change }), errorOf(kind, ...said));
  refused({ count: 3 }, TypeError, "[3, 2, 2, 1]", "12 values", "got 8");
  refused({ columns: 0 }, RangeError, "columns", "got 0");
  refused({ scale: 1.5 }, RangeError, "scale", "got 1.5");
  refused({ padding: -1 }, RangeError, "padding", "got -1");
  refused({ channels: 2 }, RangeError, "1 or 3 channels", "got 2");
  refused({ range: [1, 1] }, RangeError, "[1, 1]");
  refused({ range: [NaN, 1] }, RangeError, "[NaN, 1]");
});
