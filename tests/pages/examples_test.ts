import assert from "node:assert/strict";
import { join } from "node:path";
import { decodePNG, decodeSafetensors } from "../../mod.ts";
import { blobs } from "../support/dataset.ts";
import { idx } from "../support/digits.ts";
import { inFolder, put } from "../support/folder.ts";
import { output, ROOT } from "../support/process.ts";

const EXAMPLES = join(ROOT, "examples");

type Run = (args: string) => Promise<string>;

/**
 * Tests an example in a folder of its own. `run` starts it with the command line that its first
 * comment tells: exactly those permissions, and nothing asked.
 */
function example(name: string, what: string, body: (run: Run, dir: string) => Promise<void>) {
  Deno.test(`examples: ${name} ${what}`, () =>
    inFolder(async (dir) => {
      const path = join(EXAMPLES, `${name}.ts`);
      const text = await Deno.readTextFile(path);
      const command = text.match(/^ \* {3}deno run (.*)examples\/(\S+)$/m);
      assert.equal(command?.[2], `${name}.ts`, `no command line in the first comment of ${name}`);
      const words = (line: string) => line.split(" ").filter(Boolean);
      const flags = words(command![1].replace("--lock=", `--lock=${ROOT}/`));
      const start = ["run", "--quiet", "--no-prompt", ...flags, path];
      await body((args) => output([...start, ...words(args)], { cwd: dir }), dir);
    }));
}

/** The numbers that a pattern's group finds, in order. */
const numbers = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, number]) => Number(number));

const names = (dir: string) => [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();

function sizeOf(path: string) {
  const { width, height, channels } = decodePNG(Deno.readFileSync(path));
  return [width, height, channels];
}

Deno.test("examples: the table names every one", async () => {
  const table = await Deno.readTextFile(join(EXAMPLES, "README.md"));
  const all = names(EXAMPLES).filter((name) => name.endsWith(".ts"));
  for (const name of all) assert.ok(table.includes(`](${name})`), name);
});

example("untrained", "writes its image and says what it thinks of it", async (run, dir) => {
  const text = await run("");
  const [logit] = numbers(text, /logit is (\S+): (?:real|fake)/g);
  assert.ok(Math.abs(logit) > 0 && Math.abs(logit) < 1, text);
  assert.match(text, /Total params: 2330944/);
  assert.deepEqual(sizeOf(join(dir, "untrained.png")), [224, 224, 1]);
});

example("tutorial", "trains; stopped and resumed, as if it had not stopped", async (run, dir) => {
  const { images } = blobs(66); // a batch of 64 and one of 2
  await put(dir, {
    "train-images-idx3-ubyte": idx([66, 28, 28], (i) => images[i]),
    "train-labels-idx1-ubyte": idx([66], () => 0),
  });
  const train = (args: string) => run(`--data ${dir} --small --out ${args}`);
  const once = await train("once --epochs 2");
  const losses = (network: string) => numbers(once, RegExp(`step .*${network} (\\S+)`, "g"));
  const [[g], [d, , trained]] = [losses("generator"), losses("discriminator")];
  // Untrained, neither network knows anything: log 2 and twice that.
  assert.ok(Math.abs(g - Math.LN2) < 0.05 && Math.abs(d - 2 * Math.LN2) < 0.05, `${g}, ${d}`);
  assert.ok(trained < d - 0.02, `the discriminator learned nothing: ${d}, ${trained}`);
  assert.match(once, /decision on an untrained image: -?0\.\d+/);

  await train("twice --epochs 1");
  const means = /^epoch 2 {2}mean of 2 steps.*discriminator \S+/m;
  const resumed = await train("twice --epochs 2 --resume");
  assert.equal(means.exec(resumed)![0], means.exec(once)![0]);

  const same = ["checkpoint.safetensors", "dcgan.gif", "image_at_epoch_0002.png"];
  const files = [...same, "image_at_epoch_0001.png", "untrained.png"].sort();
  for (const out of ["once", "twice"]) assert.deepEqual(names(join(dir, out)), files);
  const read = (out: string, name: string) => Deno.readFileSync(join(dir, out, name));
  for (const name of same) assert.deepEqual(read("once", name), read("twice", name));
  const { tensors } = decodeSafetensors(read("once", "checkpoint.safetensors"), "checkpoint");
  assert.deepEqual(tensors.get("generatorOptimizer/adam/state")?.data[0], 4);
  assert.deepEqual(sizeOf(join(dir, "once/image_at_epoch_0002.png")), [336, 336, 1]);
});

example("classifier", "tells real digits apart after a few steps", async (run) => {
  const text = await run("--steps 100");
  assert.match(text, /60000 images: MNIST .*checksum verified/);
  const losses = numbers(text, /^step \d+ {2}loss (\S+)$/gm);
  assert.ok(losses[0] > 1.5 && losses.at(-1)! < 0.7, losses.join(" "));
  const [accuracy] = numbers(text, /test accuracy (\S+) %/g);
  assert.ok(accuracy > 88 && accuracy <= 100, `${accuracy} %`);
});

example("images", "draws a folder, loads it and trains in color", async (run, dir) => {
  const text = await run("--steps 1");
  assert.match(text, /1200 images of 32 x 32, of disc, square, triangle/);
  const [g] = numbers(text, /step 1 {2}generator (\S+)/g);
  assert.ok(Math.abs(g - Math.LN2) < 0.15, text); // the shapes are others in every run
  assert.equal(sizeOf(join(dir, "out-images/image_at_step_000001.png"))[2], 3);

  // A folder that is there already, at another size; a part of it is enough.
  for (const shape of ["disc", "square", "triangle"]) {
    const folder = join(dir, "out-images-data", shape);
    for (const name of names(folder).slice(20)) await Deno.remove(join(folder, name));
  }
  const small = await run("--data out-images-data --size 16 --steps 1 --out other");
  assert.match(small, /60 images of 16 x 16, of disc, square, triangle/);
  assert.ok(names(join(dir, "other")).includes("dcgan.gif"));
});

example("own_network", "learns to tell shapes apart", async (run) => {
  const text = await run("");
  const losses = numbers(text, /loss (\S+)/g);
  assert.ok(losses.length === 4 && losses[3] < 0.5 * Math.log(3), text);
  assert.ok(numbers(text, /(\d+) of 64 right/g)[3] >= 50, text);
});

example("custom_step", "learns where the points are", async (run) => {
  const text = await run("--steps 300");
  const critic = numbers(text, /critic (\S+)/g);
  assert.ok(critic.length === 2 && critic[0] > 1 && critic[1] < 0.6, critic.join(" "));
  assert.ok(numbers(text, /(\d) of 8 found/g)[1] >= 6, text);
});

example("second_derivative", "agrees with the formulas", async (run) => {
  const text = await run("");
  const errors = numbers(text, /relative error (\S+)/g);
  assert.ok(errors.length === 3 && errors.every((error) => error < 1e-5), text);
  const losses = numbers(text, /loss (\S+),/g);
  assert.equal(losses.length, 6);
  for (let i = 1; i < losses.length; i++) assert.ok(losses[i] < losses[i - 1], text);
});
