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
  }));
