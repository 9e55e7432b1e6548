import assert from "node:assert/strict";
import { labelsOf, validateDataset } from "../../src/data/dataset.ts";
import { DataError } from "../../src/errors.ts";
import { errorOf } from "../support/errors.ts";

Deno.test("data set: contradictions are refused", () => {
  const images = new Uint8Array(2 * 4 * 4 * 3);
  const good = { images, labels: new Uint8Array(2), count: 2, height: 4, width: 4, channels: 3 };
  for (const { labels } of [good, { labels: new Uint8Array() }, { labels: undefined }]) {
    validateDataset({ ...good, labels });
  }
  const refused = (change: object, ...said: string[]) =>
    assert.throws(() => validateDataset({ ...good, ...change }), errorOf(DataError, ...said));
  refused({ images: new Uint8Array(95) }, "[2, 4, 4, 3]", "96 bytes", "got 95");
  refused({ labels: new Uint8Array(3) }, "2 labels or none", "got 3");
  refused({ count: 0, images: new Uint8Array(), labels: new Uint8Array() }, "count", "got 0");
  refused({ width: 4.5 }, "width", "got 4.5");
  refused({ channels: NaN }, "channels", "got NaN");
  refused({ images: new Float32Array(96) }, "images", "Uint8Array", "Float32Array");
  const labels = Uint8Array.of(1, 2);
  validateDataset({ ...good, labels, classes: ["a", "b", "c"] });
  refused({ labels, classes: ["a", "b"] }, "Label 2 of image 1", "2 classes", "from 0 to 1");
  assert.equal(labelsOf({ ...good, labels }).classes, 3);
  assert.equal(labelsOf({ ...good, labels, classes: ["a", "b", "c", "d"] }).classes, 4);
  refused({ labels: [0, 1] }, "labels", "Uint8Array", "Array");
});
