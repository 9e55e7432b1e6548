import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodePNG, decodeSafetensors } from "../../mod.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Runs an example in a process of its own, in another folder, with the command line that its first
 * comment tells: exactly those permissions, and nothing asked.
 */
async function run(name: string, args: string[], cwd: string): Promise<string> {
  const text = await Deno.readTextFile(join(ROOT, "examples", name));
  const command = text.match(/^ \* {3}deno run (.*)examples\/(\S+)$/m);
  assert.equal(command?.[2], name, `${name} has no command line in its first comment`);
  const flags = command![1].split(" ").filter((flag) => flag !== "")
    .map((flag) => flag.replace("--lock=", `--lock=${ROOT}/`));
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "--quiet", "--no-prompt", ...flags, join(ROOT, "examples", name), ...args],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(code, 0, decode(stdout) + decode(stderr));
  return decode(stdout);
}

/** The numbers that a pattern's group finds, in order. */
const numbers = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, number]) => Number(number));

const names = (dir: string) => [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();

/** MNIST's two files of a split, with made-up images. */
async function writeIDX(dir: string, count: number): Promise<void> {
  const { images, labels } = blobs(count);
  const write = (name: string, type: number, dims: number[], data: Uint8Array) => {
    const header = Uint8Array.from([0, 0, 8, type, ...dims.flatMap((n) => [0, 0, n >> 8, n])]);
    return Deno.writeFile(join(dir, name), Uint8Array.from([...header, ...data]));
  };
  await write("train-images-idx3-ubyte", 3, [count, 28, 28], images);
  await write("train-labels-idx1-ubyte", 1, [count], labels);
}

Deno.test("examples: the table names every one", async () => {
  const table = await Deno.readTextFile(join(ROOT, "examples/README.md"));
  for (const name of names(join(ROOT, "examples")).filter((n) => n.endsWith(".ts"))) {
    assert.ok(table.includes(`](${name})`), name);
  }
});

Deno.test("examples: untrained writes its image and says what it thinks of it", async () => {
  await inFolder(async (dir) => {
    const text = await run("untrained.ts", [], dir);
    const [logit] = numbers(text, /logit is (\S+): (?:real|fake)/g);
    assert.ok(Math.abs(logit) > 0 && Math.abs(logit) < 1, text);
    assert.match(text, /Total params: 2330944/);
    const { width, height } = decodePNG(await Deno.readFile(join(dir, "untrained.png")));
    assert.deepEqual([width, height], [224, 224]);
  });
});

Deno.test("examples: tutorial trains; stopped and resumed, as if it had not stopped", async () => {
  await inFolder(async (dir) => {
    await writeIDX(dir, 130); // two batches of 64, one of 2
    const args = (
      out: string,
      ...more: string[]
    ) => ["--data", dir, "--small", "--out", out, ...more];
    const once = await run("tutorial.ts", args("once", "--epochs", "2"), dir);
    // Untrained, neither network knows anything: log 2 and twice that.
    const [g, d] = [/step 1 {2}generator (\S+)/g, /step 1 .*discriminator (\S+)/g]
      .map((pattern) => numbers(once, pattern)[0]);
    assert.ok(Math.abs(g - Math.LN2) < 0.05 && Math.abs(d - 2 * Math.LN2) < 0.05, `${g}, ${d}`);
    const [first, last] = [1, 6].map((step) =>
      numbers(once, RegExp(`step ${step} .*discriminator (\\S+)`, "g"))[0]
    );
    assert.ok(last < first - 0.02, `the discriminator learned nothing: ${first}, ${last}`);
    assert.match(once, /decision on an untrained image: -?0\.\d+/);

    await run("tutorial.ts", args("twice", "--epochs", "1"), dir);
    const resumed = await run("tutorial.ts", args("twice", "--epochs", "2", "--resume"), dir);
    const means = (text: string) =>
      text.match(/^epoch 2 {2}mean of 3 steps.*discriminator \S+/m)?.[0];
    assert.ok(means(once));
    assert.equal(means(resumed), means(once));

    for (const out of ["once", "twice"]) {
      assert.deepEqual(names(join(dir, out)), [
        "checkpoint.safetensors",
        "dcgan.gif",
        "image_at_epoch_0001.png",
        "image_at_epoch_0002.png",
        "untrained.png",
      ]);
    }
    const read = (out: string, name: string) => Deno.readFileSync(join(dir, out, name));
    for (const name of ["checkpoint.safetensors", "image_at_epoch_0002.png", "dcgan.gif"]) {
      assert.ok(Buffer.from(read("once", name)).equals(read("twice", name)), name);
    }
    const { tensors } = decodeSafetensors(read("once", "checkpoint.safetensors"), "checkpoint");
    assert.deepEqual(tensors.get("generatorOptimizer/adam/state")?.data[0], 6);
    const image = decodePNG(read("once", "image_at_epoch_0002.png"));
    assert.deepEqual([image.width, image.height], [4 * 84, 4 * 84]);
  });
});

Deno.test("examples: classifier tells real digits apart after a few steps", async () => {
  await inFolder(async (dir) => {
    const text = await run("classifier.ts", ["--steps", "150"], dir);
    assert.match(text, /60000 images: MNIST .*checksum verified/);
    const losses = numbers(text, /^step \d+ {2}loss (\S+)$/gm);
    assert.ok(losses[0] > 1.5 && losses.at(-1)! < 0.7, losses.join(" "));
    const [accuracy] = numbers(text, /test accuracy (\S+) %/g);
    assert.ok(accuracy > 88 && accuracy <= 100, `${accuracy} %`);
  });
});

Deno.test("examples: images draws a folder, loads it and trains in color", async () => {
  await inFolder(async (dir) => {
    const text = await run("images.ts", ["--steps", "1"], dir);
    assert.match(text, /1200 images of 32 x 32, of disc, square, triangle/);
    const [g] = numbers(text, /step 1 {2}generator (\S+)/g);
    assert.ok(Math.abs(g - Math.LN2) < 0.15, text); // the shapes are others in every run
    const file = join(dir, "out-images/image_at_step_000001.png");
    assert.equal(decodePNG(await Deno.readFile(file)).channels, 3);

    // A folder that is there already, at another size.
    const args = ["--data", "out-images-data", "--size", "16", "--steps", "1", "--out", "other"];
    assert.match(await run("images.ts", args, dir), /1200 images of 16 x 16/);
    assert.ok(names(join(dir, "other")).includes("dcgan.gif"));
  });
});

Deno.test("examples: own_network learns to tell shapes apart", async () => {
  await inFolder(async (dir) => {
    const text = await run("own_network.ts", [], dir);
    const losses = numbers(text, /loss (\S+)/g);
    assert.ok(losses.length === 4 && losses[3] < 0.5 * Math.log(3), text);
    assert.ok(numbers(text, /(\d+) of 64 right/g)[3] >= 50, text);
  });
});

Deno.test("examples: custom_step learns where the points are", async () => {
  await inFolder(async (dir) => {
    const text = await run("custom_step.ts", ["--steps", "500"], dir);
    const critic = numbers(text, /critic (\S+)/g);
    assert.equal(critic.length, 2);
    assert.ok(critic[0] > 1 && critic[1] < 0.6, critic.join(" "));
    const found = numbers(text, /(\d) of 8 found/g);
    assert.ok(found[1] >= 6, text);
  });
});

Deno.test("examples: second_derivative agrees with the formulas", async () => {
  await inFolder(async (dir) => {
    const text = await run("second_derivative.ts", [], dir);
    const errors = numbers(text, /relative error (\S+)/g);
    assert.equal(errors.length, 3);
    for (const error of errors) assert.ok(error < 1e-5, text);
    const losses = numbers(text, /loss (\S+),/g);
    assert.equal(losses.length, 6);
    for (let i = 1; i < losses.length; i++) assert.ok(losses[i] < losses[i - 1], text);
  });
});
