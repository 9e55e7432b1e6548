/**
 * Weights of the generator in safetensors files: what is saved is loaded, whatever is wrong is named.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { safetensors } from "npm:@jax-js/loaders@0.1.1";
import {
  CheckpointError,
  Discriminator,
  Generator,
  type GeneratorOptions,
  Gpu,
} from "../../mod.ts";
import { trainDCGAN } from "../../mod.ts";
import { checkpointPath } from "../../src/cli/trained.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
} from "../../src/formats/safetensors.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";
import { TestRandom } from "../support/random.ts";
import { disturb } from "../support/tfjs.ts";

const SMALL = { noiseDim: 7, widths: [6, 5, 4], channels: 3, height: 28, width: 20 } as const;

/** A generator with weights of its own in every layer. */
function made(gpu: Gpu, options: GeneratorOptions = SMALL): Generator {
  const generator = new Generator(gpu, { seed: 3, ...options });
  disturb(generator.variables, new TestRandom("weights"));
  return generator;
}

async function imagesOf(gpu: Gpu, generator: Generator, count = 2) {
  using sampler = new Sampler(gpu, generator, count);
  return await sampler.sample(seedNoise(count, generator.noiseDim, 5));
}

type Tensors = Map<string, SafeTensor>;

/** Writes a file as others do, without checksums: `saved` after `change`. */
async function changed(
  saved: string,
  path: string,
  change: (tensors: Tensors, metadata: Record<string, string>) => void,
): Promise<string> {
  const file = decodeSafetensors(await Deno.readFile(saved), saved);
  const [tensors, metadata] = [new Map(file.tensors), { ...file.metadata }];
  delete metadata.crc32;
  change(tensors, metadata);
  await Deno.writeFile(path, encodeSafetensors({ tensors, metadata }));
  return path;
}

const floats = (...shape: number[]): SafeTensor => ({
  dtype: "F32",
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

Deno.test("weights: a saved generator is loaded to the bit, with its sizes", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    for (const options of [SMALL, { widths: [4, 3, 2] as const }]) {
      const generator = made(gpu, options);
      const path = join(dir, "generator.safetensors");
      assert.equal(await generator.save(path), path);
      const loaded = await Generator.load(gpu, path);
      assert.equal(loaded.noiseDim, generator.noiseDim);
      assert.deepEqual(loaded.outputShape, generator.outputShape);
      assert.deepEqual(
        loaded.variables.map(({ name, shape, trainable }) => ({ name, shape, trainable })),
        generator.variables.map(({ name, shape, trainable }) => ({ name, shape, trainable })),
      );
      for (const [i, variable] of generator.variables.entries()) {
        assert.deepEqual(await loaded.variables[i].read(), await variable.read(), variable.name);
      }
      assert.deepEqual(await imagesOf(gpu, loaded), await imagesOf(gpu, generator));
      const fromBytes = await Generator.load(gpu, await Deno.readFile(path));
      assert.deepEqual(await imagesOf(gpu, fromBytes), await imagesOf(gpu, generator));
    }
  }));

Deno.test("weights: files hold Keras' names and layouts", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const path = await made(gpu).save(join(dir, "generator.safetensors"));
    const { tensors, metadata } = decodeSafetensors(await Deno.readFile(path), path);
    const norm = (suffix: string, n: number) =>
      ["gamma", "beta", "moving_mean", "moving_variance"].map((weight) => [
        `batch_normalization${suffix}/${weight}`,
        [n],
      ]);
    assert.deepEqual([...tensors].map(([name, { shape }]) => [name, shape]), [
      ["dense/kernel", [7, 7 * 5 * 6]],
      ...norm("", 7 * 5 * 6),
      ["conv2d_transpose/kernel", [5, 5, 5, 6]],
      ...norm("_1", 5),
      ["conv2d_transpose_1/kernel", [5, 5, 4, 5]],
      ...norm("_2", 4),
      ["conv2d_transpose_2/kernel", [5, 5, 3, 4]],
    ]);
    assert.deepEqual(Object.keys(metadata), ["image", "crc32"]);
    assert.equal(metadata.image, "[28,20,3]");

    const discriminator = new Discriminator(gpu, { widths: [3, 4] });
    const other = await discriminator.save(join(dir, "discriminator.safetensors"));
    const names = decodeSafetensors(await Deno.readFile(other), other).tensors.keys();
    assert.deepEqual([...names], discriminator.variables.map((v) => v.name));
  }));

Deno.test("weights: a checkpoint of a run gives the generator that the run ended with", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const { images, ...rest } = blobs(8);
    const [height, width] = [28, 20];
    const cut = { ...rest, images: images.subarray(0, 8 * height * width), height, width };
    using run = await trainDCGAN({
      gpu,
      dataset: cut,
      epochs: 1,
      batchSize: 4,
      noiseDim: 6,
      generatorWidths: [5, 4, 3],
      discriminatorWidths: [2, 3],
      outDir: join(dir, "run"),
    });
    const path = await checkpointPath(join(dir, "run"));
    assert.equal(path, run.checkpoint);
    assert.equal(await checkpointPath(join(dir, "run/training_checkpoints")), path);
    assert.equal(await checkpointPath(path), path);
    const loaded = await Generator.load(gpu, path);
    assert.deepEqual(loaded.outputShape, [28, 20, 1]);
    assert.deepEqual(await imagesOf(gpu, loaded), await imagesOf(gpu, run.generator));

    // Damage of a newer one is told, and the older one taken.
    const newer = join(dir, "run/training_checkpoints/ckpt-0002.safetensors");
    await Deno.writeFile(newer, (await Deno.readFile(path)).subarray(0, 1000));
    const skipped: string[] = [];
    assert.equal(await checkpointPath(join(dir, "run"), (e) => skipped.push(e.message)), path);
    assert.match(skipped.join(), /ckpt-0002/);
    await Deno.remove(path);
    await assert.rejects(
      checkpointPath(join(dir, "run")),
      /holds no checkpoint that can be read \(tried 1\)/,
    );
    await Deno.mkdir(join(dir, "empty"));
    await assert.rejects(checkpointPath(join(dir, "empty")), /empty holds no checkpoint/);
    await assert.rejects(checkpointPath(join(dir, "none")), { name: "CheckpointError" });
  }));

Deno.test("weights: files of others need neither prefix nor metadata where images are square", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const square = made(gpu, { ...SMALL, width: 28 });
    const saved = await square.save(join(dir, "a.safetensors"));
    const expected = await imagesOf(gpu, square);
    const foreign = await changed(saved, join(dir, "b.safetensors"), (tensors, metadata) => {
      delete metadata.image;
      for (const [name, tensor] of [...tensors].toReversed()) { // in whatever order
        tensors.delete(name);
        tensors.set(`generator/${name}`, tensor);
      }
      tensors.set("discriminator/dense/kernel", floats(2, 1));
    });
    assert.deepEqual(await imagesOf(gpu, await Generator.load(gpu, foreign)), expected);
    const bare = await changed(saved, join(dir, "c.safetensors"), (_, metadata) => {
      delete metadata.image;
    });
    assert.deepEqual(await imagesOf(gpu, await Generator.load(gpu, bare)), expected);
  }));

Deno.test("weights: whatever is wrong is named with both shapes, and nothing stays behind", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = made(gpu);
    const saved = await generator.save(join(dir, "saved.safetensors"));
    generator.dispose();
    const before = { count: gpu.context.memory.count, bytes: gpu.context.memory.bytes };
    const refused = async (path: string, message: RegExp) => {
      await assert.rejects(Generator.load(gpu, path), (error: Error) => {
        assert.ok(error instanceof CheckpointError, error.stack);
        assert.match(error.message, message);
        assert.ok(error.message.includes(path));
        return true;
      });
      assert.deepEqual(
        { count: gpu.context.memory.count, bytes: gpu.context.memory.bytes },
        before,
      );
    };
    const wrong = async (
      message: RegExp,
      change: (tensors: Tensors, metadata: Record<string, string>) => void,
    ) => await refused(await changed(saved, join(dir, "wrong.safetensors"), change), message);

    await refused(join(dir, "missing.safetensors"), /Cannot open the weights/);
    await Deno.writeFile(join(dir, "cut"), (await Deno.readFile(saved)).subarray(0, 5000));
    await refused(join(dir, "cut"), /ends at byte \d+, the file at 5000/);

    await wrong(/no tensor dense\/kernel: F32 \[noiseDim, /, (t) => t.delete("dense/kernel"));
    await wrong(
      /no tensor conv2d_transpose_1\/kernel/,
      (t) => t.delete("conv2d_transpose_1/kernel"),
    );
    await wrong(
      /no tensor batch_normalization_2\/beta: F32 \[4\]/,
      (t) => t.delete("batch_normalization_2/beta"),
    );
    await wrong(
      /batch_normalization_1\/gamma is F32 \[6\]; this network needs F32 \[5\]/,
      (t) => t.set("batch_normalization_1/gamma", floats(6)),
    );
    await wrong(
      /batch_normalization_1\/gamma is F32 \[5, 1\]; this network needs F32 \[5\]/,
      (t) => t.set("batch_normalization_1/gamma", floats(5, 1)),
    );
    await wrong(
      /batch_normalization\/beta is U32 \[210\]; this network needs F32 \[210\]/,
      (t) =>
        t.set("batch_normalization/beta", {
          dtype: "U32",
          shape: [210],
          data: new Uint32Array(210),
        }),
    );
    await wrong(
      /conv2d_transpose_2\/kernel is F32 \[3, 3, 3, 4\]; this network needs F32 \[5, 5, 3, 4\]/,
      (t) => t.set("conv2d_transpose_2/kernel", floats(3, 3, 3, 4)),
    );
    await wrong(
      /conv2d_transpose_1\/kernel is F32 \[5, 5, 4, 9\]; this network needs F32 \[5, 5, 4, 5\]/,
      (t) => t.set("conv2d_transpose_1/kernel", floats(5, 5, 4, 9)),
    );
    await wrong(
      /conv2d_transpose\/kernel is F32 \[5, 5, 30\]; this network needs F32 \[5, 5, out, in\]/,
      (t) => t.set("conv2d_transpose/kernel", floats(5, 5, 30)),
    );
    await wrong(
      /conv2d_transpose\/kernel is F32 \[5, 5, 5, 0\]/,
      (t) => t.set("conv2d_transpose/kernel", floats(5, 5, 5, 0)),
    );
    await wrong(/an unknown tensor dense\/bias/, (t) => t.set("dense/bias", floats(210)));
    await wrong(
      /dense\/kernel is F32 \[7, 211\] .* not a whole number of pixels of 6 channels/,
      (t) => t.set("dense/kernel", floats(7, 211)),
    );
    await wrong(/35 pixels are not a square/, (_, metadata) => delete metadata.image);
    await wrong(
      /35 pixels, doubled twice, are not the 28 x 24/,
      (_, metadata) => metadata.image = "[28,24,3]",
    );
    await wrong(/images of "28 x 20"/, (_, m) => m.image = '"28 x 20"');
    await wrong(/images of \[28,0.5\]/, (_, m) => m.image = "[28,0.5]");
    await wrong(/is not JSON/, (_, m) => m.image = "{");
    for (
      const [name, at, value, reason] of [
        ["dense/kernel", 9, NaN, "the run .* diverged"],
        ["dense/kernel", 9, Infinity, "the run .* diverged"],
        ["batch_normalization_1/moving_variance", 3, NaN, "the run .* diverged"],
        ["batch_normalization_1/moving_variance", 3, -0.5, "a variance is at least 0"],
      ] as const
    ) {
      await wrong(
        new RegExp(`${name} \\[.*\\] holds ${value} at ${at}: ${reason}`),
        (t) => t.get(name)!.data[at] = value,
      );
    }
    await wrong(/no tensor generator\/dense\/kernel/, (t) => t.set("generator/dense/b", floats(1)));
  }));

Deno.test("weights: a saved file that lost a bit is refused, and the tensor named", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const path = await made(gpu).save(join(dir, "generator.safetensors"));
    const bytes = await Deno.readFile(path);
    bytes[bytes.length - 100] ^= 1; // the lowest bit of a kernel's value
    await Deno.writeFile(path, bytes);
    for (const source of [path, bytes]) {
      await assert.rejects(Generator.load(gpu, source), {
        name: "CheckpointError",
        message: /is damaged: the tensor conv2d_transpose_2\/kernel has the CRC-32/,
      });
    }
  }));

Deno.test("weights: files that cannot be written are refused before anything is read", async () => {
  using gpu = await Gpu.request();
  const generator = made(gpu);
  await assert.rejects(generator.save("weights.h5"), {
    name: "RangeError",
    message: /save the generator as weights\.h5/,
  });
  await assert.rejects(generator.save("no/such/folder/a.safetensors"), /Create the folder/);
});

Deno.test("weights: another's reader sees the same names, shapes and values", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = made(gpu);
    const path = await generator.save(join(dir, "generator.safetensors"));
    const { tensors, metadata } = safetensors.parse(await Deno.readFile(path));
    assert.equal(metadata?.image, "[28,20,3]");
    assert.deepEqual(Object.keys(tensors), generator.variables.map((v) => v.name));
    for (const variable of generator.variables) {
      const { dtype, shape, data } = tensors[variable.name];
      assert.deepEqual([dtype, shape], ["F32", variable.shape]);
      assert.deepEqual(Float32Array.from(data as Float32Array), await variable.read());
    }
  }));
