/**
 * A folder of a run that comes from a stranger: its record stops no run, its configuration is checked,
 * and nothing is written beyond it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { CheckpointError, decodePNG, Gpu, trainDCGAN } from "../../mod.ts";
import { hyperparametersOf } from "../../src/training/hyperparameters.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { encodeCheckpoint } from "../../src/training/checkpoint.ts";
import { requireNoLinks } from "../../src/files/kind.ts";
import { mostImages } from "../../src/formats/grid.ts";
import { commandsIn, type RunRecord } from "../../src/formats/run_record.ts";
import { dcgan } from "../support/dcgan.ts";
import { blobs } from "../support/dataset.ts";
import { writeDigits } from "../support/digits.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder } from "../support/folder.ts";

const TRAIN = ["train", "--data=digits", "--no-calibrate"];
const NEW = [
  ..."--batch-size=4 --generator-widths=8,8,8 --discriminator-widths=4,8 --noise-dim=8".split(" "),
  "--out=run",
];

/** Trains, and expects an exit code. */
type Train = (code: number, ...args: string[]) => ReturnType<typeof dcgan>;

/** A run of two steps in `run`, beside its data. */
async function withRun(
  body: (dir: string, train: Train) => Promise<void>,
): Promise<void> {
  await inFolder(async (dir) => {
    await writeDigits(join(dir, "digits"));
    const train: Train = async (code, ...args) => {
      const result = await dcgan([...TRAIN, ...args], { INIT_CWD: dir });
      assert.equal(result.code, code, result.stderr + result.stdout);
      return result;
    };
    await train(0, ...NEW, "--max-steps=2");
    await body(dir, train);
  });
}

// deno-lint-ignore no-explicit-any -- what a stranger wrote
async function editJSON(path: string, change: (value: any) => void): Promise<void> {
  const value = JSON.parse(await Deno.readTextFile(path));
  change(value);
  await Deno.writeTextFile(path, JSON.stringify(value));
}

Deno.test("run record: commands that ask for too much, or are none, stop no resume", async () => {
  const commands = {
    "images without end": ["train", "--images", "1000000000"],
    "more than a grid's": ["train", "--images", "4097"],
    "objects": [{ toString: 1, valueOf: 1 }],
    "no train": ["train", "--epochs", { length: 1 }],
    "very many words": ["train", ...Array(200_000).fill(["--images", "16"]).flat()],
    "a long word": ["train", "-".repeat(2 ** 22)],
    "none": "train",
  };
  await withRun(async (dir, train) => {
    await editJSON(join(dir, "run/run.json"), (record) => {
      const [session] = record.sessions;
      record.sessions = Object.values(commands).map((command) => ({ ...session, command }));
    });
    const begun = performance.now();
    const { stdout } = await train(0, "--resume=run", "--max-steps=4");
    assert.match(stdout, /trained 4 steps in/);
    assert.ok(performance.now() - begun < 30_000);
    const path = join(dir, "run/image_at_step_000004.png");
    const { width } = decodePNG(await Deno.readFile(path), path);
    assert.equal(width, 4 * 87 + 3, "16 images, as nothing else was said");
  });
});

Deno.test("run record: of the commands those are taken that are some, and not too many", () => {
  const record = (commands: unknown[]) =>
    ({ sessions: commands.map((command) => ({ command })) }) as unknown as RunRecord;
  const [good, other] = [["train", "--epochs=3"], ["train"]];
  const bad = [undefined, null, "train", {}, ["train", 1], [["train"]], Array(101).fill("a")];
  assert.deepEqual(commandsIn(record([good, ...bad, other])), [good, other]);
  const many = Array.from({ length: 3000 }, (_, i) => [`${i}`]);
  const few = commandsIn(record(many));
  assert.deepEqual([few.length, few[0], few[1], few.at(-1)], [1000, ["0"], ["2001"], ["2999"]]);
});

Deno.test("run record: of another run it is refused by what differs, with the way out", async () => {
  await withRun(async (dir, train) => {
    await editJSON(join(dir, "run/run.json"), (record) => record.configuration.seed = 5);
    const { stderr } = await train(1, "--resume=run", "--max-steps=4");
    assert.match(
      stderr,
      /^error: .*run\.json is the record of another run, with seed 5, and this one has 0: resume into another folder \(outDir; --resume FILE --out DIR\), or move the record away if it is wrong$/m,
    );
    const file = "run/training_checkpoints/ckpt-0001-step-2.safetensors";
    await train(0, `--resume=${file}`, "--out=other", "--max-steps=3");
    await Deno.remove(join(dir, "run/run.json"));
    await train(0, "--resume=run", "--max-steps=3");
  });
});

Deno.test("images: a grid holds so many as can be read, and no more", async (t) => {
  assert.equal(mostImages(28, 28), 2209);
  assert.equal(mostImages(256, 256), 25);
  assert.equal(mostImages(2048, 2048), 16, "the usual ones are always allowed");
  using gpu = await Gpu.request();
  const options = {
    gpu,
    batchSize: 4,
    noiseDim: 4,
    generatorWidths: [4, 4, 4],
    discriminatorWidths: [4, 4],
    maxSteps: 1,
  } as const;
  await t.step("more are refused", async () => {
    await assert.rejects(
      trainDCGAN({ ...options, dataset: blobs(4), imageCount: 4097 }),
      /^RangeError: imageCount must be at most 4096, got 4097$/,
    );
    const images = new Uint8Array(2 * 256 * 256);
    const dataset = { images, count: 2, height: 256, width: 256, channels: 1 };
    await assert.rejects(
      trainDCGAN({ ...options, dataset, imageCount: 26 }),
      /^RangeError: imageCount must be at most 25 for images of 256 x 256, got 26: /,
    );
  });
  await t.step("the most are made", async () => {
    let values = 0;
    using _run = await trainDCGAN({
      ...options,
      dataset: blobs(4),
      imageCount: 2209,
      generatorWidths: [256, 4, 4],
      onImage: ({ images }) => void (values = images.length),
    });
    assert.equal(values, 2209 * 784);
  });
});

/** Of a configuration, and what an error says of it. */
const CONFIGURATIONS: [key: string, value: unknown, says: RegExp][] = [
  ["batchSize", { toString: 1 }, /its batchSize is \{"toString":1\}, not a whole number of at le/],
  ["batchSize", 0, /its batchSize is 0/],
  ["noiseDim", "8", /its noiseDim is "8"/],
  ["learningRate", null, /its learningRate is null, not a number of at least 0/],
  ["learningRate", -1, /its learningRate is -1/],
  ["beta1", 1, /its beta1 is 1, not a number of at least 0 and below 1/],
  ["beta2", [0.5], /its beta2 is \[0\.5\]/],
  ["generatorWidths", { length: 3 }, /its generatorWidths is \{"length":3\}, not 3 whole numbers/],
  ["generatorWidths", [8, 8], /its generatorWidths is \[8,8\]/],
  [
    "discriminatorWidths",
    [{ toString: 1 }, 8],
    /its discriminatorWidths is \[\{"toString":1\},8\]/,
  ],
  ["dropout", { toString: 1, valueOf: 1 }, /its dropout is \{"toString":1,"valueOf":1\}/],
  ["seed", { a: 1 }, /its seed is \{"a":1\}, not a whole number below 2\^32/],
  ["seed", 2 ** 32, /its seed is 4294967296/],
  ["seed", "x".repeat(10_000), /its seed is "x{100}[^"]*\.\.\., not/],
];

Deno.test("checkpoints: hyperparameters of another kind are refused, naming file, key and value", () => {
  for (const [key, value, says] of CONFIGURATIONS) {
    const [start, end] = [
      /^The configuration in a\.safetensors is damaged: /,
      /\. Use another checkpoint$/,
    ];
    assert.throws(
      () => hyperparametersOf({ [key]: value }, "a.safetensors"),
      errorOf(CheckpointError, start, says, end),
    );
  }
  const good = { batchSize: 4, generatorWidths: [1, 2, 3], dropout: 0, seed: 2 ** 32 - 1 };
  assert.deepEqual(hyperparametersOf({ ...good, outDir: "/", signal: 1 }, "a"), good);
});

Deno.test("checkpoints: a resume and a summary say what is wrong with a configuration", async (t) => {
  await withRun(async (dir, train) => {
    const path = join(dir, "run/training_checkpoints/ckpt-0001-step-2.safetensors");
    const checkpoint = await readCheckpoint(path);
    for (const index of [0, 3, 7, 9, 10, 11]) {
      const [key, value, says] = CONFIGURATIONS[index];
      await t.step(`${key} ${JSON.stringify(value)}`, async () => {
        const configuration = { ...checkpoint.configuration, [key]: value };
        await Deno.writeFile(path, encodeCheckpoint({ ...checkpoint, configuration }));
        const runs = [await train(1, "--resume=run", "--max-steps=4")];
        if (index === 9) runs.push(await dcgan(["summary", "run"], { INIT_CWD: dir }));
        for (const { code, stderr } of runs) {
          assert.equal(code, 1, stderr);
          assert.match(stderr, /^error: The configuration in .*ckpt-0001-step-2\.safetensors /m);
          assert.match(stderr, says);
          assert.doesNotMatch(stderr, /^\s+at /m, "a sentence, not a stack");
        }
      });
    }
  });
});

/** Everything in a folder, and in those below it, but for what a link leads to. */
async function contents(dir: string, at = ""): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for await (const { name, isDirectory, isFile } of Deno.readDir(join(dir, at))) {
    const path = join(at, name);
    if (isDirectory) Object.assign(all, { [path]: "" }, await contents(dir, path));
    else if (isFile) all[path] = await Deno.readTextFile(join(dir, path));
  }
  return all;
}

Deno.test("run folder: nothing is written through a link in it", async (t) => {
  await withRun(async (dir, train) => {
    const outside = join(dir, "outside");
    await Deno.mkdir(outside);
    const place = async (name: string) => {
      const [path, to] = [join(dir, "run", name), join(outside, name.replace("/", "-"))];
      const kind = await Deno.stat(path).catch(() => undefined);
      if (kind) await Deno.rename(path, to);
      else if (name.includes("/")) await Deno.mkdir(to);
      else await Deno.writeTextFile(to, "precious");
      await Deno.symlink(to, path);
      return { path, to, kind };
    };
    const links = [
      ...["run.lock", "metrics.jsonl", "tensorboard", "training_checkpoints"],
      "training_checkpoints/superseded",
    ];
    for (const name of links) {
      await t.step(name, async () => {
        const { path, to, kind } = await place(name);
        const before = await contents(outside);
        const { stderr } = await train(1, "--resume=run", "--max-steps=4");
        assert.deepEqual(await contents(outside), before);
        assert.match(
          stderr,
          /^error: .* is a link, and nothing is written outside of .*: remove it/,
        );
        assert.ok(stderr.includes(path), stderr);
        await Deno.remove(path);
        if (kind) await Deno.rename(to, path);
      });
    }
    await t.step("a link to nothing makes nothing", async () => {
      const path = join(dir, "run/run.lock");
      await Deno.symlink(join(outside, "made"), path);
      await train(1, "--resume=run", "--max-steps=4");
      await assert.rejects(Deno.stat(join(outside, "made")), Deno.errors.NotFound);
      await Deno.remove(path);
    });
    await t.step("a model without a name goes to no link", async () => {
      const [path, to] = [join(dir, "run/generator"), join(outside, "model")];
      await Deno.mkdir(to);
      await Deno.symlink(to, path);
      const { code, stderr } = await dcgan(["export", "run", "--format=tfjs"], { INIT_CWD: dir });
      assert.equal(code, 1);
      assert.match(stderr, /^error: .*generator is a link/);
      assert.deepEqual([...Deno.readDirSync(to)], []);
      await Deno.remove(path);
    });
    await t.step("files that are written anew take a link's place", async () => {
      const names = ["run.json", "losses.svg", "dcgan.gif", "image_at_epoch_0001.png"];
      for (const name of names) {
        await Deno.remove(join(dir, "run", name)).catch(() => {});
        await Deno.writeTextFile(join(outside, name), "precious");
        await Deno.symlink(join(outside, name), join(dir, "run", name));
      }
      await train(0, "--resume=run", "--max-steps=3");
      for (const name of names) {
        assert.equal(await Deno.readTextFile(join(outside, name)), "precious");
        assert.ok((await Deno.lstat(join(dir, "run", name))).isFile, name);
      }
    });
    await t.step("the folder itself may be one, as whoever names it knows", async () => {
      await Deno.symlink(join(dir, "run"), join(dir, "mine"));
      await train(0, "--resume=mine", "--max-steps=4");
    });
  });
});

Deno.test("links: what is not there, or is behind a file, is none", () =>
  inFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "file"), "");
    await requireNoLinks(dir, ["none", "none/deeper", "file", "file/deeper"]);
    await Deno.symlink("nowhere", join(dir, "link"));
    await assert.rejects(requireNoLinks(dir, ["file", "link"]), CheckpointError);
  }));
