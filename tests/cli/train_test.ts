import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { assertRuns, cachesIn, commands } from "../support/commands.ts";
import { DCGAN, TINY } from "../support/dcgan.ts";
import { inFolder, put, withFiles } from "../support/folder.ts";

const names = (...path: string[]) => [...Deno.readDirSync(join(...path))].map((e) => e.name).sort();

const recordIn = async (run: string) => JSON.parse(await Deno.readTextFile(join(run, "run.json")));

/** So many PNG files in a folder, gray, or every third in color if `mixed`. */
const images = (folder: string, count: number, mixed = false) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => {
    const channels = mixed && i % 3 === 0 ? 3 : 1;
    const data = new Uint8Array(64 * channels).map((_, at) => at * 5 + i);
    return [`${folder}/${i}.png`, encodePNG({ width: 8, height: 8, channels, data })];
  }));

/** A small network on a handful of images. */
const SMALL = ["--batch-size=4", ...TINY.slice(1), "--no-calibrate", "--data=images"].join(" ");

Deno.test("train: trains on real MNIST, relative paths are the person's", () =>
  inFolder(async (dir) => {
    const first = `train ${TINY.join(" ")} --epochs=7 --max-steps=3 --out=runs/a`;
    const [run] = await assertRuns(dir, [
      0,
      first,
      /data {5}MNIST from .*checksum verified\), 60000 images/,
      // An epoch that --max-steps has cut must not look as if it were over.
      /^epoch 1\/7 {2}step 1\/3 {2}generator \d\.\d{4} {2}discriminator/m,
      /^step 3\/3 {2}generator \d\.\d{4} {2}discriminator \d\.\d{4}$/m,
      /trained 3 steps in/,
    ]);
    assert.doesNotMatch(run, /epoch .*step 3\/3/);
    assert.deepEqual(names(dir, "runs/a"), [
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
    const other = "train --resume --out=runs/a --max-steps=8 --noise-dim=9";
    await assertRuns(
      dir,
      [0, resumed[0], /trained 5 steps in/, /^epoch 1\/7 {2}step 4\/5 {2}generator/m],
      [0, resumed[1], /^epoch 1\/9 {2}step 6\/7 {2}generator/m],
      [0, resumed[2]],
      [1, first, /^error: .* holds a run already/m],
      [2, `${resumed[0]} --force`, /--resume goes on with a run and --force removes it/],
      [1, other, /made with noiseDim 8, this run asks for 9/],
    );
    const { sessions } = await recordIn(join(dir, "runs/a"));
    assert.deepEqual(
      sessions.map((s: { fromStep: number; command: string[] }) => [s.fromStep, s.command]),
      [first, ...resumed].map((command, i) => [[0, 3, 5, 7][i], command.split(" ")]),
    );
  }));

Deno.test("train: a program reads JSON lines, and --quiet says nothing", () =>
  withFiles(images("images", 12), async (dir) => {
    const train = `train ${SMALL} --max-steps=2`;
    const both = [`${train} --out=a --json`, `${train} --out=b --quiet`];
    const [json, quiet] = await commands(both, undefined, { env: { INIT_CWD: dir } });
    const lines = json.stdout.trim().split("\n").map((line) => JSON.parse(line));
    const types = lines.map((line) => line.type).filter((type) => type !== "message");
    assert.deepEqual(types, ["step", "step", "image", "end"]);
    const { steps, aborted, gif, checkpoint } = lines.at(-1);
    assert.deepEqual([steps, aborted, gif], [2, false, join(dir, "a", "dcgan.gif")]);
    assert.ok(checkpoint.endsWith("ckpt-0001-step-2.safetensors"));
    assert.deepEqual(quiet, { code: 0, stdout: "", stderr: "" });
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
    const [checkpoint] = names(dir, "out/training_checkpoints");
    assert.match(checkpoint, /^ckpt-0001-step-\d+\.safetensors$/);
  }));

Deno.test("train: help explains every flag; mistakes exit with 2 and a sentence", async () => {
  const [help] = await assertRuns(
    ".",
    [0, "train --help"],
    [2, "tran", /unknown command 'tran'/],
    [1, "train --data no/such/folder", /^error: There is no folder .*no\/such\/folder/m],
    // Before the data is looked for.
    [
      1,
      "train --data no/such/folder --recipe fast --objective hinge --label-smoothing 0.1",
      /--label-smoothing 0\)/,
    ],
    [2, "train --image-size 32,32", /--image-size is for image files, and --data names no folder/],
  );
  for (const flag of ["preset", "epochs", "max-steps", "seed", "out", "data", "resume"]) {
    assert.ok(help.includes(`--${flag}`), flag);
  }
});

Deno.test("train: a folder of gray and color images trains, with --channels as one of them", () =>
  withFiles({ ...images("images", 6, true), ...images("odd", 2) }, async (dir) => {
    const odd = encodePNG({ width: 10, height: 8, channels: 1, data: new Uint8Array(80) });
    await put(dir, { "odd/0.png": odd });
    const train = `train ${SMALL} --max-steps=1`;
    const width = /^error: .*0\.png has a width of 10; .* Pass --image-size, such as 8,12$/m;
    const deep =
      /must be a multiple of 8, .* to 8 or 16 \(image files: --image-size\), or give fewer/;
    const size = /'--image-size <H,W>' argument '10,8' .* both multiples of 4/;
    await assertRuns(
      dir,
      [0, `${train} --out=out-0`, /6 images of 8 x 8 x 3\n/],
      [2, `${train} --channels=1 --image-size=10,8`, size],
      [1, `${train} --out=deep --image-size=12,12 --generator-widths=8,8,8,8`, deep],
      [0, `${train} --channels=1 --out=out-1`, /6 images of 8 x 8 x 1\n/],
      [0, `${train} --channels=3 --out=out-3`, /6 images of 8 x 8 x 3\n/],
      [1, `${train} --data=odd --channels=1`, width],
    );
    assert.deepEqual(names(dir), ["images", "odd", "out-0", "out-1", "out-3"]);
  }));

Deno.test("train: runs that begin at once without --out get a folder each", () =>
  withFiles(images("images", 4), async (dir) => {
    await Promise.all([1, 2, 3].map(() =>
      assertRuns(dir, [
        0,
        `train ${SMALL} --max-steps=1`,
        // The last lines name what a person may want next.
        /^next {5}deno task dcgan train --resume --out out(-\d)?$/m,
        /^ {9}deno task dcgan sample out(-\d)?\n$/m,
      ])
    ));
    for (const name of ["out", "out-2", "out-3"]) await recordIn(join(dir, name));
  }));

Deno.test("train: old names of flags work, on the command line and in a run's record", () =>
  withFiles(images("images", 8), async (dir) => {
    const old = "--pictures=4 --picture-every 1 --picture-size=12,8";
    const [first] = await assertRuns(
      dir,
      [0, `train ${SMALL} --epochs=2 --max-steps=2 ${old}`, /8 images of 12 x 8 x 1/],
      [0, "train --resume --data=images --image-size=12,8"],
    );
    const steps = (text: string) => text.match(/image_at_step_\d+\.png/g);
    const files = [1, 2, 3, 4].map((step) => `image_at_step_00000${step}.png`);
    assert.deepEqual(steps(first), files.slice(0, 2));
    assert.deepEqual(steps(names(dir, "out").join()), files);
    const { sessions } = await recordIn(join(dir, "out"));
    assert.ok(sessions[0].command.includes("--pictures=4"));
  }));

Deno.test("train: a resume keeps --max-steps, unless it is given anew or was reached", () =>
  withFiles(images("images", 8), async (dir) => {
    await assertRuns(dir, [0, `train ${SMALL} --epochs=5 --max-steps=2`]);
    // As Ctrl-C leaves a run: stopped before the limit that its record has.
    const record = await recordIn(join(dir, "out"));
    record.sessions[0].command.push("--max-steps=6");
    await put(dir, { "out/run.json": JSON.stringify(record) });
    const resume = "train --resume --data=images";
    const end = /the run has reached its --max-steps 7: it goes on to the end of its epochs/;
    await assertRuns(
      dir,
      [0, resume, /trained 6 steps in/],
      [0, `${resume} --max-steps=7`, /trained 7 steps in/],
      [0, resume, end, /trained 10 steps in/],
    );
  }));

Deno.test("train: the quick preset trains on as many images, however few there are", () =>
  withFiles(images("images", 100), async (dir) => {
    const quick = `train --preset=quick ${SMALL.replace("--batch-size=4 ", "")} --max-steps=1`;
    await assertRuns(
      dir,
      [0, quick, /quick trains on 180000 images: 1800 epochs of 2 steps here/],
      [0, "train --resume --data=images --max-steps=3", /^epoch 1\/1800 /m],
    );
  }));

Deno.test("train: --stream trains to the same bits", () =>
  withFiles(images("images", 6), async (dir) => {
    const train = `train ${SMALL} --max-steps=3 --image-size=8,8 --channels=1`;
    const lines = [`${train} --stream --out=streamed`, `${train} --out=whole`, "train --stream"];
    const env = { INIT_CWD: dir, ...cachesIn(join(dir, "cache")) };
    const [streamed, whole, refused] = await commands(lines, undefined, { env });
    assert.deepEqual([streamed.code, whole.code, refused.code], [0, 0, 2]);
    assert.match(streamed.stdout, /^data {5}decoding 6 images into .*cache/m);
    assert.match(streamed.stdout, /^data {5}.*6 images of 8 x 8 x 1, read from .*cache/m);
    assert.match(refused.stderr, /--stream is for image files: name them with --data/);
    const grid = (run: string) => Deno.readFileSync(join(dir, run, "image_at_epoch_0001.png"));
    assert.deepEqual(grid("streamed"), grid("whole"));
  }));

Deno.test("train: --dry-run says what would be, and writes nothing", () =>
  withFiles({ ...images("images", 100), "images/x.txt": "" }, async (dir) => {
    const dry = `train ${SMALL} --dry-run`;
    const [text, short, json] = await assertRuns(
      dir,
      [0, `${dry} --epochs=3`],
      [0, `${dry} --max-steps=1`, /^time {5}50 epochs, 1 steps: too short to be timed$/m],
      [0, `${dry} --epochs=3 --json`],
      [2, `${dry} --resume`, /--dry-run is for a new run/],
    );
    assert.match(text, /^data {5}1 file skipped, called \.txt: x\.txt$/m);
    assert.match(text, /^Model: "generator"$[^]*^Model: "discriminator"$/m);
    assert.match(text, /^memory {3}\d+ MB on the device: 0 MB of images, \d+ MB for a step$/m);
    const time = /^time {5}about \d+s for 3 epochs, 75 steps, 0\.\d{3}s a step \(mean of 10\)/m;
    assert.match(text, time);
    assert.ok(short.includes("nothing was written"));
    const plan = JSON.parse(json.trim().split("\n").at(-1)!);
    assert.deepEqual([plan.type, plan.epochs, plan.steps, plan.timedSteps], ["plan", 3, 75, 10]);
    assert.ok(plan.secondsPerStep > 0 && plan.deviceBytes > plan.imageBytes, json);
    assert.equal(plan.imageBytes, 6400);
    assert.deepEqual(names(dir), ["images"]);
  }));

Deno.test("train: killed before its first checkpoint, a run names --force both ways", () =>
  withFiles({ ...images("images", 4), "out/metrics.jsonl": "" }, async (dir) => {
    const train = `train ${SMALL} --max-steps=1 --out=out`;
    const refused = ["", " --resume"].map((flag) => [1, train + flag, /--force/] as const);
    await assertRuns(dir, ...refused, [0, `${train} --force`]);
  }));
