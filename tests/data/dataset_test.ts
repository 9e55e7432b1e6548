import assert from "node:assert/strict";
import { DataError, validateDataset } from "../../mod.ts";
import { errorOf } from "../support/errors.ts";

Deno.test("data set: contradictions are refused", () => {
  const good = {
    images: new Uint8Array(2 * 4 * 4 * 3),
    labels: new Uint8Array(2),
    count: 2,
    height: 4,
    width: 4,
    channels: 3,
  };
  validateDataset(good);
  validateDataset({ ...good, labels: new Uint8Array() });
  validateDataset({ ...good, labels: undefined });
  const refused = (change: object, ...said: string[]) =>
    assert.throws(() => validateDataset({ ...good, ...change }), errorOf(DataError, ...said));
  refused({ images: new Uint8Array(95) }, "[2, 4, 4, 3]", "96 bytes", "got 95");
  refused({ labels: new Uint8Array(3) }, "2 labels or none", "got 3");
  refused({ count: 0, images: new Uint8Array(), labels: new Uint8Array() }, "count", "got 0");
  refused({ width: 4.5 }, "width", "got 4.5");
  refused({ channels: NaN }, "channels", "got NaN");
  refused({ images: new Float32Array(96) }, "images", "Uint8Array", "Float32Array");
  refused({ labels: [0, 1] }, "labels", "Uint8Array", "Array");
});
