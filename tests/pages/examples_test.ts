import assert from "node:assert/strict";
import { join } from "node:path";
import { decodePNG, decodeSafetensors } from "../../mod.ts";
import { blobs } from "../support/dataset.ts";
import { idx } from "../support/digits.ts";
import { inFolder, put } from "../support/folder.ts";
import { output, ROOT } from "../support/process.ts";

const EXAMPLES = join(ROOT, "examples");

/**
 * Runs an example in a process of its own, in another folder, with the command line that its first
 * comment tells: exactly those permissions, and nothing asked.
 */
async function run(cwd: string, example: string, args = ""): Promise<string> {
  const path = join(EXAMPLES, `${example}.ts`);
  const command = (await Deno.readTextFile(path)).match(/^ \* {3}deno run (.*)examples\/(\S+)$/m);
  assert.equal(
    command?.[2],
    `${example}.ts`,
    `${example} has no command line in its first comment`,
  );
  const words = (text: string) => text.split(" ").filter(Boolean);
  const flags = words(command![1].replace("--lock=", `--lock=${ROOT}/`));
  return await output(["run", "--quiet", "--no-prompt", ...flags, path, ...words(args)], { cwd });
}

/** The numbers that a pattern's group finds, in order. */
const numbers = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, number]) => Number(number));

const names = (dir: string) => [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();

const sizeOf = async (path: string) => {
  const { width, height, channels } = decodePNG(await Deno.readFile(path));
  return [width, height, channels];
};

Deno.test("examples: the table names every one", async () => {
  const table = await Deno.readTextFile(join(EXAMPLES, "README.md"));
  for (const name of names(EXAMPLES).filter((n) => n.endsWith(".ts"))) {
    assert.ok(table.includes(`](${name})`), name);
  }
});

Deno.test("examples: untrained writes its image and says what it thinks of it", () =>
  inFolder(async (dir) => {
    const text = await run(dir, "untrained");
    const [logit] = numbers(text, /logit is (\S+): (?:real|fake)/g);
    assert.ok(Math.abs(logit) > 0 && Math.abs(logit) < 1, text);
    assert.match(text, /Total params: 2330944/);
    assert.deepEqual(await sizeOf(join(dir, "untrained.png")), [224, 224, 1]);
  }));

Deno.test("examples: tutorial trains; stopped and resumed, as if it had not stopped", () =>
  inFolder(async (dir) => {
    const { images } = blobs(66); // a batch of 64 and one of 2
    await put(dir, {
      "train-images-idx3-ubyte": idx([66, 28, 28], (i) => images[i]),
      "train-labels-idx1-ubyte": idx([66], () => 0),
    });
    const train = (args: string) => run(dir, "tutorial", `--data ${dir} --small --out ${args}`);
    const once = await train("once --epochs 2");
    const losses = (network: string) => numbers(once, RegExp(`step .*${network} (\\S+)`, "g"));
    const [[g], [d, , trained]] = [losses("generator"), losses("discriminator")];
    // Untrained, neither network knows anything: log 2 and twice that.
    assert.ok(Math.abs(g - Math.LN2) < 0.05 && Math.abs(d - 2 * Math.LN2) < 0.05, `${g}, ${d}`);
    assert.ok(trained < d - 0.02, `the discriminator learned nothing: ${d}, ${trained}`);
    assert.match(once, /decision on an untrained image: -?0\.\d+/);

    await train("twice --epochs 1");
    const resumed = await train("twice --epochs 2 --resume");
    const means = (text: string) =>
      text.match(/^epoch 2 {2}mean of 2 steps.*discriminator \S+/m)?.[0];
    assert.ok(means(once));
    assert.equal(means(resumed), means(once));

    const same = ["checkpoint.safetensors", "dcgan.gif", "image_at_epoch_0002.png"];
    const files = [...same, "image_at_epoch_0001.png", "untrained.png"].sort();
    for (const out of ["once", "twice"]) assert.deepEqual(names(join(dir, out)), files);
    const read = (out: string, name: string) => Deno.readFileSync(join(dir, out, name));
    for (const name of same) assert.deepEqual(read("once", name), read("twice", name));
    const { tensors } = decodeSafetensors(read("once", "checkpoint.safetensors"), "checkpoint");
    assert.deepEqual(tensors.get("generatorOptimizer/adam/state")?.data[0], 4);
    assert.deepEqual(await sizeOf(join(dir, "once/image_at_epoch_0002.png")), [336, 336, 1]);
  }));

Deno.test("examples: classifier tells real digits apart after a few steps", () =>
  inFolder(async (dir) => {
    const text = await run(dir, "classifier", "--steps 100");
    assert.match(text, /60000 images: MNIST .*checksum verified/);
    const losses = numbers(text, /^step \d+ {2}loss (\S+)$/gm);
    assert.ok(losses[0] > 1.5 && losses.at(-1)! < 0.7, losses.join(" "));
    const [accuracy] = numbers(text, /test accuracy (\S+) %/g);
    assert.ok(accuracy > 88 && accuracy <= 100, `${accuracy} %`);
  }));

Deno.test("examples: images draws a folder, loads it and trains in color", () =>
  inFolder(async (dir) => {
    const text = await run(dir, "images", "--steps 1");
    assert.match(text, /1200 images of 32 x 32, of disc, square, triangle/);
    const [g] = numbers(text, /step 1 {2}generator (\S+)/g);
    assert.ok(Math.abs(g - Math.LN2) < 0.15, text); // the shapes are others in every run
    const [, , channels] = await sizeOf(join(dir, "out-images/image_at_step_000001.png"));
    assert.equal(channels, 3);

    // A folder that is there already, at another size; a part of it is enough.
    const data = join(dir, "out-images-data");
    for (const shape of names(data)) {
      for (const name of names(join(data, shape)).slice(20)) {
        await Deno.remove(join(data, shape, name));
      }
    }
    const args = "--data out-images-data --size 16 --steps 1 --out other";
    assert.match(await run(dir, "images", args), /60 images of 16 x 16, of disc, square, triangle/);
    assert.ok(names(join(dir, "other")).includes("dcgan.gif"));
  }));

Deno.test("examples: own_network learns to tell shapes apart", () =>
  inFolder(async (dir) => {
    const text = await run(dir, "own_network");
    const losses = numbers(text, /loss (\S+)/g);
    assert.ok(losses.length === 4 && losses[3] < 0.5 * Math.log(3), text);
    assert.ok(numbers(text, /(\d+) of 64 right/g)[3] >= 50, text);
  }));

Deno.test("examples: custom_step learns where the points are", () =>
  inFolder(async (dir) => {
    const text = await run(dir, "custom_step", "--steps 300");
    const critic = numbers(text, /critic (\S+)/g);
    assert.equal(critic.length, 2);
    assert.ok(critic[0] > 1 && critic[1] < 0.6, critic.join(" "));
    assert.ok(numbers(text, /(\d) of 8 found/g)[1] >= 6, text);
  }));

Deno.test("examples: second_derivative agrees with the formulas", () =>
  inFolder(async (dir) => {
    const text = await run(dir, "second_derivative");
    const errors = numbers(text, /relative error (\S+)/g);
    assert.equal(errors.length, 3);
    for (const error of errors) assert.ok(error < 1e-5, text);
    const losses = numbers(text, /loss (\S+),/g);
    assert.equal(losses.length, 6);
    for (let i = 1; i < losses.length; i++) assert.ok(losses[i] < losses[i - 1], text);
  }));
