import assert from "node:assert/strict";
import { join } from "node:path";
import { dcgan } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("calibrate: prints its table, and train uses it", () =>
  inFolder(async (dir) => {
    const cache = (name: string) => ({
      INIT_CWD: dir,
      XDG_CACHE_HOME: join(dir, name),
      LOCALAPPDATA: join(dir, name),
    });
    const table = await dcgan(["calibrate", "--batch-size=8"], cache("cache"));
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /^conv2dTranspose 8x7x7x128 .* ms, \d+ GFLOP\/s/m);
    const train = ["train", "--batch-size=8", "--max-steps=1"];
    for (const flags of [["--out=a"], ["--out=b", "--no-calibrate"]]) {
      const run = await dcgan([...train, ...flags], cache("cache"));
      assert.equal(run.code, 0, run.stderr);
      assert.doesNotMatch(run.stdout, /measuring/);
    }
    const fresh = await dcgan([...train, "--out=c"], cache("other"));
    if (Deno.build.os === "linux") assert.match(fresh.stdout, /measuring kernels for 3 ops/);
    const small = await dcgan(["calibrate", "--batch-size=1"], cache("cache"));
    assert.match(small.stdout, /too small for the choice to matter/);
  }));
