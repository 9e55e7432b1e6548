/**
 * `export`, in a process of its own.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Gpu, trainDCGAN } from "../../mod.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { blobs } from "../support/dataset.ts";
import { dcgan as runCommand } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

const dcgan = (cwd: string, ...args: string[]) => runCommand(args, { INIT_CWD: cwd });

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

    const onnx = await dcgan(dir, "export", "out", "--to", "generator.onnx");
    assert.equal(onnx.code, 0, onnx.stderr);
    assert.ok(onnx.stdout.includes(`read     ${checkpoint}\n`), onnx.stdout);
    assert.match(onnx.stdout, /^wrote {4}.*generator\.onnx$/m);
    assert.deepEqual(
      await Deno.readFile(join(dir, "generator.onnx")),
      new Uint8Array(await run.generator.toONNX()),
    );

    const tfjs = await dcgan(dir, "export", "--to=web/model.json", checkpoint, "--json");
    assert.equal(tfjs.code, 0, tfjs.stderr);
    const { files, ...rest } = JSON.parse(tfjs.stdout);
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
    const weights = await dcgan(dir, "export", "web", "--format", "safetensors");
    assert.equal(weights.code, 0, weights.stderr);
    assert.deepEqual(await draw(gpu, join(dir, "web/generator.safetensors")), expected);
    const folder = await dcgan(dir, "export", "out", "--format", "tfjs");
    assert.equal(folder.code, 0, folder.stderr);
    assert.deepEqual(names(join(dir, "out/generator")), ["model.json", "weights.bin"]);

    // Nothing is overwritten unless told so.
    const before = await Deno.readFile(join(dir, "web/weights.bin"));
    const older = join(dir, "out/training_checkpoints/ckpt-0001.safetensors");
    const again = await dcgan(dir, "export", older, "--to", "web/");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^error: .*model\.json exists: use --force/m);
    assert.deepEqual(await Deno.readFile(join(dir, "web/weights.bin")), before);
    const forced = await dcgan(dir, "export", older, "--to", "web/", "--force");
    assert.equal(forced.code, 0, forced.stderr);
    assert.deepEqual(await draw(gpu, join(dir, "web")), await draw(gpu, older));
    assert.notDeepEqual(await draw(gpu, join(dir, "web")), expected);
  }));

Deno.test("export: mistakes exit with a sentence, and write nothing", () =>
  inFolder(async (dir) => {
    const refused = async (code: number, message: RegExp, ...args: string[]) => {
      const run = await dcgan(dir, "export", ...args);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, message);
      assert.doesNotMatch(run.stderr, /^ +at /m);
    };
    await refused(2, /missing required argument 'CHECKPOINT'/);
    await refused(
      2,
      /too many arguments for 'export'\. Expected 1 argument but got 2: a, b/,
      "a",
      "b",
      "--to",
      "c.onnx",
    );
    await refused(2, /export needs --to PATH, or --format/, "out");
    await refused(
      2,
      /'--format <NAME>' argument 'h5' is invalid\. It must be onnx or safetensors or tfjs/,
      "out",
      "--format",
      "h5",
    );
    await refused(
      2,
      /unknown option '--form' \(Did you mean (one of .*)?--format/,
      "out",
      "--form",
      "onnx",
    );
    await refused(1, /^error: There is no .*out/m, "out", "--to", "a.onnx");
    await Deno.mkdir(join(dir, "out"));
    await refused(1, /^error: .*out holds no checkpoint/m, "out", "--to", "a.onnx");
    await Deno.writeFile(join(dir, "a.safetensors"), new Uint8Array(20));
    await refused(1, /^error: .*a\.safetensors/m, "a.safetensors", "--to", "a.onnx");
    await refused(1, /^error: Cannot save the generator as .*a\.h5/m, "a.safetensors", "--to=a.h5");
    await refused(
      2,
      /--format onnx does not go with --to .*a, whose end \(a folder\) means tfjs/,
      ...["a.safetensors", "--to", "a", "--format", "onnx"],
    );
    await refused(
      1,
      /^error: Cannot export .*a\.safetensors to itself/m,
      ...["a.safetensors", "--to", "a.safetensors", "--force"],
    );
    assert.deepEqual(names(dir), ["a.safetensors", "out"]);

    const help = await dcgan(dir, "export", "--help");
    assert.equal(help.code, 0);
    for (const text of ["--to <PATH>", "--format <NAME>", "--force", "--json", "Examples:"]) {
      assert.ok(help.stdout.includes(text), text);
    }
  }));
