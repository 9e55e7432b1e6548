import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Gpu, trainDCGAN } from "../../mod.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { blobs } from "../support/dataset.ts";
import { assertFail, printed } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

const names = (dir: string) => [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();

async function draw(gpu: Gpu, path: string): Promise<Float32Array> {
  const generator = await Generator.load(gpu, path);
  using sampler = new Sampler(gpu, generator, 2);
  return await sampler.sample(seedNoise(2, generator.noiseDim, 5));
}

Deno.test("export: a run's newest checkpoint in every form, relative to the person", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    using run = await trainDCGAN({
      gpu,
      dataset: blobs(4),
      epochs: 2,
      batchSize: 4,
      noiseDim: 6,
      generatorWidths: [5, 4, 3],
      discriminatorWidths: [2, 3],
      outDir: join(dir, "out"),
      checkpoint: { everyEpochs: 1 },
    });
    const checkpoint = run.checkpoint!;
    const expected = await draw(gpu, checkpoint);

    const onnx = await printed(dir, "export out --to generator.onnx");
    assert.ok(onnx.includes(`read     ${checkpoint}\n`), onnx);
    assert.match(onnx, /^wrote {4}.*generator\.onnx$/m);
    assert.deepEqual(
      await Deno.readFile(join(dir, "generator.onnx")),
      new Uint8Array(await run.generator.toONNX()),
    );

    const tfjs = await printed(dir, `export --to=web/model.json ${checkpoint} --json`);
    const { files, ...rest } = JSON.parse(tfjs);
    assert.deepEqual(rest, {
      checkpoint,
      format: "tfjs",
      noiseDim: 6,
      height: 28,
      width: 28,
      channels: 1,
      weights: run.generator.parameterCount.total,
    });
    assert.deepEqual(
      files,
      ["model.json", "weights.bin"].map((name) => {
        const path = join(dir, "web", name);
        return { path, bytes: Deno.statSync(path).size };
      }),
    );
    assert.deepEqual(await draw(gpu, join(dir, "web")), expected);

    // A form without a place goes beside the run; a tfjs model can be read again.
    await printed(dir, "export web --format safetensors");
    assert.deepEqual(await draw(gpu, join(dir, "web/generator.safetensors")), expected);
    await printed(dir, "export out --format tfjs");
    assert.deepEqual(names(join(dir, "out/generator")), ["model.json", "weights.bin"]);

    // Nothing is overwritten without --force.
    const before = await Deno.readFile(join(dir, "web/weights.bin"));
    const older = join(dir, "out/training_checkpoints/ckpt-0001.safetensors");
    const exists = /^error: .*model\.json exists: use --force/m;
    await assertFail(dir, [1, exists, `export ${older} --to web/`]);
    assert.deepEqual(await Deno.readFile(join(dir, "web/weights.bin")), before);
    await printed(dir, `export ${older} --to web/ --force`);
    assert.deepEqual(await draw(gpu, join(dir, "web")), await draw(gpu, older));
    assert.notDeepEqual(await draw(gpu, join(dir, "web")), expected);
  }));

Deno.test("export: mistakes exit with a sentence, and write nothing", () =>
  inFolder(async (dir) => {
    await assertFail(dir, [1, /^error: There is no .*out/m, "export out --to a.onnx"]);
    await Deno.mkdir(join(dir, "out"));
    await Deno.writeFile(join(dir, "a.safetensors"), new Uint8Array(20));
    await assertFail(
      dir,
      [2, /missing required argument 'CHECKPOINT'/, "export"],
      [2, /for 'export'\. Expected 1 argument but got 2: a, b/, "export a b --to c.onnx"],
      [2, /export needs --to PATH, or --format/, "export out"],
      [2, /'h5' is invalid\. It must be onnx or safetensors or tfjs/, "export out --format h5"],
      [2, /'--form' \(Did you mean (one of .*)?--format/, "export out --form onnx"],
      [1, /^error: .*out holds no checkpoint/m, "export out --to a.onnx"],
      [1, /^error: .*a\.safetensors/m, "export a.safetensors --to a.onnx"],
      [1, /^error: Cannot save the generator as .*a\.h5/m, "export a.safetensors --to=a.h5"],
      [
        2,
        /--format onnx does not go with --to .*a, whose end \(a folder\) means tfjs/,
        "export a.safetensors --to a --format onnx",
      ],
      [
        1,
        /^error: Cannot export .*a\.safetensors to itself/m,
        "export a.safetensors --to a.safetensors --force",
      ],
    );
    assert.deepEqual(names(dir), ["a.safetensors", "out"]);
    const help = await printed(dir, "export --help");
    for (const text of ["--to <PATH>", "--format <NAME>", "--force", "--json", "Examples:"]) {
      assert.ok(help.includes(text), text);
    }
  }));
