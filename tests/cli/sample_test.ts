import assert from "node:assert/strict";
import { join } from "node:path";
import { decodePNG, Generator, Gpu, type Image, imageGrid } from "../../mod.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { assertFail, printed } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

const imageAt = async (path: string): Promise<Image> => decodePNG(await Deno.readFile(path), path);

Deno.test("sample: a checkpoint's images, the same for the same seed", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const checkpoint = await writeCheckpoint(gpu, join(dir, "out"));
    const generator = await Generator.load(gpu, checkpoint);
    const images = await generate(gpu, generator, seedNoise(5, 8, 7));
    const shape = { height: 28, width: 28, channels: 1 };

    const grid = await printed(dir, "sample out --count=5 --columns=3 --scale=2 --seed=7 --json");
    const { out, ...rest } = JSON.parse(grid);
    assert.equal(out, join(dir, "samples.png"));
    assert.deepEqual(rest, { checkpoint, count: 5, seed: 7, columns: 3, scale: 2 });
    const wanted = imageGrid(images, { ...shape, count: 5, columns: 3, scale: 2, padding: 2 });
    assert.deepEqual(await imageAt(out), wanted);

    const tooMany = (what: string) => new RegExp(`^error: ${what} are \\d+ pixels, more than`);
    const name =
      /'--out <FILE>' argument 'a\.jpg' is invalid\. It must be a name that ends in \.png/;
    const inTheWay =
      /^error: Cannot make the folder .*: File exists .*\. A file is in the way: choose another name/;
    await assertFail(
      dir,
      [1, tooMany("99999999 images of 84 x 84"), "sample out --count=99999999"],
      [1, tooMany("999999999 columns of 84 x 84"), "sample out --columns=999999999"],
      // A gigabyte of floats, although it is only 2^28 pixels.
      [1, tooMany("340000 images of 28 x 28"), "sample out --count=340000 --scale=1"],
      [2, name, "sample out --out=a.jpg"],
      [1, inTheWay, `sample out --separate=${checkpoint}`],
    );

    const flags = "--count=5 --scale=1 --seed=7 --separate=one --quiet";
    assert.equal(await printed(dir, `sample ${checkpoint} ${flags}`), join(dir, "one") + "\n");
    for (let i = 0; i < 5; i++) {
      const one = await imageAt(join(dir, "one", `sample_000${i + 1}.png`));
      const alone = imageGrid(images.subarray(784 * i, 784 * (i + 1)), {
        ...shape,
        count: 1,
        columns: 1,
      });
      assert.deepEqual(one, alone);
    }
    generator.dispose();
  }));
