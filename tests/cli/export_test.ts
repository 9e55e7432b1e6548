import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Gpu, trainDCGAN } from "../../mod.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { assertRuns } from "../support/commands.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder, withFiles } from "../support/folder.ts";

const names = (dir: string) => [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();

Deno.test("export: a run's newest checkpoint in every form, relative to the person", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const imagesOf = (generator: Generator) => generate(gpu, generator, seedNoise(2, 6, 5));
    const draw = async (path: string) => imagesOf(await Generator.load(gpu, join(dir, path)));
    const { images, ...rest } = blobs(4);
    using run = await trainDCGAN({
      ...{ gpu, epochs: 2, batchSize: 4, noiseDim: 6, outDir: join(dir, "out") },
      dataset: { ...rest, width: 20, images: images.subarray(0, 4 * 28 * 20) },
      generatorWidths: [5, 4, 3],
      discriminatorWidths: [2, 3],
      checkpoint: { everyEpochs: 1 },
    });
    const [older, newest] = [1, 2].map((n) => `out/training_checkpoints/ckpt-000${n}.safetensors`);
    const checkpoint = run.checkpoint!;
    assert.equal(checkpoint, join(dir, newest));

    const [onnx, tfjs] = await assertRuns(
      dir,
      [0, "export out --to generator.onnx", /^wrote {4}.*generator\.onnx$/m],
      [0, `export --to=web/model.json ${checkpoint} --json`],
      // A form without a place goes beside the run; a tfjs model can be read again.
      [0, "export web --format safetensors"],
      [0, "export out --format tfjs"],
      // Nothing is overwritten without --force.
      [1, `export ${older} --to web/`, /^error: .*model\.json exists: use --force/m],
    );
    assert.ok(onnx.includes(`read     ${checkpoint}\n`), onnx);
    const bytes = await Deno.readFile(join(dir, "generator.onnx"));
    assert.deepEqual(bytes, new Uint8Array(await run.generator.toONNX()));
    const files = ["web/model.json", "web/weights.bin"].map((name) => join(dir, name));
    assert.deepEqual(JSON.parse(tfjs), {
      ...{ checkpoint, format: "tfjs", noiseDim: 6, height: 28, width: 20, channels: 1 },
      weights: run.generator.parameterCount.total,
      files: files.map((path) => ({ path, bytes: Deno.statSync(path).size })),
    });
    assert.deepEqual(names(join(dir, "out/generator")), ["model.json", "weights.bin"]);
    const expected = await imagesOf(run.generator);
    for (const path of [newest, "web", "web/generator.safetensors"]) {
      assert.deepEqual(await draw(path), expected, path);
    }
    await assertRuns(dir, [0, `export ${older} --to web/ --force`]);
    assert.deepEqual(await draw("web"), await draw(older));
    assert.notDeepEqual(await draw("web"), expected);
  }));

Deno.test("export: a generator with classes goes to ONNX, and is no tfjs model", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = new Generator(gpu, { noiseDim: 3, widths: [3, 2], classes: 4 });
    await generator.save(join(dir, "g.safetensors"));
    await assertRuns(
      dir,
      [0, "export g.safetensors --to g.onnx"],
      [1, "export g.safetensors --to web", /^error: Cannot write the generator .*takes labels/],
    );
    assert.deepEqual(names(dir), ["g.onnx", "g.safetensors"]);
    const onnx = await Deno.readFile(join(dir, "g.onnx"));
    assert.deepEqual(onnx, new Uint8Array(await generator.toONNX()));
  }));

Deno.test("export: mistakes exit with a sentence, and write nothing", () =>
  withFiles({ "a.safetensors": new Uint8Array(20) }, async (dir) => {
    await Deno.mkdir(join(dir, "out"));
    const form = /--format onnx does not go with --to .*a, whose end \(a folder\) means tfjs/;
    const itself = /^error: Cannot export .*a\.safetensors to itself/m;
    const [help] = await assertRuns(
      dir,
      [0, "export --help"],
      [1, "export none --to a.onnx", /^error: There is no .*none/m],
      [2, "export", /missing required argument 'CHECKPOINT'/],
      [2, "export a b --to c.onnx", /for 'export'\. Expected 1 argument but got 2: a, b/],
      [2, "export out", /export needs --to PATH, or --format/],
      [2, "export out --format h5", /'h5' is invalid\. It must be onnx or safetensors or tfjs/],
      [2, "export out --form onnx", /'--form' \(Did you mean (one of .*)?--format/],
      [1, "export out --to a.onnx", /^error: .*out holds no checkpoint/m],
      [1, "export a.safetensors --to a.onnx", /^error: .*a\.safetensors/m],
      [1, "export a.safetensors --to=a.h5", /^error: Cannot save the generator as .*a\.h5/m],
      [2, "export a.safetensors --to a --format onnx", form],
      [1, "export a.safetensors --to a.safetensors --force", itself],
    );
    assert.deepEqual(names(dir), ["a.safetensors", "out"]);
    for (const text of ["--to <PATH>", "--format <NAME>", "--force", "--json", "Examples:"]) {
      assert.ok(help.includes(text), text);
    }
  }));
