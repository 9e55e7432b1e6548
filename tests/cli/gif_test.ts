import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { writeImages } from "../support/checkpoint.ts";
import { dcgan } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";
import { framesOf } from "../support/gif.ts";

Deno.test("gif: the tutorial's schedule, or all, of steps or epochs", () =>
  inFolder(async (dir) => {
    const run = (...args: string[]) => dcgan(["gif", "out", ...args], { INIT_CWD: dir });
    const out = join(dir, "out");
    await writeImages(
      out,
      Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`epoch_000${n}`, 10 * n])),
    );
    const usual = await run("--quiet");
    assert.equal(usual.code, 0, usual.stderr);
    const path = join(out, "dcgan.gif");
    assert.equal(usual.stdout, `${path}\n`);
    assert.deepEqual(await framesOf(path), [10, 20, 30, 50, 60].map((g) => [g, 20]));
    await writeImages(out, { step_000050: 200, step_000100: 210 });
    const all = await run("--all", "--delay=50", "--out=a.gif", "--json");
    assert.deepEqual(JSON.parse(all.stdout), {
      out: join(dir, "a.gif"),
      frames: 3,
      images: 3,
      delay: 50,
    });
    assert.deepEqual(await framesOf(join(dir, "a.gif")), [[200, 5], [210, 5], [60, 5]]);
    const chosen = await run("--all", "--epochs", "--out=e.gif");
    assert.equal(chosen.code, 0, chosen.stderr);
    assert.equal((await framesOf(join(dir, "e.gif"))).length, 6);

    await Deno.writeFile(
      join(out, "image_at_epoch_0006.png"),
      encodePNG({ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }),
    );
    const mixed = await run("--epochs");
    assert.equal(mixed.code, 1);
    assert.match(mixed.stderr, /epoch_0001\.png is 6 x 4 .*epoch_0006\.png is 1 x 1/);
    for (const args of [["--steps", "--epochs"], ["--delay=655351"], ["--out=a.png"]]) {
      assert.equal((await run(...args)).code, 2, args.join(" "));
    }
  }));
