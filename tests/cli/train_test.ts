import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { DCGAN, dcgan, TINY } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("train: trains on real MNIST, relative paths are the person's", () =>
  inFolder(async (dir) => {
    const first = ["train", ...TINY, "--epochs=7", "--max-steps=3", "--out=runs/a"];
    const run = await dcgan(first, { INIT_CWD: dir });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /data {5}MNIST from .*checksum verified\), 60000 images/);
    // An epoch that --max-steps has cut must not look as if it were over.
    assert.match(run.stdout, /^epoch 1\/7 {2}step 1\/3 {2}generator \d\.\d{4} {2}discriminator/m);
    assert.match(run.stdout, /^step 3\/3 {2}generator \d\.\d{4} {2}discriminator \d\.\d{4}$/m);
    assert.doesNotMatch(run.stdout, /epoch .*step 3\/3/);
    assert.match(run.stdout, /trained 3 steps in/);
    const files = [...Deno.readDirSync(join(dir, "runs/a"))].map((e) => e.name).sort();
    assert.deepEqual(files, [
      "dcgan.gif",
      "image_at_step_000003.png",
      "losses.svg",
      "metrics.jsonl",
      "run.json",
      "tensorboard",
      "training_checkpoints",
    ]);
    const again = await dcgan(["train", ...TINY, "--max-steps=3", "--out=runs/a"], {
      INIT_CWD: dir,
    });
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^error: .* holds a run already/m);

    // Hyperparameters are the checkpoint's, and epochs the run's, unless they are given, and then they must be the same.
    const resume = (...args: string[]) =>
      dcgan(["train", "--resume", "--out=runs/a", ...args], { INIT_CWD: dir });
    const more = await resume("--max-steps=5");
    assert.equal(more.code, 0, more.stderr);
    assert.match(more.stdout, /trained 5 steps in/);
    assert.match(more.stdout, /^epoch 1\/7 {2}step 4\/5 {2}generator/m);
    const longer = await resume("--max-steps=7", "--epochs=9");
    assert.match(longer.stdout, /^epoch 1\/9 {2}step 6\/7 {2}generator/m);
    const folder = await dcgan(["train", "--resume", "runs/a", "--max-steps=7"], { INIT_CWD: dir });
    assert.equal(folder.code, 0, folder.stderr);
    const both = await resume("--force");
    assert.equal(both.code, 2);
    assert.match(both.stderr, /--resume goes on with a run and --force removes it/);
    const other = await resume("--max-steps=8", "--noise-dim=9");
    assert.equal(other.code, 1);
    assert.match(other.stderr, /made with noiseDim 8, this run asks for 9/);
    const record = JSON.parse(await Deno.readTextFile(join(dir, "runs/a/run.json")));
    assert.deepEqual(
      record.sessions.map((s: { fromStep: number; command: string[] }) => [s.fromStep, s.command]),
      [
        [0, first],
        [3, ["train", "--resume", "--out=runs/a", "--max-steps=5"]],
        [5, ["train", "--resume", "--out=runs/a", "--max-steps=7", "--epochs=9"]],
        [7, ["train", "--resume", "runs/a", "--max-steps=7"]],
      ],
    );
  }));

Deno.test("train: a program reads JSON lines, and --quiet says nothing", () =>
  inFolder(async (dir) => {
    const train = ["train", ...TINY, "--no-calibrate", "--max-steps=2"];
    const json = await dcgan([...train, "--out=a", "--json"], { INIT_CWD: dir });
    assert.equal(json.code, 0, json.stderr);
    const lines = json.stdout.trim().split("\n").map((line) => JSON.parse(line));
    const types = lines.map((line) => line.type).filter((type) => type !== "message");
    assert.deepEqual(types, ["step", "step", "image", "end"]);
    const { steps, aborted, gif, checkpoint } = lines.at(-1);
    assert.deepEqual([steps, aborted, gif], [2, false, join(dir, "a", "dcgan.gif")]);
    assert.ok(checkpoint.endsWith("ckpt-0001-step-2.safetensors"));
    const quiet = await dcgan([...train, "--out=b", "--quiet"], { INIT_CWD: dir });
    assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
  }));

Deno.test("train: training stops with a checkpoint when its reader has gone", () =>
  inFolder(async (dir) => {
    const process = new Deno.Command("deno", {
      args: [
        ...DCGAN,
        "train",
        ...TINY,
        "--no-calibrate",
        "--json",
      ],
      env: { NO_COLOR: "1", INIT_CWD: dir },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes('"type":"step"');) {
      const { value, done } = await reader.read();
      assert.ok(!done, text);
      text += value;
    }
    await reader.cancel(); // Nobody reads the rest.
    const stderr = await new Response(process.stderr).text();
    assert.equal((await process.status).code, 130, stderr);
    const [checkpoint] = Deno.readDirSync(join(dir, "out", "training_checkpoints"));
    assert.match(checkpoint.name, /^ckpt-0001-step-\d+\.safetensors$/);
  }));

Deno.test("train: help explains every flag; mistakes exit with 2 and a sentence", async () => {
  const help = await dcgan(["train", "--help"]);
  assert.equal(help.code, 0);
  for (
    const flag of ["--preset", "--epochs", "--max-steps", "--seed", "--out", "--data", "--resume"]
  ) {
    assert.ok(help.stdout.includes(flag), flag);
  }
  const typo = await dcgan(["train", "--epoch", "3"]);
  assert.equal(typo.code, 2);
  assert.match(typo.stderr, /unknown option '--epoch' \(Did you mean --epochs\?\)/);
  const command = await dcgan(["tran"]);
  assert.equal(command.code, 2);
  assert.match(command.stderr, /unknown command 'tran'/);
  const data = await dcgan(["train", "--data", "no/such/folder"]);
  assert.equal(data.code, 1);
  assert.match(data.stderr, /^error: There is no folder .*no\/such\/folder/m);
  const size = await dcgan(["train", "--image-size", "32,32"]);
  assert.equal(size.code, 2);
  assert.match(size.stderr, /--image-size is for PNG files, and --data names no folder of them/);
});

/** Writes gray PNG files; every third is in color if `mixed`. */
async function writeImages(dir: string, count: number, mixed = false): Promise<void> {
  await Deno.mkdir(dir);
  for (let i = 0; i < count; i++) {
    const channels = mixed && i % 3 === 0 ? 3 : 1;
    const data = new Uint8Array(64 * channels).map((_, at) => at * 5 + i);
    const png = encodePNG({ width: 8, height: 8, channels, data });
    await Deno.writeFile(join(dir, `${i}.png`), png);
  }
}

/** Flags of a small network for a handful of images. */
const SMALL = ["--batch-size=4", ...TINY.slice(1), "--no-calibrate"];

Deno.test("train: a folder of gray and color images trains with --channels", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 6, true);
    const train = (...args: string[]) =>
      dcgan(["train", ...SMALL, "--max-steps=1", "--data=images", ...args], { INIT_CWD: dir });
    const refused = await train();
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /1\.png is gray, .*0\.png is in colou?r\. Pass --channels/);
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["images"]);
    for (const channels of [1, 3]) {
      const run = await train(`--channels=${channels}`, `--out=out-${channels}`);
      assert.equal(run.code, 0, run.stderr);
      assert.match(run.stdout, new RegExp(`6 images of 8 x 8 x ${channels}\n`));
    }
    const size = await train("--channels=1", "--image-size=10,8");
    assert.equal(size.code, 2);
    assert.match(size.stderr, /'--image-size <H,W>' argument '10,8' .* both multiples of 4/);
    const odd = encodePNG({ width: 10, height: 8, channels: 1, data: new Uint8Array(80) });
    await Deno.writeFile(join(dir, "images/0.png"), odd);
    const other = await train("--channels=1");
    assert.match(
      other.stderr,
      /^error: .*0\.png has a width of 10; .* Pass --image-size, such as 8,12$/m,
    );
  }));

Deno.test("train: runs that begin at once without --out get a folder each", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 4);
    const args = ["train", ...SMALL, "--max-steps=1", "--data=images"];
    const runs = await Promise.all([1, 2, 3].map(() => dcgan(args, { INIT_CWD: dir })));
    for (const run of runs) assert.equal(run.code, 0, run.stderr);
    for (const name of ["out", "out-2", "out-3"]) await Deno.stat(join(dir, name, "run.json"));
    // The last lines name what a person may want next.
    assert.match(runs[0].stdout, /^next {5}deno task dcgan train --resume --out out(-\d)?$/m);
    assert.match(runs[0].stdout, /^ {9}deno task dcgan sample out(-\d)?\n$/m);
  }));

Deno.test("train: old names of flags work, on the command line and in a run's record", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 8);
    const run = (...args: string[]) => dcgan(["train", ...args], { INIT_CWD: dir });
    const first = await run(
      ...[...SMALL, "--data=images", "--epochs=2", "--max-steps=2"],
      ...["--pictures=4", "--picture-every", "1", "--picture-size=12,8"],
    );
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /8 images of 12 x 8 x 1/);
    const images = () =>
      [...Deno.readDirSync(join(dir, "out"))].map(({ name }) => name).filter((name) =>
        name.startsWith("image_at_step")
      ).sort();
    assert.deepEqual(images(), ["image_at_step_000001.png", "image_at_step_000002.png"]);
    const record = JSON.parse(await Deno.readTextFile(join(dir, "out/run.json")));
    assert.ok(record.sessions[0].command.includes("--pictures=4"));
    const next = await run("--resume", "--data=images", "--image-size=12,8");
    assert.equal(next.code, 0, next.stderr);
    assert.deepEqual(images().length, 4);
  }));

Deno.test("train: a resume keeps --max-steps, unless it is given anew or was reached", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 8);
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await dcgan(["train", "--data=images", ...args], {
        INIT_CWD: dir,
      });
      assert.equal(code, 0, stderr);
      return stdout;
    };
    await run(...SMALL, "--epochs=5", "--max-steps=2");
    // As Ctrl-C leaves a run: stopped before the limit that its record has.
    const path = join(dir, "out/run.json");
    const record = JSON.parse(await Deno.readTextFile(path));
    record.sessions[0].command.push("--max-steps=6");
    await Deno.writeTextFile(path, JSON.stringify(record));
    assert.match(await run("--resume"), /trained 6 steps in/);
    assert.match(await run("--resume", "--max-steps=7"), /trained 7 steps in/);
    const end = await run("--resume");
    assert.match(end, /the run has reached its --max-steps 7: it goes on to the end of its epochs/);
    assert.match(end, /trained 10 steps in/);
  }));

Deno.test("train: the quick preset trains on as many images, however few there are", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 100);
    const run = (...args: string[]) =>
      dcgan(["train", "--data=images", ...args], { INIT_CWD: dir });
    const first = await run("--preset=quick", ...TINY.slice(1), "--no-calibrate", "--max-steps=1");
    assert.match(first.stdout, /quick trains on 180000 images: 1800 epochs of 2 steps here/);
    const next = await run("--resume", "--max-steps=3");
    assert.match(next.stdout, /^epoch 1\/1800 /m);
  }));

Deno.test("train: killed before its first checkpoint, a run names --force both ways", () =>
  inFolder(async (dir) => {
    await Deno.mkdir(join(dir, "out"));
    await Deno.writeTextFile(join(dir, "out/metrics.jsonl"), "");
    await writeImages(join(dir, "images"), 4);
    const run = (...args: string[]) =>
      dcgan(["train", ...SMALL, "--data=images", "--max-steps=1", "--out=out", ...args], {
        INIT_CWD: dir,
      });
    for (const args of [[], ["--resume"]]) {
      const { code, stderr } = await run(...args);
      assert.equal(code, 1);
      assert.match(stderr, /--force/, args.join(" "));
    }
    assert.equal((await run("--force")).code, 0);
  }));
