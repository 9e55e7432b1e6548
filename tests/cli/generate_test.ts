import assert from "node:assert/strict";
import { join } from "node:path";
import { decodePNG, Generator, Gpu, imageGrid } from "../../mod.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { assertClose } from "../support/close.ts";
import { assertRuns } from "../support/commands.ts";
import { inFolder } from "../support/folder.ts";
import { framesOf } from "../support/gif.ts";

const SHAPE = { height: 28, width: 28, channels: 1 };

const tooMany = (what: string) => RegExp(`^error: ${what} are \\d+ pixels, more than`);

Deno.test("generate: a checkpoint's images, and a path between them, are those of the seed", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const checkpoint = await writeCheckpoint(gpu, join(dir, "out"));
    const images = await generate(
      gpu,
      await Generator.load(gpu, checkpoint),
      seedNoise(5, 8, 7),
    );
    const separate = "--count=5 --scale=1 --seed=7 --separate=one --quiet";
    const path = "--points=2 --steps=3 --scale=1 --seed=7 --loop --out=walk.gif";
    const name =
      /'--out <FILE>' argument 'a\.jpg' is invalid\. It must be a name that ends in \.png/;
    const inTheWay =
      /^error: Cannot make the folder .*: File exists .*\. A file is in the way: choose another name/;
    const [grid, one] = await assertRuns(
      dir,
      [0, "sample out --count=5 --columns=3 --scale=2 --seed=7 --json"],
      [0, `sample ${checkpoint} ${separate}`],
      [0, `interpolate out ${path}`],
      [1, "sample out --count=99999999", tooMany("99999999 images of 84 x 84")],
      [1, "sample out --columns=999999999", tooMany("999999999 columns of 84 x 84")],
      // A gigabyte of floats, although it is only 2^28 pixels.
      [1, "sample out --count=340000 --scale=1", tooMany("340000 images of 28 x 28")],
      [
        1,
        "interpolate out --points=2 --steps=999999999",
        tooMany("2000000000 images of 112 x 112"),
      ],
      [2, "sample out --out=a.jpg", name],
      [1, `sample out --separate=${checkpoint}`, inTheWay],
    );
    const imageAt = async (name: string) => decodePNG(await Deno.readFile(join(dir, name)), name);
    const out = join(dir, "samples.png");
    const facts = { checkpoint, count: 5, seed: 7, columns: 3, scale: 2, out };
    assert.deepEqual(JSON.parse(grid), facts);
    const layout = { ...SHAPE, count: 5, columns: 3, scale: 2, padding: 2 };
    assert.deepEqual(await imageAt("samples.png"), imageGrid(images, layout));
    assert.equal(one, join(dir, "one") + "\n");
    const alone = [0, 1, 2, 3, 4].map((i) =>
      imageGrid(images.subarray(784 * i, 784 * (i + 1)), { ...SHAPE, count: 1, columns: 1 })
    );
    for (const [i, image] of alone.entries()) {
      assert.deepEqual(await imageAt(`one/sample_000${i + 1}.png`), image);
    }

    const delays = (await framesOf(join(dir, "walk.gif"))).map(([, delay]) => delay);
    assert.deepEqual(delays, new Array(6).fill(8), "hundredths of a second");
    const strip = await imageAt("walk.png");
    assert.deepEqual([strip.width, strip.height], [4 * 29 + 1, 2 * 29 + 1]);
    const cell = (row: number, column: number) =>
      Array.from({ length: 28 }, (_, y) => {
        const from = (row * 29 + 1 + y) * strip.width + column * 29 + 1;
        return [...strip.data.subarray(from, from + 28)];
      }).flat();
    // The first point is the first image of the same seed; each leg ends where the next begins.
    assertClose(cell(0, 0), alone[0].data, { atol: 1, what: "the first point" });
    assert.deepEqual(cell(0, 3), cell(1, 0));
    assert.deepEqual(cell(1, 3), cell(0, 0));
    assert.notDeepEqual(cell(0, 0), cell(0, 1));
  }));
