/**
 * A folder of a run that comes from a stranger: its record stops no run, its configuration is checked,
 * and nothing is written beyond it.
 */

import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, decodePNG, Gpu, trainDCGAN } from "../../mod.ts";
import { hyperparametersOf } from "../../src/training/hyperparameters.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { encodeCheckpoint } from "../../src/training/checkpoint.ts";
import { requireNoLinks } from "../../src/files/kind.ts";
import { mostImages } from "../../src/formats/grid.ts";
import { commandsIn, type RunRecord } from "../../src/formats/run_record.ts";
import { assertRuns, type Run } from "../support/commands.ts";
import { blobs } from "../support/dataset.ts";
import { writeDigits } from "../support/digits.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder, put } from "../support/folder.ts";

const TRAIN = "train --data=digits --no-calibrate";
const NEW = `${TRAIN} --batch-size=4 --generator-widths=8,8,8 --discriminator-widths=4,8 ` +
  "--noise-dim=8 --out=run --max-steps=2";
const CHECKPOINT = "training_checkpoints/ckpt-0001-step-2.safetensors";

/** The command line that resumes a run. */
const resume = (run: string, steps = 4) => `${TRAIN} --resume=${run} --max-steps=${steps}`;

/** A run of two steps in `run`, beside its data. It is trained once. */
let trained: string | undefined;
Deno.test.afterAll(() => {
  if (trained) Deno.removeSync(trained, { recursive: true });
});

/** A test with that folder. `copy` makes another run of `run`. */
function test(
  name: string,
  body: (dir: string, copy: (name: string) => Promise<string>) => Promise<void>,
): void {
  Deno.test(name, () =>
    inFolder(async (dir) => {
      if (!trained) {
        trained = await Deno.makeTempDir();
        await writeDigits(join(trained, "digits"));
        await assertRuns(trained, [0, NEW]);
      }
      await cp(trained, dir, { recursive: true });
      await body(dir, async (name) => {
        await cp(join(dir, "run"), join(dir, name), { recursive: true });
        return join(dir, name);
      });
    }));
}

// deno-lint-ignore no-explicit-any -- what a stranger wrote
async function editJSON(path: string, change: (value: any) => void): Promise<void> {
  const value = JSON.parse(await Deno.readTextFile(path));
  change(value);
  await Deno.writeTextFile(path, JSON.stringify(value));
}

test("run record: commands that ask for too much, or are none, stop no resume", async (dir) => {
  const commands = {
    "images without end": ["train", "--images", "1000000000"],
    "more than a grid's": ["train", "--images", "4097"],
    "objects": [{ toString: 1, valueOf: 1 }],
    "no train": ["train", "--epochs", { length: 1 }],
    "very many words": ["train", ...Array(200_000).fill(["--images", "16"]).flat()],
    "a long word": ["train", "-".repeat(2 ** 22)],
    "none": "train",
  };
  await editJSON(join(dir, "run/run.json"), (record) => {
    const [session] = record.sessions;
    record.sessions = Object.values(commands).map((command) => ({ ...session, command }));
  });
  const begun = performance.now();
  await assertRuns(dir, [0, resume("run"), /trained 4 steps in/]);
  assert.ok(performance.now() - begun < 30_000);
  const path = join(dir, "run/image_at_step_000004.png");
  const { width } = decodePNG(await Deno.readFile(path), path);
  assert.equal(width, 4 * 87 + 3, "16 images, as nothing else was said");
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

test(
  "run record: of another run it is refused by what differs, with the way out",
  async (dir, copy) => {
    await Deno.remove(join(await copy("bare"), "run.json"));
    await editJSON(join(dir, "run/run.json"), (record) => record.configuration.seed = 5);
    await assertRuns(
      dir,
      [
        1,
        resume("run"),
        /^error: .*run\.json is the record of another run, with seed 5, and this one has 0: resume into another folder \(outDir; --resume FILE --out DIR\), or move the record away if it is wrong$/m,
      ],
      [0, `${resume(`run/${CHECKPOINT}`, 3)} --out=other`],
      [0, resume("bare", 3)],
    );
  },
);

Deno.test("images: a grid holds so many as can be read, and no more", async () => {
  assert.equal(mostImages(28, 28), 2209);
  assert.equal(mostImages(256, 256), 25);
  assert.equal(mostImages(2048, 2048), 16, "the usual ones are always allowed");
  using gpu = await Gpu.request();
  const options = {
    gpu,
    dataset: blobs(4),
    batchSize: 4,
    noiseDim: 4,
    generatorWidths: [4, 4, 4],
    discriminatorWidths: [4, 4],
    maxSteps: 1,
  } as const;
  await assert.rejects(
    trainDCGAN({ ...options, imageCount: 4097 }),
    /^RangeError: imageCount must be at most 4096, got 4097$/,
  );
  const images = new Uint8Array(2 * 256 * 256);
  const dataset = { images, count: 2, height: 256, width: 256, channels: 1 };
  await assert.rejects(
    trainDCGAN({ ...options, dataset, imageCount: 26 }),
    /^RangeError: imageCount must be at most 25 for images of 256 x 256, got 26: /,
  );
  let values = 0;
  using _run = await trainDCGAN({
    ...options,
    imageCount: 2209,
    generatorWidths: [256, 4, 4],
    onImage: ({ images }) => void (values = images.length),
  });
  assert.equal(values, 2209 * 784);
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
  [
    "generatorWidths",
    { length: 3 },
    /its generatorWidths is \{"length":3\}, not 2 or more whole numbers/,
  ],
  ["generatorWidths", [8], /its generatorWidths is \[8\]/],
  [
    "discriminatorWidths",
    [{ toString: 1 }, 8],
    /its discriminatorWidths is \[\{"toString":1\},8\]/,
  ],
  ["dropout", { toString: 1, valueOf: 1 }, /its dropout is \{"toString":1,"valueOf":1\}/],
  ["objective", "__proto__", /its objective is "__proto__", not "nonsaturating" or "hinge" or /],
  ["augment", ["color", 1], /its augment is \["color",1\], not a list of "color" or /],
  ["augment", { length: 0 }, /its augment is \{"length":0\}/],
  ["conditional", 1, /its conditional is 1, not true or false/],
  ["decaySteps", -1, /its decaySteps is -1/],
  ["seed", { a: 1 }, /its seed is \{"a":1\}, not a whole number below 2\^32/],
  ["seed", 2 ** 32, /its seed is 4294967296/],
  ["seed", "x".repeat(10_000), /its seed is "x{100}[^"]*\.\.\., not/],
];

Deno.test("checkpoints: hyperparameters of another kind are refused, naming file, key and value", () => {
  const [start, end] = [/^The configuration in a is damaged: /, /\. Use another checkpoint$/];
  for (const [key, value, says] of CONFIGURATIONS) {
    const refused = errorOf(CheckpointError, start, says, end);
    assert.throws(() => hyperparametersOf({ [key]: value }, "a"), refused);
  }
  const good = { batchSize: 4, generatorWidths: [1, 2, 3], dropout: 0, seed: 2 ** 32 - 1 };
  assert.deepEqual(hyperparametersOf({ ...good, outDir: "/", signal: 1 }, "a"), good);
});

test(
  "checkpoints: a resume and a summary say what is wrong with a configuration",
  async (dir, copy) => {
    const checkpoint = await readCheckpoint(join(dir, "run", CHECKPOINT));
    const runs: Run[] = [];
    for (const index of [0, 3, 7, 9, 10, 11]) {
      const [key, value, says] = CONFIGURATIONS[index];
      const configuration = { ...checkpoint.configuration, [key]: value };
      const path = join(await copy(key), CHECKPOINT);
      await Deno.writeFile(path, encodeCheckpoint({ ...checkpoint, configuration }));
      const said = [/^error: The configuration in .*ckpt-0001-step-2\.safetensors /m, says];
      runs.push([1, resume(key), ...said]);
      if (index === 9) runs.push([1, `summary ${key}`, ...said]);
    }
    await assertRuns(dir, ...runs);
  },
);

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

const LINK = /^error: .* is a link, and nothing is written outside of .*: remove it/m;

test("run folder: nothing is written through a link in it", async (dir, copy) => {
  const outside = join(dir, "outside");
  await put(outside, { "precious": "precious", "folder/file": "precious" });
  /** A run in which there is a link; what was in its place is outside. */
  const linked = async (name: string, to: string) => {
    const run = await copy(`${name.replace("/", "-")}-${to}`);
    await Deno.rename(join(run, name), join(outside, to)).catch(() => {});
    await Deno.symlink(join(outside, to), join(run, name));
    return [run, join(run, name)];
  };
  const runs: Run[] = [];
  const links = [
    ["run.lock", "precious"],
    ["metrics.jsonl", "log"],
    ["tensorboard", "events"],
    ["training_checkpoints", "checkpoints"],
    ["training_checkpoints/superseded", "folder"],
    ["run.lock", "nothing"],
  ];
  for (const [name, to] of links) {
    const [run, path] = await linked(name, to);
    runs.push([1, resume(run), LINK, new RegExp(path)]);
  }
  // A model without a name goes to no link.
  const [withModel] = await linked("generator", "folder");
  runs.push([1, `export ${withModel} --format=tfjs`, /^error: .*generator is a link/m]);
  // Files that are written anew take a link's place.
  const anew = ["run.json", "losses.svg", "dcgan.gif", "image_at_epoch_0001.png"];
  for (const name of anew) {
    await put(outside, { [name]: "precious" });
    await Deno.remove(join(dir, "run", name)).catch(() => {});
    await Deno.symlink(join(outside, name), join(dir, "run", name));
  }
  runs.push([0, resume("run", 3)]);
  // The folder itself may be a link, as whoever names it knows.
  await Deno.symlink(await copy("mine"), join(dir, "link"));
  runs.push([0, resume("link")]);

  const before = await contents(outside);
  await assertRuns(dir, ...runs);
  assert.deepEqual(await contents(outside), before);
  for (const name of anew) assert.ok((await Deno.lstat(join(dir, "run", name))).isFile, name);
});

Deno.test("links: what is not there, or is behind a file, is none", () =>
  inFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "file"), "");
    await requireNoLinks(dir, ["none", "none/deeper", "file", "file/deeper"]);
    await Deno.symlink("nowhere", join(dir, "link"));
    await assert.rejects(requireNoLinks(dir, ["file", "link"]), CheckpointError);
  }));
