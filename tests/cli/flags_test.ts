import assert from "node:assert/strict";
import { type Command, CommanderError, newCommand, newProgram } from "../../src/cli/flags.ts";
import { programOf, usageMessage } from "../../src/cli/flags.ts";
import { whole } from "../../src/cli/values.ts";

/** A program with a command `gif`; a message where its command line is refused, and the help. */
function programWith(add: (command: ReturnType<typeof newCommand>) => Command | object) {
  let help = "";
  const program = newProgram().configureOutput({ writeOut: (text) => help += text });
  add(newCommand(program, "gif", { what: "Does it.", examples: ["gif out"], more: "And more." }));
  const run = (...args: string[]) => {
    try {
      program.parse(args, { from: "user" });
      return "";
    } catch (error) {
      assert.ok(error instanceof CommanderError, (error as Error).stack);
      return usageMessage(error);
    }
  };
  return { run, help: () => help };
}

Deno.test("flags: values come typed, in order with the arguments, and behind --", () => {
  let got: unknown;
  const { run } = programWith((gif) =>
    gif
      .argument("<FILE>", "what to read")
      .argument("[MORE...]", "more of it")
      .option("--batch-size <N>", "images a step", whole(1))
      .option("--resume [FILE]", "goes on")
      .option("--no-calibrate", "does not")
      .action((file, more, flags) => {
        const size: number | undefined = flags.batchSize;
        const resume: string | true | undefined = flags.resume;
        got = [file, more, size, resume, flags.calibrate];
      })
  );
  const cases: [string, unknown[]][] = [
    ["a --batch-size 64", ["a", [], 64, undefined, true]],
    ["--batch-size=64 a b c", ["a", ["b", "c"], 64, undefined, true]],
    ["a --resume", ["a", [], undefined, true, true]],
    ["a --resume --no-calibrate", ["a", [], undefined, true, false]],
    ["a --resume b.st", ["a", [], undefined, "b.st", true]],
    ["-- --a", ["--a", [], undefined, undefined, true]],
  ];
  for (const [line, wanted] of cases) {
    assert.equal(run("gif", ...line.split(" ")), "");
    assert.deepEqual(got, wanted, line);
  }
});

Deno.test("flags: what cannot be understood is named, with what is expected", () => {
  const { run } = programWith((gif) =>
    gif
      .argument("<FILE>", "what to read")
      .option("--batch-size <N>", "images a step", whole(1))
      .option("--force", "does it")
      .action(() => assert.fail("understood"))
  );
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
  ];
  for (const [line, message] of cases) assert.match(run(...line.split(" ")), message);
});

Deno.test("flags: a message is one line without commands to a terminal", () => {
  const { run } = programWith((gif) =>
    gif.option("--seed <N>", "a number", whole(0)).action(() => {})
  );
  for (const args of [["--seed", "-x"], ["--seed=\u009b2J"], ["--\u001b[2J"], ["\u0007\n"]]) {
    const message = run("gif", ...args);
    assert.notEqual(message, "");
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(message, /[\x00-\x1f\x7f-\x9f]/);
  }
});

Deno.test("flags: the help has flags, permissions, examples and more", () => {
  const { run, help } = programWith((gif) =>
    gif.argument("<DIR>", "a folder").option("--delay <MS>", "milliseconds").action(() => {})
  );
  run("gif", "--help");
  assert.equal(
    help(),
    `Usage: deno task dcgan gif [options] <DIR>

Does it.

Arguments:
  DIR           a folder

Options:
  --delay <MS>  milliseconds
  -h, --help    print this help

Permissions:
  --allow-read
  --allow-write

Examples:
  deno task dcgan gif out

And more.
`,
  );
});

Deno.test("flags: the help names the program as it was started", () => {
  assert.equal(programOf("file:///somewhere/src/cli/flags.ts"), "deno task dcgan");
  const address = "https://jsr.io/@dcgan/webgpu/0.1.0/src/cli/flags.ts";
  assert.equal(programOf(address), "deno run jsr:@dcgan/webgpu/cli");
});
