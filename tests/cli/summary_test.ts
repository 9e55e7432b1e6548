import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Gpu } from "../../mod.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { assertRuns } from "../support/commands.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("summary: the layers of a checkpoint's networks, and a drawing of them", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = await Generator.load(gpu, await writeCheckpoint(gpu, join(dir, "out")));
    const [summary] = await assertRuns(
      dir,
      [0, "summary out --json --plot=net.svg"],
      [2, "summary --plot=net.png", /--plot <FILE>' argument 'net\.png' is invalid/],
      [2, "summary --plot=- --json", /--plot - and --json both write to standard output/],
      [2, "summary out --noise-dim=3", /--noise-dim and CHECKPOINT exclude each other/],
    );
    const { generator: g, discriminator: d, plot } = JSON.parse(summary);
    assert.deepEqual(g.inputShape, [8]);
    assert.equal(g.weights.total, generator.parameterCount.total);
    type Layer = { type: string; outputShape: number[] };
    const convolutions = d.layers.filter(({ type }: Layer) => type === "Conv2D");
    assert.deepEqual(convolutions.map(({ outputShape }: Layer) => outputShape[2]), [4, 12]);
    assert.equal(plot, join(dir, "net.svg"));
    assert.match(await Deno.readTextFile(plot), /^<svg /);

    const conditional = new Generator(gpu, {
      widths: [2, 2, 2],
      classes: 3,
      normalization: "none",
    });
    await conditional.save(join(dir, "g.safetensors"));
    const [ofFile, ofFlags] = await assertRuns(
      dir,
      [0, "summary g.safetensors --quiet --json"],
      [0, "summary --height=64 --width=48 --channels=3 --classes=10 --normalization=none --json"],
      [1, "summary --height=30", /^error: The height of images must be a multiple of 4, got 30/],
      [2, "summary --normalization=layer", /'layer' is invalid\. It must be batch or none/],
    );
    const types = (text: string, name: string): string[] =>
      JSON.parse(text)[name].layers.map(({ type }: Layer) => type);
    const plain = ["ClassEmbedding", "Dense", "LeakyReLU", "Reshape"];
    const up = ["Conv2DTranspose", "LeakyReLU"];
    assert.deepEqual(types(ofFile, "generator"), [...plain, ...up, ...up, "Conv2DTranspose"]);
    assert.deepEqual(types(ofFlags, "generator"), [...plain, ...up, ...up, ...up, up[0]]);
    assert.equal(types(ofFlags, "discriminator").at(-1), "ClassProjection");
    assert.deepEqual(JSON.parse(ofFlags).generator.outputShape, [64, 48, 3]);
  }));
