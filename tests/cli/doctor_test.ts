import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePNG } from "../../mod.ts";
import {
  type Check,
  checkBackend,
  checkData,
  checkDeno,
  checkFolder,
  checkLimits,
  describeCheck,
} from "../../src/cli/doctor.ts";
import { dcgan } from "../support/dcgan.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("doctor: versions, backends and limits", () => {
  for (const version of ["2.8.0", "2.10.1", "3.0.0"]) assert.equal(checkDeno(version).status, "ok");
  for (const version of ["2.7.9", "1.46.0"]) assert.equal(checkDeno(version).status, "fail");
  assert.equal(checkBackend("vulkan").status, "ok");
  assert.equal(checkBackend(undefined).status, "ok");
  const gl = checkBackend(undefined, true);
  assert.equal(gl.status, "warn");
  assert.match(gl.advice!, /DENO_WEBGPU_BACKEND=vulkan/);
  const [small, enough] = checkLimits(
    { maxBufferSize: 2e9, maxTextureDimension2D: 8192 },
    { maxBufferSize: 1e9, maxTextureDimension2D: 8192 },
  );
  assert.equal(small.status, "fail");
  assert.equal(small.found, "1000 MB, needed 2000 MB");
  assert.match(small.advice!, /smaller --batch-size/);
  assert.equal(enough.status, "ok");
  assert.equal(checkLimits({ unknown: 1 }, {})[0].status, "warn");
  const check: Check = { name: "x", status: "fail", found: "a\nb", advice: "c" };
  assert.equal(describeCheck(check, (_, text) => text), "fail  x: a\n      b\n      c");
});

Deno.test("doctor: folders and data", () =>
  inFolder(async (dir) => {
    assert.match((await checkFolder(join(dir, "a", "b"))).found, new RegExp(`^${dir} can be`));
    await Deno.writeTextFile(join(dir, "file"), "");
    const below = await checkFolder(join(dir, "file", "out"));
    assert.equal(below.status, "fail");
    assert.match(below.advice!, /--out/);
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["file"]);
    const data = await checkData({ data: dir });
    assert.equal(data.status, "fail");
    assert.match(data.found, /has neither MNIST's IDX files .* nor PNG files: it holds file$/);
    const images = join(dir, "images");
    await Deno.mkdir(images);
    for (const [name, size] of [["a", 4], ["b", 8]] as const) {
      const image = { width: size, height: size, channels: 1, data: new Uint8Array(size * size) };
      await Deno.writeFile(join(images, `${name}.png`), encodePNG(image));
    }
    const found = await checkData({ data: images, imageSize: [8, 8] });
    assert.deepEqual([found.status, found.found], ["ok", `${images}, 2 images of 8 x 8 x 1`]);
    assert.equal((await checkData({ data: images })).status, "fail"); // Nor would it train.
  }));

Deno.test("doctor: passes here, and without an adapter fails with what to install", () =>
  inFolder(async (dir) => {
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
    const none = await dcgan(["doctor", "--quiet"], {
      INIT_CWD: dir,
      DENO_WEBGPU_BACKEND: backend,
    });
    assert.equal(none.code, 1);
    assert.match(none.stdout, /^fail {2}adapter: No WebGPU adapter was found/m);
    assert.match(none.stdout, /mesa-vulkan-drivers/);
    assert.ok(none.stdout.includes(`DENO_WEBGPU_BACKEND=${backend}`));
  }));
