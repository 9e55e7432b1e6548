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
      [1, "sample out --label=7", /^error: The generator has no classes, got the label 7: leave/],
      [1, "interpolate out --label=0", /^error: The generator has no classes, got the label 0/],
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

Deno.test("generate: with classes, a row a class, or images of one", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const image = { height: 6, width: 4, channels: 1 };
    const made = new Generator(gpu, { ...image, noiseDim: 3, widths: [4, 3], classes: 3, seed: 1 });
    const file = await made.save(join(dir, "g.safetensors"));
    const classes =
      /^error: The generator has the classes 0 to 2, got the label 3: use one of these/;
    const sample = "sample g.safetensors --scale=1 --json";
    const results = await assertRuns(
      dir,
      [0, `${sample} --out=rows.png`],
      [0, `${sample} --columns=5 --out=five.png`],
      [0, `${sample} --count=5 --out=count.png`],
      [0, `${sample} --count=5 --separate=one`],
      [0, `${sample} --label=2 --out=twos.png`],
      [0, "interpolate g.safetensors --points=2 --steps=2 --scale=1 --label=2 --out=walk --json"],
      [0, "interpolate g.safetensors --points=2 --steps=2 --scale=1 --out=first --json"],
      [1, `${sample} --label=3`, classes],
      [1, "interpolate g.safetensors --label=3", classes],
      [2, `${sample} --label=-1`, /'--label <N>' argument '-1' is invalid/],
    );
    const parsed = results.slice(0, 7).map((text) => JSON.parse(text));
    const facts = parsed.map((
      { labels = [], columns, label },
    ) => [labels.join(""), columns ?? label]);
    assert.deepEqual(facts, [
      ["000000001111111122222222", 8],
      ["000001111122222", 5],
      ["00011", 3],
      ["00011", undefined],
      ["2222222222222222", 4],
      ["", 2],
      ["", 0],
    ]);
    const loaded = await Generator.load(gpu, file);
    const imageAt = async (name: string) => decodePNG(await Deno.readFile(join(dir, name)), name);
    const layout = { ...image, columns: 8, padding: 1 };
    const rows = Uint32Array.from({ length: 24 }, (_, i) => Math.floor(i / 8));
    const expected = await generate(gpu, loaded, seedNoise(24, 3, 0), rows);
    assert.deepEqual(await imageAt("rows.png"), imageGrid(expected, { ...layout, count: 24 }));
    const twos = await generate(gpu, loaded, seedNoise(16, 3, 0), new Uint32Array(16).fill(2));
    const four = { ...layout, count: 16, columns: 4 };
    assert.deepEqual(await imageAt("twos.png"), imageGrid(twos, four));
    assert.notDeepEqual(await imageAt("walk.png"), await imageAt("first.png"));
  }));
