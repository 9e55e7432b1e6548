import assert from "node:assert/strict";
import { join } from "node:path";
import { Gpu } from "../../mod.ts";
import { checkpointPath } from "../../src/cli/trained.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("trained: of a run's folder, or of its checkpoints, the newest that can be read", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const [run, folder] = [join(dir, "run"), join(dir, "run/training_checkpoints")];
    const path = await writeCheckpoint(gpu, run);
    for (const named of [run, folder, path]) assert.equal(await checkpointPath(named), path);

    // A newer one that is damaged is reported, and the older one taken.
    const newer = join(folder, "ckpt-0002.safetensors");
    await Deno.writeFile(newer, (await Deno.readFile(path)).subarray(0, 1000));
    const skipped: string[] = [];
    assert.equal(await checkpointPath(run, (error) => skipped.push(error.message)), path);
    assert.match(skipped.join(), /ckpt-0002/);
    await Deno.remove(path);
    await assert.rejects(checkpointPath(run), /holds no checkpoint that can be read \(tried 1\)/);
    await Deno.mkdir(join(dir, "empty"));
    await assert.rejects(checkpointPath(join(dir, "empty")), /empty holds no checkpoint/);
    await assert.rejects(checkpointPath(join(dir, "none")), { name: "CheckpointError" });
  }));
