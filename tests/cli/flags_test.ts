import assert from "node:assert/strict";
import { CommanderError, newCommand, newProgram } from "../../src/cli/flags.ts";
import { noteOf, programOf, usageMessage } from "../../src/cli/flags.ts";
import { whole } from "../../src/cli/values.ts";

const HELP = { what: "Does it.", examples: ["gif out"], more: "And more." };

/** Runs one of two commands: what its action was given, why it was refused, or its help. */
function run(line: string): unknown {
  let [got, text]: [unknown, string] = [undefined, ""];
  const program = newProgram().configureOutput({ writeOut: (part) => text += part });
  newCommand(program, "gif", HELP)
    .argument("<FILE>", "what to read")
    .option("--batch-size <N>", "images a step", whole(1))
    .option("--force", "does it")
    .action(() => assert.fail("understood"));
  newCommand(program, "show", HELP)
    .argument("<FILE>", "what to read")
    .argument("[MORE...]", "more of it")
    .option("--batch-size <N>", "images a step", whole(1))
    .option("--resume [FILE]", "goes on")
    .option("--no-calibrate", "does not")
    .action((file, more, flags) => {
      const size: number | undefined = flags.batchSize;
      const resume: string | true | undefined = flags.resume;
      got = [file, more, size, resume, flags.calibrate];
    });
  try {
    program.parse(line.split(" "), { from: "user" });
    return got;
  } catch (error) {
    assert.ok(error instanceof CommanderError, (error as Error).stack);
    return text || usageMessage(error);
  }
}

Deno.test("flags: values come typed, in order with the arguments, and behind --", () => {
  const cases: [string, unknown[]][] = [
    ["a --batch-size 64", ["a", [], 64, undefined, true]],
    ["--batch-size=64 a b c", ["a", ["b", "c"], 64, undefined, true]],
    ["a --resume", ["a", [], undefined, true, true]],
    ["a --resume --no-calibrate", ["a", [], undefined, true, false]],
    ["a --resume b.st", ["a", [], undefined, "b.st", true]],
    ["-- --a", ["--a", [], undefined, undefined, true]],
  ];
  for (const [line, wanted] of cases) assert.deepEqual(run(`show ${line}`), wanted, line);
});

Deno.test("flags: what cannot be understood is named in one line, with what is expected", () => {
  const cases: [string, RegExp][] = [
    ["gif a --batch-size 0", /'--batch-size <N>' argument '0' .* whole number of at lea/],
    ["gif a --batch-size -1", /'--batch-size <N>' argument '-1' is invalid/],
    ["gif a --batch-size", /^option '--batch-size <N>' argument missing$/],
    ["gif a --bach-size 1", /^unknown option '--bach-size' \(Did you mean --batch-size\?/],
    ["gif a --force=yes", /--force=yes/],
    ["gif", /^missing required argument 'FILE'$/],
    ["gif a b", /^too many arguments for 'gif'\. Expected 1 argument but got 2: a, b\.?$/],
    ["gfi", /^unknown command 'gfi' \(Did you mean gif\?\)$/],
    ["upload", /^unknown command 'upload'$/],
    ["--epochs 3", /^unknown option '--epochs'$/],
    // Nor does it hold commands to a terminal.
    ["gif a --batch-size=\u009b2J", /'--batch-size <N>' argument/],
    ["gif a --\u001b[2J", /unknown option/],
    ["gif a b \u0007\n", /too many arguments/],
  ];
  for (const [line, message] of cases) {
    const said = run(line);
    assert.ok(typeof said === "string", line);
    assert.match(said, message);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(said, /[\x00-\x1f\x7f-\x9f]/);
  }
});

Deno.test("flags: the help has flags, permissions, examples and more", () => {
  assert.equal(
    run("gif --help"),
    `Usage: deno task dcgan gif [options] <FILE>

Does it.

Arguments:
  FILE              what to read

Options:
  --batch-size <N>  images a step
  --force           does it
  -h, --help        print this help

Permissions:
  --allow-read
  --allow-write

Examples:
  deno task dcgan gif out

And more.
`,
  );
  // As it was started, as far as a program can know.
  assert.equal(programOf("file:///somewhere/src/cli/flags.ts"), "deno task dcgan");
  const address = "https://jsr.io/@dcgan/webgpu/0.1.0/src/cli/flags.ts";
  assert.equal(programOf(address), "dcgan");
  assert.match(
    noteOf("dcgan"),
    /stands for `deno run .* jsr:@dcgan\/webgpu\/cli`, or for the name/,
  );
  assert.equal(noteOf("deno task dcgan"), "");
});
