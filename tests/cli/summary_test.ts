import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Gpu } from "../../mod.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { assertFail, printed } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("summary: the layers of a checkpoint's networks, and a drawing of them", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = await Generator.load(gpu, await writeCheckpoint(gpu, join(dir, "out")));
    const summary = await printed(dir, "summary out --json --plot=net.svg");
    const { generator: g, discriminator: d, plot } = JSON.parse(summary);
    assert.deepEqual(g.inputShape, [8]);
    assert.equal(g.weights.total, generator.parameterCount.total);
    assert.deepEqual(
      d.layers.filter((l: { type: string }) => l.type === "Conv2D")
        .map((l: { outputShape: number[] }) => l.outputShape[2]),
      [4, 12],
    );
    assert.equal(plot, join(dir, "net.svg"));
    assert.match(await Deno.readTextFile(plot), /^<svg /);
    generator.dispose();
    await assertFail(
      dir,
      [2, /--plot <FILE>' argument 'net\.png' is invalid/, "summary --plot=net.png"],
      [2, /--plot - and --json both write to standard output/, "summary --plot=- --json"],
      [2, /--noise-dim and CHECKPOINT exclude each other/, "summary out --noise-dim=3"],
    );
  }));
