import assert from "node:assert/strict";
import { join } from "node:path";
import { cachesIn, commands } from "../support/commands.ts";
import { writeDigits } from "../support/digits.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("calibrate: prints its table, and train uses it", () =>
  inFolder(async (dir) => {
    const run = (cache: string, ...lines: string[]) => {
      const env = { INIT_CWD: dir, ...cachesIn(join(dir, cache)) };
      return commands(lines, undefined, { env });
    };
    await writeDigits(join(dir, "digits"));
    const train = "train --data=digits --images=1 --batch-size=4 --max-steps=1";
    const [table, small, ...trained] = await run(
      "cache",
      "calibrate --batch-size=4",
      "calibrate --batch-size=1",
      `${train} --out=a`,
      `${train} --out=b --no-calibrate`,
    );
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /^conv2dTranspose 4x7x7x128 .* ms, \d+ GFLOP\/s/m);
    assert.match(small.stdout, /too small for the choice to matter/);
    for (const { code, stdout, stderr } of trained) {
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout, /measuring/);
    }
    const [fresh] = await run("other", `${train} --out=c`);
    if (Deno.build.os === "linux") assert.match(fresh.stdout, /measuring kernels for 3 ops/);
  }));
