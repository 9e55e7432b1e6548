import assert from "node:assert/strict";
import { assertRuns, commands } from "../support/commands.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("main: help, versions, and commands that do not exist", async () => {
  const [help, long, twice, none, about, gif, version, ...unknown] = await commands([
    ...["help", "--help", "help help", "", "help gif", "gif --help", "--version"],
    ...["sampel", "help sampel", "train --epoch 3"],
  ]);
  assert.equal(help.code, 0);
  for (const text of ["sample ", "doctor ", "Exit codes", "NO_COLOR", "130"]) {
    assert.ok(help.stdout.includes(text), text);
  }
  assert.deepEqual([long, twice], [help, help]);
  assert.deepEqual(none, { code: 2, stdout: "", stderr: help.stdout });
  assert.match(about.stdout, /Usage: deno task dcgan gif \[options\] <DIR>[^]*Examples:/);
  assert.deepEqual(gif, about);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const typo = (said: string, command = "") => (
    { code: 2, stdout: "", stderr: `${said}\nSee \`deno task dcgan ${command}--help\`.\n` }
  );
  const sampel = typo("unknown command 'sampel' (Did you mean sample?)");
  const epoch = typo("unknown option '--epoch' (Did you mean --epochs?)", "train ");
  assert.deepEqual(unknown, [sampel, sampel, epoch]);
});

Deno.test("main: an empty argument does not mean the current folder", () =>
  inFolder(async (dir) => {
    const lines = ["train --out ", "train --data=", "sample ", "export out --to ", "gif "];
    lines.push("export out --to=", "interpolate out --out ");
    const empty = /(argument|value) '' is invalid.* It must not be empty/;
    await assertRuns(
      dir,
      [1, "sample nothing", /^error: There is no .*nothing: give a checkpoint/],
      ...lines.map((line) => [2, line, empty] as const),
    );
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));
