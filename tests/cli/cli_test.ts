import assert from "node:assert/strict";
import { join } from "node:path";
import {
  describeFlags,
  oneOf,
  parseFlags,
  programOf,
  real,
  UsageError,
  whole,
  wholes,
} from "../../src/cli/flags.ts";
import { bar, duration, type Output, Progress, untilGone } from "../../src/cli/progress.ts";
import { DCGAN, dcgan, TINY } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

const FLAGS = {
  "batch-size": { value: "N", help: "images a step", parse: whole(1) },
  rate: { value: "X", help: "a rate", parse: real(0, 1) },
  widths: { value: "A,B", help: "two widths", parse: wholes(2) },
  mode: { value: "NAME", help: "fast\nor slow", parse: oneOf("fast", "slow") },
  resume: { value: "FILE", implied: "latest", help: "goes on" },
  force: { help: "does it" },
};

Deno.test("flags: values are parsed and checked", () => {
  assert.deepEqual(
    parseFlags(FLAGS, ["--batch-size", "64", "--rate=0.5", "--widths", "8,16", "--force"]),
    { "batch-size": 64, rate: 0.5, widths: [8, 16], force: true },
  );
  assert.deepEqual(parseFlags(FLAGS, ["--resume"]), { resume: "latest" });
  assert.deepEqual(parseFlags(FLAGS, ["--resume", "--force"]), { resume: "latest", force: true });
  assert.deepEqual(parseFlags(FLAGS, ["--resume", "a.st"]), { resume: "a.st" });
  assert.deepEqual(parseFlags(FLAGS, []), {});
});

Deno.test("flags: what cannot be understood is named, with what was expected", () => {
  const refused = (args: string[], message: RegExp) =>
    assert.throws(() => parseFlags(FLAGS, args), (error: Error) => {
      assert.ok(error instanceof UsageError, error.stack);
      assert.match(error.message, message);
      return true;
    });
  refused(["--batch-size", "0"], /--batch-size takes a whole number of at least 1, got "0"/);
  refused(["--batch-size", "1e9999"], /--batch-size takes a whole number/);
  refused(["--rate", "1"], /a number of at least 0 and below 1, got "1"/);
  refused(["--rate", ""], /--rate takes a number/);
  refused(["--widths", "1,2,3"], /2 whole numbers such as 256,128/);
  refused(["--mode", "medium"], /fast or slow, got "medium"/);
  refused(["--bach-size", "1"], /there is no --bach-size; did you mean --batch-size\?/);
  refused(["--batch-size"], /^--batch-size needs a value; [^\n]*--batch-size=-1$/);
  refused(["--batch-size", "-1"], /^--batch-size needs a value/);
  refused(["--force=yes"], /^--force takes no value$/);
  refused(["stray"], /stray/);
});

Deno.test("flags: the help names the program as it was started", () => {
  assert.equal(programOf("file:///somewhere/src/cli/flags.ts"), "deno task dcgan");
  assert.equal(
    programOf("https://jsr.io/@dcgan/webgpu/0.1.0/src/cli/flags.ts"),
    "deno run jsr:@dcgan/webgpu/cli", // The flags stand in the help of each command.
  );
});

Deno.test("flags: the help is two columns", () => {
  assert.equal(
    describeFlags(FLAGS),
    [
      "  --batch-size N   images a step",
      "  --rate X         a rate",
      "  --widths A,B     two widths",
      "  --mode NAME      fast",
      "                   or slow",
      "  --resume [FILE]  goes on",
      "  --force          does it",
    ].join("\n"),
  );
});

function output(isTerminal: boolean, columns = 120): Output & { text: string } {
  return {
    text: "",
    isTerminal,
    columns: () => columns,
    write(text) {
      this.text += text;
    },
  };
}

const STEP = { epoch: 1, generatorLoss: 0.7, discriminatorLoss: 1.4, images: 64, totalSteps: 100 };

Deno.test("progress: a bar on a terminal, which lines replace", () => {
  const out = output(true);
  const progress = new Progress(out, 3);
  progress.step({ ...STEP, step: 1 });
  progress.step({ ...STEP, step: 50, images: 3200 });
  assert.match(out.text, /█+░+ {2}epoch 1\/3 {2}step 50\/100 {2}generator 0\.7000/);
  assert.match(out.text, /images\/s/);
  assert.match(out.text, / left$/);
  assert.ok(!out.text.includes("\n"));
  progress.line("hello");
  assert.ok(out.text.endsWith("\r\x1b[Khello\n"));
});

Deno.test("progress: the bar never exceeds the terminal", () => {
  for (const columns of [10, 40, 80, 200]) {
    const out = output(true, columns);
    new Progress(out, 3).step({ ...STEP, step: 50 });
    assert.ok(out.text.length < columns, `${out.text.length} of ${columns}`);
  }
});

Deno.test("progress: plain lines elsewhere, without control characters", () => {
  const out = output(false);
  const progress = new Progress(out, 3);
  progress.step({ ...STEP, step: 1 });
  progress.step({ ...STEP, step: 2 });
  progress.epoch({
    epoch: 1,
    step: 2,
    steps: 2,
    generatorLoss: 0.7,
    discriminatorLoss: 1.4,
    seconds: 75,
  });
  progress.end("trained 2 steps");
  assert.deepEqual(out.text.split("\n").slice(0, 2), [
    "epoch 1/3  step 1/100  generator 0.7000  discriminator 1.4000",
    "epoch 1/3  generator 0.7000  discriminator 1.4000  1m 15s",
  ]);
  assert.match(out.text, /trained 2 steps in 0s\n$/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(out.text, /[\x00-\x09\x0b-\x1f]/);
});

Deno.test("progress: durations and bars", () => {
  assert.deepEqual([0, 59.6, 200, 3725, -1].map(duration), [
    "0s",
    "1m 00s",
    "3m 20s",
    "1h 02m",
    "0s",
  ]);
  assert.deepEqual([bar(0, 4), bar(0.5, 4), bar(2, 4)], ["░░░░", "██░░", "████"]);
});

Deno.test("command line: trains on real MNIST, relative paths are the person's", () =>
  inFolder(async (dir) => {
    const first = ["train", ...TINY, "--epochs=7", "--max-steps=3", "--out=runs/a"];
    const run = await dcgan(first, { INIT_CWD: dir });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /data {5}MNIST from .*checksum verified\), 60000 images/);
    assert.match(run.stdout, /epoch 1\/7 {2}generator \d\.\d{4} {2}discriminator \d\.\d{4}/);
    assert.match(run.stdout, /trained 3 steps in/);
    const files = [...Deno.readDirSync(join(dir, "runs/a"))].map((e) => e.name).sort();
    assert.deepEqual(files, [
      "dcgan.gif",
      "image_at_epoch_0001.png",
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
    assert.match(more.stdout, /epoch 1\/7 {2}generator/);
    const longer = await resume("--max-steps=6", "--epochs=9");
    assert.match(longer.stdout, /epoch 1\/9 {2}generator/);
    const folder = await dcgan(["train", "--resume", "runs/a", "--max-steps=6"], { INIT_CWD: dir });
    assert.equal(folder.code, 0, folder.stderr);
    const both = await resume("--force");
    assert.equal(both.code, 2);
    assert.match(both.stderr, /--resume goes on with a run and --force removes it/);
    const other = await resume("--max-steps=7", "--noise-dim=9");
    assert.equal(other.code, 1);
    assert.match(other.stderr, /made with noiseDim 8, this run asks for 9/);
    const record = JSON.parse(await Deno.readTextFile(join(dir, "runs/a/run.json")));
    assert.deepEqual(
      record.sessions.map((s: { fromStep: number; command: string[] }) => [s.fromStep, s.command]),
      [
        [0, first],
        [3, ["train", "--resume", "--out=runs/a", "--max-steps=5"]],
        [5, ["train", "--resume", "--out=runs/a", "--max-steps=6", "--epochs=9"]],
        [6, ["train", "--resume", "runs/a", "--max-steps=6"]],
      ],
    );
  }));

Deno.test("command line: a program reads JSON lines, and --quiet says nothing", () =>
  inFolder(async (dir) => {
    const train = ["train", ...TINY, "--no-calibrate", "--max-steps=2"];
    const json = await dcgan([...train, "--out=a", "--json"], { INIT_CWD: dir });
    assert.equal(json.code, 0, json.stderr);
    const lines = json.stdout.trim().split("\n").map((line) => JSON.parse(line));
    const types = lines.map((line) => line.type).filter((type) => type !== "message");
    assert.deepEqual(types, ["step", "step", "image", "epoch", "end"]);
    const { steps, aborted, gif, checkpoint } = lines.at(-1);
    assert.deepEqual([steps, aborted, gif], [2, false, join(dir, "a", "dcgan.gif")]);
    assert.ok(checkpoint.endsWith("ckpt-0001-step-2.safetensors"));
    const quiet = await dcgan([...train, "--out=b", "--quiet"], { INIT_CWD: dir });
    assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
  }));

Deno.test("command line: training stops with a checkpoint when its reader has gone", () =>
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

Deno.test("command line: output on a full disk is lost, and a reader that has gone stops the run", () => {
  const written: string[] = [];
  let error: Error | undefined;
  let gone = 0;
  const out = untilGone({
    isTerminal: false,
    columns: () => 80,
    write(text) {
      if (error) throw error;
      written.push(text);
    },
  }, () => gone++);
  const withCode = (code: string) => Object.assign(new Error(code), { code });
  out.write("a");
  error = withCode("ENOSPC");
  out.write("b");
  error = undefined;
  out.write("c");
  error = withCode("EBADF");
  assert.throws(() => out.write("d"), error);
  assert.equal(gone, 0);
  error = withCode("EIO"); // The terminal was closed.
  out.write("e");
  out.write("f");
  error = undefined;
  out.write("g");
  assert.deepEqual([gone, written], [1, ["a", "c"]]);
});

Deno.test("command line: help explains every flag; mistakes exit with 2 and a sentence", async () => {
  const help = await dcgan(["train", "--help"]);
  assert.equal(help.code, 0);
  for (
    const flag of ["--preset", "--epochs", "--max-steps", "--seed", "--out", "--data", "--resume"]
  ) {
    assert.ok(help.stdout.includes(flag), flag);
  }
  const typo = await dcgan(["train", "--epoch", "3"]);
  assert.equal(typo.code, 2);
  assert.match(typo.stderr, /there is no --epoch; did you mean --epochs\?/);
  const command = await dcgan(["tran"]);
  assert.equal(command.code, 2);
  assert.match(command.stderr, /there is no command "tran"/);
  const data = await dcgan(["train", "--data", "no/such/folder"]);
  assert.equal(data.code, 1);
  assert.match(data.stderr, /^error: There is no folder .*no\/such\/folder/m);
  const size = await dcgan(["train", "--image-size", "32,32"]);
  assert.equal(size.code, 2);
  assert.match(size.stderr, /--image-size is for PNG files, and --data names no folder of them/);
});

Deno.test("command line: calibrate prints its table, and train uses it", async () => {
  const dir = await Deno.makeTempDir();
  const env = {
    INIT_CWD: dir,
    XDG_CACHE_HOME: join(dir, "cache"),
    LOCALAPPDATA: join(dir, "cache"),
  };
  try {
    const table = await dcgan(["calibrate", "--batch-size=8"], env);
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /^conv2dTranspose 8x7x7x128 .* ms, \d+ GFLOP\/s/m);
    const train = ["train", "--batch-size=8", "--max-steps=1"];
    for (const flags of [["--out=a"], ["--out=b", "--no-calibrate"]]) {
      const run = await dcgan([...train, ...flags], env);
      assert.equal(run.code, 0, run.stderr);
      assert.doesNotMatch(run.stdout, /measuring/);
    }
    const fresh = await dcgan([...train, "--out=c"], {
      ...env,
      XDG_CACHE_HOME: join(dir, "other"),
    });
    if (Deno.build.os === "linux") assert.match(fresh.stdout, /measuring kernels for 3 ops/);
    const small = await dcgan(["calibrate", "--batch-size=1"], env);
    assert.match(small.stdout, /too small for the choice to matter/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
