import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { assertFail, DCGAN, dcgan, printed, TINY } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("train: trains on real MNIST, relative paths are the person's", () =>
  inFolder(async (dir) => {
    const first = `train ${TINY.join(" ")} --epochs=7 --max-steps=3 --out=runs/a`;
    const run = await printed(dir, first);
    assert.match(run, /data {5}MNIST from .*checksum verified\), 60000 images/);
    // An epoch that --max-steps has cut must not look as if it were over.
    assert.match(run, /^epoch 1\/7 {2}step 1\/3 {2}generator \d\.\d{4} {2}discriminator/m);
    assert.match(run, /^step 3\/3 {2}generator \d\.\d{4} {2}discriminator \d\.\d{4}$/m);
    assert.doesNotMatch(run, /epoch .*step 3\/3/);
    assert.match(run, /trained 3 steps in/);
    const files = [...Deno.readDirSync(join(dir, "runs/a"))].map((e) => e.name).sort();
    assert.deepEqual(files, [
      ...["dcgan.gif", "image_at_step_000003.png", "losses.svg", "metrics.jsonl", "run.json"],
      ...["tensorboard", "training_checkpoints"],
    ]);

    // Hyperparameters are the checkpoint's, and epochs the run's, unless they are given; the former
    // must then be the same.
    const resumed = [
      "train --resume --out=runs/a --max-steps=5",
      "train --resume --out=runs/a --max-steps=7 --epochs=9",
      "train --resume runs/a --max-steps=7",
    ];
    const more = await printed(dir, resumed[0]);
    assert.match(more, /trained 5 steps in/);
    assert.match(more, /^epoch 1\/7 {2}step 4\/5 {2}generator/m);
    assert.match(await printed(dir, resumed[1]), /^epoch 1\/9 {2}step 6\/7 {2}generator/m);
    await printed(dir, resumed[2]);
    await assertFail(
      dir,
      [1, /^error: .* holds a run already/m, first],
      [2, /--resume goes on with a run and --force removes it/, `${resumed[0]} --force`],
      [
        1,
        /made with noiseDim 8, this run asks for 9/,
        "train --resume --out=runs/a --max-steps=8 --noise-dim=9",
      ],
    );
    const record = JSON.parse(await Deno.readTextFile(join(dir, "runs/a/run.json")));
    assert.deepEqual(
      record.sessions.map((s: { fromStep: number; command: string[] }) => [s.fromStep, s.command]),
      [first, ...resumed].map((command, i) => [[0, 3, 5, 7][i], command.split(" ")]),
    );
  }));

Deno.test("train: a program reads JSON lines, and --quiet says nothing", () =>
  inFolder(async (dir) => {
    const train = ["train", ...TINY, "--no-calibrate", "--max-steps=2"];
    const json = await printed(dir, `${train.join(" ")} --out=a --json`);
    const lines = json.trim().split("\n").map((line) => JSON.parse(line));
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
      args: [...DCGAN, "train", ...TINY, "--no-calibrate", "--json"],
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
  const help = await printed(".", "train --help");
  for (
    const flag of ["--preset", "--epochs", "--max-steps", "--seed", "--out", "--data", "--resume"]
  ) {
    assert.ok(help.includes(flag), flag);
  }
  const size = /--image-size is for PNG files, and --data names no folder of them/;
  await assertFail(
    ".",
    [2, /unknown option '--epoch' \(Did you mean --epochs\?\)/, "train --epoch 3"],
    [2, /unknown command 'tran'/, "tran"],
    [1, /^error: There is no folder .*no\/such\/folder/m, "train --data no/such/folder"],
    [2, size, "train --image-size 32,32"],
  );
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

/** A small network on a handful of images. */
const SMALL = ["--batch-size=4", ...TINY.slice(1), "--no-calibrate", "--data=images"].join(" ");

Deno.test("train: a folder of gray and color images trains with --channels", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 6, true);
    const train = `train ${SMALL} --max-steps=1`;
    const size = /'--image-size <H,W>' argument '10,8' .* both multiples of 4/;
    await assertFail(
      dir,
      [1, /1\.png is gray, .*0\.png is in colou?r\. Pass --channels/, train],
      [2, size, `${train} --channels=1 --image-size=10,8`],
    );
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["images"]);
    for (const channels of [1, 3]) {
      const run = await printed(dir, `${train} --channels=${channels} --out=out-${channels}`);
      assert.match(run, new RegExp(`6 images of 8 x 8 x ${channels}\n`));
    }
    const odd = encodePNG({ width: 10, height: 8, channels: 1, data: new Uint8Array(80) });
    await Deno.writeFile(join(dir, "images/0.png"), odd);
    const width = /^error: .*0\.png has a width of 10; .* Pass --image-size, such as 8,12$/m;
    await assertFail(dir, [1, width, `${train} --channels=1`]);
  }));

Deno.test("train: runs that begin at once without --out get a folder each", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 4);
    const runs = await Promise.all(
      [1, 2, 3].map(() => printed(dir, `train ${SMALL} --max-steps=1`)),
    );
    for (const name of ["out", "out-2", "out-3"]) await Deno.stat(join(dir, name, "run.json"));
    // The last lines name what a person may want next.
    assert.match(runs[0], /^next {5}deno task dcgan train --resume --out out(-\d)?$/m);
    assert.match(runs[0], /^ {9}deno task dcgan sample out(-\d)?\n$/m);
  }));

Deno.test("train: old names of flags work, on the command line and in a run's record", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 8);
    const old = "--pictures=4 --picture-every 1 --picture-size=12,8";
    const first = await printed(dir, `train ${SMALL} --epochs=2 --max-steps=2 ${old}`);
    assert.match(first, /8 images of 12 x 8 x 1/);
    const images = () =>
      [...Deno.readDirSync(join(dir, "out"))].map(({ name }) => name)
        .filter((name) => name.startsWith("image_at_step")).sort();
    assert.deepEqual(images(), ["image_at_step_000001.png", "image_at_step_000002.png"]);
    const record = JSON.parse(await Deno.readTextFile(join(dir, "out/run.json")));
    assert.ok(record.sessions[0].command.includes("--pictures=4"));
    await printed(dir, "train --resume --data=images --image-size=12,8");
    assert.deepEqual(images().length, 4);
  }));

Deno.test("train: a resume keeps --max-steps, unless it is given anew or was reached", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 8);
    await printed(dir, `train ${SMALL} --epochs=5 --max-steps=2`);
    const resume = (more = "") => printed(dir, `train --resume --data=images${more}`);
    // As Ctrl-C leaves a run: stopped before the limit that its record has.
    const path = join(dir, "out/run.json");
    const record = JSON.parse(await Deno.readTextFile(path));
    record.sessions[0].command.push("--max-steps=6");
    await Deno.writeTextFile(path, JSON.stringify(record));
    assert.match(await resume(), /trained 6 steps in/);
    assert.match(await resume(" --max-steps=7"), /trained 7 steps in/);
    const end = await resume();
    assert.match(end, /the run has reached its --max-steps 7: it goes on to the end of its epochs/);
    assert.match(end, /trained 10 steps in/);
  }));

Deno.test("train: the quick preset trains on as many images, however few there are", () =>
  inFolder(async (dir) => {
    await writeImages(join(dir, "images"), 100);
    const small = SMALL.replace("--batch-size=4 ", "");
    const first = await printed(dir, `train --preset=quick ${small} --max-steps=1`);
    assert.match(first, /quick trains on 180000 images: 1800 epochs of 2 steps here/);
    const next = await printed(dir, "train --resume --data=images --max-steps=3");
    assert.match(next, /^epoch 1\/1800 /m);
  }));

Deno.test("train: killed before its first checkpoint, a run names --force both ways", () =>
  inFolder(async (dir) => {
    await Deno.mkdir(join(dir, "out"));
    await Deno.writeTextFile(join(dir, "out/metrics.jsonl"), "");
    await writeImages(join(dir, "images"), 4);
    const train = `train ${SMALL} --max-steps=1 --out=out`;
    await assertFail(dir, [1, /--force/, train], [1, /--force/, `${train} --resume`]);
    await printed(dir, `${train} --force`);
  }));
