import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Gpu, trainDCGAN } from "../../mod.ts";
import { checkpointPath } from "../../src/cli/trained.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";

async function imagesOf(gpu: Gpu, generator: Generator) {
  using sampler = new Sampler(gpu, generator, 2);
  return await sampler.sample(seedNoise(2, generator.noiseDim, 5));
}

Deno.test("trained: a run's newest checkpoint gives the generator that the run ended with", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const { images, ...rest } = blobs(8);
    const [height, width] = [28, 20];
    const cut = { ...rest, images: images.subarray(0, 8 * height * width), height, width };
    const [outDir, folder] = [join(dir, "run"), join(dir, "run/training_checkpoints")];
    using run = await trainDCGAN({
      gpu,
      dataset: cut,
      epochs: 1,
      batchSize: 4,
      noiseDim: 6,
      generatorWidths: [5, 4, 3],
      discriminatorWidths: [2, 3],
      outDir,
    });
    const path = run.checkpoint!;
    for (const named of [outDir, folder, path]) assert.equal(await checkpointPath(named), path);
    const loaded = await Generator.load(gpu, path);
    assert.deepEqual(loaded.outputShape, [28, 20, 1]);
    assert.deepEqual(await imagesOf(gpu, loaded), await imagesOf(gpu, run.generator));

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
