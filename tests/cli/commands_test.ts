/** The commands beside `train`: their parts, and each of them once as a person runs it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { GifReader } from "npm:omggif@1.0.10";
import { decodePNG, encodePNG, Generator, Gpu, type Image, imageGrid, ops } from "../../mod.ts";
import {
  type Check,
  checkBackend,
  checkData,
  checkDeno,
  checkFolder,
  checkLimits,
  describeCheck,
} from "../../src/cli/doctor.ts";
import { type Argument, nearest, parseCommandLine, UsageError } from "../../src/cli/flags.ts";
import { checkKernels } from "../../src/cli/kernel_check.ts";
import { Report } from "../../src/cli/report.ts";
import { style, styleOf } from "../../src/cli/style.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import { invocations, kernel, workgroupBytes } from "../../src/gpu/shader.ts";
import { encodeCheckpoint } from "../../src/training/checkpoint.ts";
import { animated, listImages } from "../../src/files/images.ts";
import { generate, Sampler, seedNoise } from "../../src/model/sampler.ts";
import { VERSION } from "../../src/version.ts";
import { blobs } from "../support/dataset.ts";
import { dcgan as runCommand } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";
import { assertClose } from "../support/close.ts";

/** Runs the command line; relative paths are those of `cwd`. */
const dcgan = (cwd: string, args: string[], env: Record<string, string> = {}) =>
  runCommand(args, { INIT_CWD: cwd, ...env });

const FLAGS = { force: { help: "does it" }, help: { help: "this text" } };
const FILE: Argument = { name: "FILE", help: "what to\nread" };

Deno.test("arguments: they are taken in order, between flags and behind --", () => {
  const parse = (args: string[], ...expected: Argument[]) =>
    parseCommandLine(FLAGS, expected, args);
  assert.deepEqual(parse(["a", "--force"], FILE), { flags: { force: true }, args: ["a"] });
  assert.deepEqual(parse(["--force", "--", "--a"], FILE).args, ["--a"]);
  assert.deepEqual(parse([], { ...FILE, optional: true }).args, []);
  assert.deepEqual(parse(["a", "b", "c"], { ...FILE, many: true }).args, ["a", "b", "c"]);
  assert.deepEqual(parse(["-h"], FILE), { flags: { help: true }, args: [] });
});

Deno.test("arguments: a missing one is explained, one too many is named", () => {
  const refused = (args: string[], expected: Argument[], message: RegExp) =>
    assert.throws(() => parseCommandLine(FLAGS, expected, args), (error: Error) => {
      assert.ok(error instanceof UsageError, error.stack);
      assert.match(error.message, message);
      return true;
    });
  refused([], [FILE], /^FILE is missing: what to read$/);
  refused([], [{ ...FILE, many: true }], /FILE is missing/);
  refused(["a", "b"], [FILE], /"b" is one too many: there is only FILE/);
  refused(["a"], [], /no place for "a": the command takes only options/);
});

Deno.test("flags: the nearest word is meant, if one is near", () => {
  const known = ["sample", "summary", "show", "gif"];
  assert.equal(nearest("sampel", known), "sample");
  assert.equal(nearest("summry", known), "summary");
  assert.equal(nearest("shw", known), "show");
  assert.equal(nearest("upload", known), undefined);
  assert.equal(nearest("x", ["ab"]), undefined); // everything is near a short word
});

Deno.test("report: people, scripts and programs each get their part", () => {
  const said = (options: { quiet?: boolean; json?: boolean }) => {
    let text = "";
    const report = new Report({ ...options, write: (more) => text += more });
    report.note("from", "a.safetensors");
    report.wrote("b.png");
    report.text("a table");
    report.result({ out: "b.png" });
    return text;
  };
  assert.equal(said({}), "from     a.safetensors\nwrote    b.png\na table\n");
  assert.equal(said({ quiet: true }), "b.png\na table\n");
  assert.equal(said({ json: true }), '{"out":"b.png"}\n');
  assert.equal(said({ json: true, quiet: true }), '{"out":"b.png"}\n');
});

Deno.test("style: colour on a terminal only, and never with NO_COLOR", () => {
  const stream = (terminal: boolean) => ({ isTerminal: () => terminal });
  assert.equal(styleOf(stream(true), false).red("no"), "\x1b[31mno\x1b[39m");
  assert.equal(styleOf(stream(true), true).red("no"), "no");
  assert.equal(styleOf(stream(false), false).red("no"), "no");
});

/** A PNG file of one gray. */
const gray = (value: number): Uint8Array =>
  encodePNG({ width: 6, height: 4, channels: 1, data: new Uint8Array(24).fill(value) });

async function writeRun(dir: string, numbers: Record<string, number>): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  for (const [name, value] of Object.entries(numbers)) {
    await Deno.writeFile(join(dir, `image_at_${name}.png`), gray(value));
  }
}

Deno.test("images: they are listed by number, not by name", () =>
  inFolder(async (dir) => {
    await writeRun(dir, {
      epoch_0002: 1,
      epoch_0010: 2,
      step_1000000: 3,
      step_999999: 4,
    });
    await Deno.writeTextFile(join(dir, "image_at_epoch_x.png"), "no image");
    const files = await listImages(dir);
    assert.deepEqual(files.map(({ kind, number }) => `${kind} ${number}`), [
      "step 999999",
      "step 1000000",
      "epoch 2",
      "epoch 10",
    ]);
    assert.deepEqual(animated(files).map(({ number }) => number), [999999, 1000000, 10]);
    const epochs = files.filter(({ kind }) => kind === "epoch");
    assert.deepEqual(animated(epochs), epochs);
    await assert.rejects(listImages(join(dir, "none")), /There is no folder .*none/);
  }));

/** The gray of each frame, and its delay in hundredths of a second. */
async function framesOf(path: string): Promise<[gray: number, delay: number][]> {
  const reader = new GifReader(await Deno.readFile(path));
  return Array.from({ length: reader.numFrames() }, (_, i) => {
    const rgba = new Uint8Array(reader.width * reader.height * 4);
    reader.decodeAndBlitFrameRGBA(i, rgba);
    return [rgba[0], reader.frameInfo(i).delay];
  });
}

Deno.test("gif: the tutorial's schedule, or all, of steps or epochs", () =>
  inFolder(async (dir) => {
    const epochs = Object.fromEntries(
      [1, 2, 3, 4, 5, 6].map((n) => [`epoch_000${n}`, 10 * n]),
    );
    await writeRun(join(dir, "out"), epochs);
    const usual = await dcgan(dir, ["gif", "out", "--quiet"]);
    assert.equal(usual.code, 0, usual.stderr);
    const path = join(dir, "out", "dcgan.gif");
    assert.equal(usual.stdout, `${path}\n`);
    assert.deepEqual(await framesOf(path), [10, 20, 30, 50, 60].map((g) => [g, 20]));
    await writeRun(join(dir, "out"), { step_000050: 200, step_000100: 210 });
    const all = await dcgan(dir, ["gif", "out", "--all", "--delay=50", "--out=a.gif", "--json"]);
    assert.deepEqual(JSON.parse(all.stdout), {
      out: join(dir, "a.gif"),
      frames: 3,
      images: 3,
      delay: 50,
    });
    assert.deepEqual(await framesOf(join(dir, "a.gif")), [[200, 5], [210, 5], [60, 5]]);
    const chosen = await dcgan(dir, ["gif", "out", "--all", "--epochs", "--out=e.gif"]);
    assert.equal(chosen.code, 0, chosen.stderr);
    assert.equal((await framesOf(join(dir, "e.gif"))).length, 6);

    await Deno.writeFile(
      join(dir, "out", "image_at_epoch_0006.png"),
      encodePNG({ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }),
    );
    const mixed = await dcgan(dir, ["gif", "out", "--epochs"]);
    assert.equal(mixed.code, 1);
    assert.match(mixed.stderr, /epoch_0001\.png is 6 x 4 .*epoch_0006\.png is 1 x 1/);
  }));

Deno.test("show: not in a terminal it prints the path; the newest image of the newest run", () =>
  inFolder(async (dir) => {
    await writeRun(join(dir, "out"), { epoch_0001: 10, epoch_0002: 20 });
    await writeRun(join(dir, "out-2"), { epoch_0001: 30, step_000007: 40 });
    const old = new Date(Date.now() - 60_000);
    for (const name of ["out/image_at_epoch_0001.png", "out/image_at_epoch_0002.png"]) {
      await Deno.utime(join(dir, name), old, old);
    }
    await Deno.utime(join(dir, "out-2", "image_at_epoch_0001.png"), old, old);
    const newest = await dcgan(dir, ["show"]);
    assert.equal(newest.stdout, join(dir, "out-2", "image_at_step_000007.png") + "\n");
    const epoch = await dcgan(dir, ["show", "out", "--epoch=2", "--json"]);
    assert.deepEqual(JSON.parse(epoch.stdout), {
      path: join(dir, "out", "image_at_epoch_0002.png"),
      epoch: 2,
      width: 6,
      height: 4,
    });
    const missing = await dcgan(dir, ["show", "out", "--epoch=3"]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no image after epoch 3: there are epochs 1, 2/);
    const quiet = await dcgan(dir, ["show", "out", "--epoch=2", "--quiet"]);
    assert.equal(quiet.stdout, join(dir, "out", "image_at_epoch_0002.png") + "\n");
    const forced = await dcgan(dir, ["show", "out", "--as=kitty"]);
    assert.match(forced.stdout, new RegExp(`;${gray(20).toBase64().slice(0, 40)}`));
  }));

/** A checkpoint of a small, untrained network. */
async function writeCheckpoint(gpu: Gpu, run: string): Promise<string> {
  using model = new DCGAN(gpu, blobs(2), {
    seed: 1,
    generator: { widths: [8, 8, 8], noiseDim: 8 },
    discriminator: { widths: [4, 12] },
    adam: {},
  });
  const bytes = encodeCheckpoint({
    tensors: await model.save(),
    configuration: { dataset: [2, 28, 28, 1], noiseDim: 8, discriminatorWidths: [4, 12] },
    kernels: "{}",
    version: VERSION,
    position: {},
  });
  const folder = join(run, "training_checkpoints");
  await Deno.mkdir(folder, { recursive: true });
  const path = join(folder, "ckpt-0001.safetensors");
  await Deno.writeFile(path, bytes);
  return path;
}

const imageAt = async (path: string): Promise<Image> => decodePNG(await Deno.readFile(path), path);

Deno.test("sample, interpolate and summary: a checkpoint's network, the same for the same seed", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const checkpoint = await writeCheckpoint(gpu, join(dir, "out"));
    const generator = await Generator.load(gpu, checkpoint);
    const images = await generate(gpu, generator, seedNoise(5, 8, 7));
    const shape = { height: 28, width: 28, channels: 1 };

    const grid = await dcgan(dir, [
      ..."sample out --count=5 --columns=3 --scale=2 --seed=7 --json".split(" "),
    ]);
    assert.equal(grid.code, 0, grid.stderr);
    const { out, ...rest } = JSON.parse(grid.stdout);
    assert.equal(out, join(dir, "samples.png"));
    assert.deepEqual(rest, { checkpoint, count: 5, seed: 7, columns: 3, scale: 2 });
    const wanted = imageGrid(images, { ...shape, count: 5, columns: 3, scale: 2, padding: 2 });
    assert.deepEqual(await imageAt(out), wanted);

    const huge = await dcgan(dir, ["sample", "out", "--count=99999999"]);
    assert.equal(huge.code, 1);
    assert.match(huge.stderr, /^error: 99999999 images of 84 x 84 are \d+ pixels, more than/);

    const wide = await dcgan(dir, ["sample", "out", "--columns=999999999"]);
    assert.equal(wide.code, 1);
    assert.match(wide.stderr, /^error: 999999999 columns of 84 x 84 are \d+ pixels, more than/);
    // A gigabyte of floats, although it is only 2^28 pixels.
    const many = await dcgan(dir, ["sample", "out", "--count=340000", "--scale=1"]);
    assert.equal(many.code, 1);
    assert.match(many.stderr, /^error: 340000 images of 28 x 28 are \d+ pixels, more than/);
    const long = await dcgan(dir, ["interpolate", "out", "--points=2", "--steps=999999999"]);
    assert.equal(long.code, 1);
    assert.match(long.stderr, /^error: 2000000000 images of 112 x 112 are \d+ pixels, more than/);

    const jpeg = await dcgan(dir, ["sample", "out", "--out=a.jpg"]);
    assert.equal(jpeg.code, 2);
    assert.match(jpeg.stderr, /--out takes a name that ends in \.png, got "a\.jpg"/);
    const inTheWay = await dcgan(dir, ["sample", "out", `--separate=${checkpoint}`]);
    assert.equal(inTheWay.code, 1);
    assert.match(
      inTheWay.stderr,
      /^error: Cannot make the folder .*: File exists .*\. A file is in the way: choose another name/,
    );

    const single = await dcgan(
      dir,
      ["sample", checkpoint, "--count=5", "--scale=1", "--seed=7", "--separate=one", "--quiet"],
    );
    assert.equal(single.stdout, join(dir, "one") + "\n", single.stderr);
    for (let i = 0; i < 5; i++) {
      const one = await imageAt(join(dir, "one", `sample_000${i + 1}.png`));
      const alone = imageGrid(images.subarray(784 * i, 784 * (i + 1)), {
        ...shape,
        count: 1,
        columns: 1,
      });
      assert.deepEqual(one, alone);
    }

    const walk = await dcgan(
      dir,
      [
        "interpolate",
        "out",
        ..."--points=2 --steps=3 --scale=1 --seed=7 --loop --out=walk.gif".split(" "),
      ],
    );
    assert.equal(walk.code, 0, walk.stderr);
    assert.equal((await framesOf(join(dir, "walk.gif"))).length, 6);
    const strip = await imageAt(join(dir, "walk.png"));
    assert.deepEqual([strip.width, strip.height], [4 * 29 + 1, 2 * 29 + 1]);
    const cell = (row: number, column: number) =>
      Array.from({ length: 28 }, (_, y) => {
        const from = (row * 29 + 1 + y) * strip.width + column * 29 + 1;
        return [...strip.data.subarray(from, from + 28)];
      }).flat();
    // The first point is the first image of the same seed; each leg ends where the next begins.
    const first = await imageAt(join(dir, "one", "sample_0001.png"));
    assertClose(cell(0, 0), first.data, { atol: 1, what: "the first point" });
    assert.deepEqual(cell(0, 3), cell(1, 0));
    assert.deepEqual(cell(1, 3), cell(0, 0));
    assert.notDeepEqual(cell(0, 0), cell(0, 1));

    const summary = await dcgan(dir, ["summary", "out", "--json", "--plot=net.svg"]);
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
  }));

Deno.test("generate: many images in bunches are those of single runs", async () => {
  using gpu = await Gpu.request();
  const generator = new Generator(gpu, { widths: [4, 4, 4], noiseDim: 6 });
  const noise = seedNoise(130, 6, 3);
  const all = await generate(gpu, generator, noise);
  assert.equal(all.length, 130 * 784);
  using sampler = new Sampler(gpu, generator, 1);
  for (const i of [0, 63, 64, 129]) {
    const one = await sampler.sample(noise.subarray(6 * i, 6 * i + 6));
    assertClose(all.subarray(784 * i, 784 * (i + 1)), one, { atol: 1e-5, what: `image ${i}` });
  }
});

Deno.test("main: help, versions, and commands that do not exist", () =>
  inFolder(async (dir) => {
    const help = await dcgan(dir, ["help"]);
    assert.equal(help.code, 0);
    for (const text of ["sample ", "doctor ", "exit codes", "NO_COLOR", "130"]) {
      assert.ok(help.stdout.includes(text), text);
    }
    const about = await dcgan(dir, ["help", "gif"]);
    assert.match(about.stdout, /usage: deno task dcgan gif DIR \[OPTION\.\.\.\][^]*examples:/);
    assert.deepEqual(await dcgan(dir, ["gif", "--help"]), about);
    assert.deepEqual(await dcgan(dir, ["help", "help"]), help);
    const typo = await dcgan(dir, ["sampel"]);
    assert.equal(typo.code, 2);
    assert.equal(typo.stdout, "");
    assert.match(typo.stderr, /there is no command "sampel"; did you mean sample\?/);
    const nothing = await dcgan(dir, ["sample", "nothing"]);
    assert.equal(nothing.code, 1);
    assert.match(nothing.stderr, /^error: There is no .*nothing: give a checkpoint/);
  }));

Deno.test("doctor: versions, backends and limits", () => {
  assert.deepEqual(
    ["2.7.9", "2.8.0", "2.10.1", "3.0.0", "1.46.0"].map((v) => checkDeno(v).status),
    [
      "fail",
      "ok",
      "ok",
      "ok",
      "fail",
    ],
  );
  assert.equal(checkBackend("vulkan", { openGL: false }).status, "ok");
  assert.equal(checkBackend(undefined, undefined).status, "ok");
  const gl = checkBackend(undefined, { openGL: true });
  assert.equal(gl.status, "warn");
  assert.match(gl.advice!, /DENO_WEBGPU_BACKEND=vulkan/);
  const [small, enough] = checkLimits(
    { maxBufferSize: 2e9, maxTextureDimension2D: 8192 },
    { maxBufferSize: 1e9, maxTextureDimension2D: 8192 },
  );
  assert.equal(small.status, "fail");
  assert.equal(small.found, "1000 MB, needed 2000 MB");
  assert.match(small.advice!, /smaller --batch-size/);
  assert.equal(enough.status, "ok");
  assert.equal(checkLimits({ unknown: 1 }, {})[0].status, "warn");
  const check: Check = { name: "x", status: "fail", found: "a\nb", advice: "c" };
  assert.equal(describeCheck(check, style(false)), "fail  x: a\n      b\n      c");
});

Deno.test("doctor: folders and data", () =>
  inFolder(async (dir) => {
    assert.match((await checkFolder(join(dir, "a", "b"))).found, new RegExp(`^${dir} can be`));
    await Deno.writeTextFile(join(dir, "file"), "");
    const below = await checkFolder(join(dir, "file", "out"));
    assert.equal(below.status, "fail");
    assert.match(below.advice!, /--out/);
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["file"]);
    const data = await checkData(dir);
    assert.equal(data.status, "fail");
    assert.match(data.found, /No train-images-idx3-ubyte/);
  }));

Deno.test("doctor: every family gives the known numbers, and one wrong number is found", async () => {
  using gpu = await Gpu.request();
  for (const family of ["direct", "tiled", "texture", "winograd", "auto"] as const) {
    assert.deepEqual(await checkKernels(gpu, family), [], family);
  }
  for (const output of ["product", "y", "dx", "dw"] as const) {
    const broken = {
      compile(...args: Parameters<Gpu["compile"]>) {
        const program = gpu.compile(...args);
        return {
          run: (inputs: Record<string, number[]>) => program.run(inputs),
          async read() {
            const values = await program.read() as Record<string, Float32Array>;
            values[output][7] += 1;
            return values;
          },
          [Symbol.dispose]: () => program[Symbol.dispose](),
        };
      },
    };
    const wrong = await checkKernels(broken as unknown as Gpu, "direct");
    assert.equal(wrong.length, 1, output);
    assert.match(wrong[0], /gives -?\d+ instead of -?\d+/);
  }
});

Deno.test("doctor: passes here, and without an adapter fails with what to install", () =>
  inFolder(async (dir) => {
    const well = await dcgan(dir, ["doctor", "--batch-size=8", "--json"]);
    assert.equal(well.code, 0, well.stdout + well.stderr);
    const { ok, checks } = JSON.parse(well.stdout);
    assert.equal(ok, true);
    const named = (name: string): Check => checks.find((check: Check) => check.name === name);
    for (const name of ["maxBufferSize", "kernels tiled", "step of 8", "memory", "folder"]) {
      assert.equal(named(name)?.status, "ok", name);
    }
    // The data set is the largest buffer of so small a step.
    assert.match(named("maxBufferSize").found, /needed 47 MB/);

    const backend = Deno.build.os === "windows" ? "metal" : "dx12";
    const none = await dcgan(dir, ["doctor", "--quiet"], { DENO_WEBGPU_BACKEND: backend });
    assert.equal(none.code, 1);
    assert.match(none.stdout, /^fail {2}adapter: No WebGPU adapter was found/m);
    assert.match(none.stdout, /mesa-vulkan-drivers/);
    assert.ok(none.stdout.includes(`DENO_WEBGPU_BACKEND=${backend}`));
  }));

Deno.test("needs: a program's limits come from its kernels and dispatches", async () => {
  const shader = kernel(
    "made_up",
    `override WIDTH: u32 = 64;
     var<workgroup> tile: array<f32, 256>;
     var<workgroup> rows: array<vec4i, 8>;
     @compute @workgroup_size(WIDTH) fn main() {}
     @compute @workgroup_size(8, 4u) fn other() {}`,
  );
  assert.equal(workgroupBytes(shader), 256 * 4 + 8 * 16);
  assert.equal(invocations(shader, "main", {}), 64);
  assert.equal(invocations(shader, "main", { WIDTH: 32 }), 32);
  assert.equal(invocations(shader, "other", {}), 32);
  assert.throws(() => invocations(shader, "none", {}), /made_up\.wgsl has no entry point none/);

  using gpu = await Gpu.request();
  using program = gpu.compile(
    { x: [64, 256] },
    ({ x }) => ({ y: ops.matmul(x, x, { transposeB: true }) }),
    { tuning: { gemm: "tiled", choices: {} } },
  );
  const { needs } = program;
  assert.equal(needs.maxStorageBufferBindingSize, 64 * 256 * 4);
  assert.equal(needs.maxComputeInvocationsPerWorkgroup, 64);
  assert.ok(needs.maxComputeWorkgroupStorageSize >= 2 * 4096);
  assert.equal(needs.maxStorageTexturesPerShaderStage, 0);
  using textured = gpu.compile(
    { x: [64, 256] },
    ({ x }) => ({ y: ops.matmul(x, x, { transposeB: true }) }),
    { tuning: { gemm: "texture", choices: {} } },
  );
  assert.equal(textured.needs.maxTextureDimension2D, 4096);
  assert.ok(textured.needs.maxStorageTexturesPerShaderStage >= 1);
});
