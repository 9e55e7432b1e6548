import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { writeImages } from "../support/checkpoint.ts";
import { assertFail, printed } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";
import { framesOf } from "../support/gif.ts";

Deno.test("gif: the tutorial's schedule, or all, of steps or epochs", () =>
  inFolder(async (dir) => {
    const out = join(dir, "out");
    await writeImages(
      out,
      Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`epoch_000${n}`, 10 * n])),
    );
    const path = join(out, "dcgan.gif");
    assert.equal(await printed(dir, "gif out --quiet"), `${path}\n`);
    assert.deepEqual(await framesOf(path), [10, 20, 30, 50, 60].map((g) => [g, 20]));
    await writeImages(out, { step_000050: 200, step_000100: 210 });
    const all = await printed(dir, "gif out --all --delay=50 --out=a.gif --json");
    assert.deepEqual(JSON.parse(all), {
      out: join(dir, "a.gif"),
      frames: 3,
      images: 3,
      delay: 50,
    });
    assert.deepEqual(await framesOf(join(dir, "a.gif")), [[200, 5], [210, 5], [60, 5]]);
    await printed(dir, "gif out --all --epochs --out=e.gif");
    assert.equal((await framesOf(join(dir, "e.gif"))).length, 6);

    await Deno.writeFile(
      join(out, "image_at_epoch_0006.png"),
      encodePNG({ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }),
    );
    await assertFail(
      dir,
      [1, /epoch_0001\.png is 6 x 4 .*epoch_0006\.png is 1 x 1/, "gif out --epochs"],
      [2, /--steps and --epochs exclude each other/, "gif out --steps --epochs"],
      [2, /It must be a whole number from 0 to 655350/, "gif out --delay=655351"],
      [2, /It must be a name that ends in \.gif/, "gif out --out=a.png"],
    );
  }));
