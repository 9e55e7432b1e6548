import assert from "node:assert/strict";
import { join } from "node:path";
import { decodePNG, Generator, Gpu, type Image, imageGrid } from "../../mod.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { assertClose } from "../support/close.ts";
import { assertFail, printed } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";
import { framesOf } from "../support/gif.ts";

const imageAt = async (path: string): Promise<Image> => decodePNG(await Deno.readFile(path), path);

Deno.test("interpolate: a path from point to point as GIF and strip, the same for the same seed", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const checkpoint = await writeCheckpoint(gpu, join(dir, "out"));
    const long = /^error: 2000000000 images of 112 x 112 are \d+ pixels, more than/;
    await assertFail(dir, [1, long, "interpolate out --points=2 --steps=999999999"]);

    const flags = "--points=2 --steps=3 --scale=1 --seed=7 --loop --out=walk.gif";
    await printed(dir, `interpolate out ${flags}`);
    assert.equal((await framesOf(join(dir, "walk.gif"))).length, 6);
    const strip = await imageAt(join(dir, "walk.png"));
    assert.deepEqual([strip.width, strip.height], [4 * 29 + 1, 2 * 29 + 1]);
    const cell = (row: number, column: number) =>
      Array.from({ length: 28 }, (_, y) => {
        const from = (row * 29 + 1 + y) * strip.width + column * 29 + 1;
        return [...strip.data.subarray(from, from + 28)];
      }).flat();
    // The first point is the first image of the same seed; each leg ends where the next begins.
    const generator = await Generator.load(gpu, checkpoint);
    const image = await generate(gpu, generator, seedNoise(1, 8, 7));
    const first = imageGrid(image, { count: 1, height: 28, width: 28, channels: 1, columns: 1 });
    generator.dispose();
    assertClose(cell(0, 0), first.data, { atol: 1, what: "the first point" });
    assert.deepEqual(cell(0, 3), cell(1, 0));
    assert.deepEqual(cell(1, 3), cell(0, 0));
    assert.notDeepEqual(cell(0, 0), cell(0, 1));
  }));
