import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import { type Check, checkBackend, checkData, checkDeno } from "../../src/cli/doctor.ts";
import { checkFolder, checkLimits, describeCheck } from "../../src/cli/doctor.ts";
import { dcgan } from "../support/dcgan.ts";
import { put, withFiles } from "../support/folder.ts";

/** A check as a person reads it. */
const said = (check: Check) => describeCheck(check, (_, text) => text);

Deno.test("doctor: versions, backends and limits", () => {
  for (const version of ["2.8.0", "2.10.1", "3.0.0"]) assert.match(said(checkDeno(version)), /^ok/);
  for (const version of ["2.7.9", "1.46.0"]) assert.match(said(checkDeno(version)), /^fail/);
  for (const name of ["vulkan", undefined]) assert.match(said(checkBackend(name)), /^ok/);
  assert.match(said(checkBackend(undefined, true)), /^warn[^]*DENO_WEBGPU_BACKEND=vulkan/);
  const needed = { maxBufferSize: 2e9, maxTextureDimension2D: 8192, unknown: 1 };
  const limits = checkLimits(needed, { maxBufferSize: 1e9, maxTextureDimension2D: 8192 });
  assert.deepEqual(limits.map(({ status }) => status), ["fail", "ok", "warn"]);
  assert.match(said(limits[0]), /: 1000 MB, needed 2000 MB\n[^]*smaller --batch-size/);
  const check: Check = { name: "x", status: "fail", found: "a\nb", advice: "c" };
  assert.equal(said(check), "fail  x: a\n      b\n      c");
});

Deno.test("doctor: folders and data", () =>
  withFiles({ "data/file": "" }, async (dir) => {
    const above = await checkFolder(join(dir, "a", "b"));
    assert.equal(above.found, `${dir} can be written to`);
    const data = join(dir, "data");
    assert.match(said(await checkFolder(join(data, "file", "out"))), /^fail[^]*\n.*--out/);
    for (const [folder, name] of [[dir, "data"], [data, "file"]]) {
      assert.deepEqual([...Deno.readDirSync(folder)].map((entry) => entry.name), [name]);
    }
    const neither =
      /^fail .* has neither MNIST's IDX files .* nor PNG, JPEG or WebP files: it holds file$/m;
    assert.match(said(await checkData({ data })), neither);
    const png = (side: number) =>
      encodePNG({ width: side, height: side, channels: 1, data: new Uint8Array(side * side) });
    await put(dir, { "images/a.png": png(4), "images/b.png": png(8) });
    const images = join(dir, "images");
    const fitted = said(await checkData({ data: images, imageSize: [8, 8] }));
    assert.equal(fitted, `ok    data: ${images}, 2 images of 8 x 8 x 1`);
    assert.match(said(await checkData({ data: images })), /^fail/); // Nor would it train.
  }));

Deno.test("doctor: passes here, and without an adapter fails with what to install", () =>
  withFiles({}, async (dir) => {
    const well = await dcgan(["doctor", "--batch-size=8", "--json"], { INIT_CWD: dir });
    assert.equal(well.code, 0, well.stdout + well.stderr);
    const { ok, checks } = JSON.parse(well.stdout);
    assert.equal(ok, true);
    const named = (name: string): Check => checks.find((check: Check) => check.name === name);
    for (const name of ["maxBufferSize", "kernels tiled", "step of 8", "memory", "folder"]) {
      assert.equal(named(name)?.status, "ok", name);
    }
    // The data set is the largest buffer of so small a step.
    assert.match(named("maxBufferSize").found, /needed 47 MB/);

    const backend = Deno.build.os === "windows" ? "metal" : "dx12";
    const env = { INIT_CWD: dir, DENO_WEBGPU_BACKEND: backend };
    const none = await dcgan(["doctor", "--quiet"], env);
    assert.equal(none.code, 1);
    assert.match(none.stdout, /^fail {2}adapter: No WebGPU adapter was found/m);
    assert.match(none.stdout, /mesa-vulkan-drivers/);
    assert.ok(none.stdout.includes(`DENO_WEBGPU_BACKEND=${backend}`));
  }));
