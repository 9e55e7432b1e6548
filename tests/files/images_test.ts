import assert from "node:assert/strict";
import { join } from "node:path";
import { animated, listImages } from "../../src/files/images.ts";
import { writeImages } from "../support/checkpoint.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("images: they are listed by number, not by name", () =>
  inFolder(async (dir) => {
    await writeImages(dir, { epoch_0002: 1, epoch_0010: 2, step_1000000: 3, step_999999: 4 });
    await Deno.writeTextFile(join(dir, "image_at_epoch_x.png"), "no image");
    const files = await listImages(dir);
    assert.deepEqual(files.map(({ kind, number }) => `${kind} ${number}`), [
      "step 999999",
      "step 1000000",
      "epoch 2",
      "epoch 10",
    ]);
    assert.deepEqual(animated(files).map(({ number }) => number), [999999, 1000000, 10]);
    const epochs = files.filter(({ kind }) => kind === "epoch");
    assert.deepEqual(animated(epochs), epochs);
    await assert.rejects(listImages(join(dir, "none")), /There is no folder .*none/);
  }));
