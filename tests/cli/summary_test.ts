import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Gpu } from "../../mod.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { dcgan } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

const run = (cwd: string, args: string[]) => dcgan(args, { INIT_CWD: cwd });

Deno.test("summary: the layers of a checkpoint's networks, and a drawing of them", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = await Generator.load(gpu, await writeCheckpoint(gpu, join(dir, "out")));
    const summary = await run(dir, ["summary", "out", "--json", "--plot=net.svg"]);
    const { generator: g, discriminator: d, plot } = JSON.parse(summary.stdout);
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
    for (
      const [args, message] of [
        [["--plot=net.png"], /--plot <FILE>' argument 'net\.png' is invalid/],
        [["--plot=-", "--json"], /--plot - and --json both write to standard output/],
        [["out", "--noise-dim=3"], /--noise-dim and CHECKPOINT exclude each other/],
      ] as const
    ) {
      const { code, stderr } = await run(dir, ["summary", ...args]);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  }));
