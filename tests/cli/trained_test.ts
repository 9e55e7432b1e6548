import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Gpu, trainDCGAN } from "../../mod.ts";
import { checkpointPath } from "../../src/cli/trained.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("trained: a run's newest checkpoint gives the generator that the run ended with", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const [outDir, folder] = [join(dir, "run"), join(dir, "run/training_checkpoints")];
    const { images, ...rest } = blobs(8);
    const cut = { ...rest, width: 20, images: images.subarray(0, 8 * 28 * 20) };
    using run = await trainDCGAN({
      ...{ gpu, dataset: cut, epochs: 1, batchSize: 4, noiseDim: 6, outDir },
      generatorWidths: [5, 4, 3],
      discriminatorWidths: [2, 3],
    });
    const path = run.checkpoint!;
    for (const named of [outDir, folder, path]) assert.equal(await checkpointPath(named), path);
    const loaded = await Generator.load(gpu, path);
    assert.deepEqual(loaded.outputShape, [28, 20, 1]);
    const [got, wanted] = [loaded, run.generator]
      .map((generator) => generate(gpu, generator, seedNoise(2, 6, 5)));
    assert.deepEqual(await got, await wanted);

    // A newer one that is damaged is reported, and the older one taken.
    const newer = join(folder, "ckpt-0002.safetensors");
    await Deno.writeFile(newer, (await Deno.readFile(path)).subarray(0, 1000));
    const skipped: string[] = [];
    assert.equal(await checkpointPath(outDir, (e) => skipped.push(e.message)), path);
    assert.match(skipped.join(), /ckpt-0002/);
    await Deno.remove(path);
    const unreadable = /holds no checkpoint that can be read \(tried 1\)/;
    await assert.rejects(checkpointPath(outDir), unreadable);
    await Deno.mkdir(join(dir, "empty"));
    await assert.rejects(checkpointPath(join(dir, "empty")), /empty holds no checkpoint/);
    await assert.rejects(checkpointPath(join(dir, "none")), { name: "CheckpointError" });
  }));
