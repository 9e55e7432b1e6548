import assert from "node:assert/strict";
import { assertFail, dcgan } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("main: help, versions, and commands that do not exist", () =>
  inFolder(async (dir) => {
    const run = (...args: string[]) => dcgan(args, { INIT_CWD: dir });
    const help = await run("help");
    assert.equal(help.code, 0);
    for (const text of ["sample ", "doctor ", "Exit codes", "NO_COLOR", "130"]) {
      assert.ok(help.stdout.includes(text), text);
    }
    for (const args of [["--help"], ["help", "help"]]) assert.deepEqual(await run(...args), help);
    assert.deepEqual(await run(), { code: 2, stdout: "", stderr: help.stdout });
    const about = await run("help", "gif");
    assert.match(about.stdout, /Usage: deno task dcgan gif \[options\] <DIR>[^]*Examples:/);
    assert.deepEqual(await run("gif", "--help"), about);
    assert.match((await run("--version")).stdout, /^\d+\.\d+\.\d+\n$/);
    for (const args of [["sampel"], ["help", "sampel"]]) {
      assert.deepEqual(await run(...args), {
        code: 2,
        stdout: "",
        stderr: "unknown command 'sampel' (Did you mean sample?)\n" +
          "See `deno task dcgan --help`.\n",
      });
    }
    const typo = await run("train", "--epoch", "3");
    assert.deepEqual(typo, {
      code: 2,
      stdout: "",
      stderr: "unknown option '--epoch' (Did you mean --epochs?)\n" +
        "See `deno task dcgan train --help`.\n",
    });
    await assertFail(dir, [
      1,
      /^error: There is no .*nothing: give a checkpoint/,
      "sample nothing",
    ]);
  }));

Deno.test("main: an empty argument does not mean the current folder", () =>
  inFolder(async (dir) => {
    const commands = [
      ...["train --out ", "train --data=", "sample ", "export out --to ", "export out --to="],
      ...["interpolate out --out ", "gif "],
    ];
    const message = /(argument|value) '' is invalid.* It must not be empty/;
    await assertFail(dir, ...commands.map((command) => [2, message, command] as const));
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));
