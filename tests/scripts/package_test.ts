import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { filesIn } from "../../scripts/files.ts";
import { stage } from "../../scripts/stage.ts";
import { inFolder } from "../support/folder.ts";
import { output, ROOT } from "../support/process.ts";

/** Runs a program from another folder and without a configuration; it uses modules below `root`. */
async function run(cwd: string, root: string, program: (url: string) => string, file: string) {
  const url = JSON.stringify(pathToFileURL(join(root, file)));
  await Deno.writeTextFile(join(cwd, "program.ts"), program(url));
  return await output(["run", "--quiet", "--no-prompt", "--no-config", "program.ts"], { cwd });
}

const product = (mod: string) => `
  import { Gpu, ops } from ${mod};
  using gpu = await Gpu.request();
  const program = gpu.compile({ x: [2, 2] }, ({ x }) => ({ y: ops.matmul(x, x) }));
  program.run({ x: [1, 2, 3, 4] });
  console.log([...(await program.read("y")).y].join(" "));
`;

const summary = (cli: string) => `
  import { main } from ${cli};
  Deno.exitCode = await main(["summary"]);
`;

Deno.test("package: mod.ts works from any folder, without any permission", () =>
  inFolder(async (dir) => {
    assert.equal(await run(dir, ROOT, product, "mod.ts"), "7 10 15 22\n");
  }));

Deno.test("package: what is staged for JSR has no text imports and works the same", () =>
  inFolder(async (dir) => {
    const target = join(dir, "staged");
    await stage(target);
    const gemm = await Deno.readTextFile(join(target, "src/ops/gemm/choose.ts"));
    assert.doesNotMatch(gemm, /type: "text"/);
    assert.equal(await run(dir, target, product, "mod.ts"), "7 10 15 22\n");
    const text = await run(dir, target, summary, "src/cli/main.ts");
    assert.match(text, /^Model: "generator"[^]*Total params: 212865/);
    await assert.rejects(stage(target), /not empty/);
  }));

Deno.test("package: what is staged for JSR has all that its pages link to, and no tasks", () =>
  inFolder(async (dir) => {
    const target = join(dir, "staged");
    await stage(target);
    let links = 0;
    for await (const path of filesIn(target)) {
      if (!path.endsWith(".md")) continue;
      const prose = (await Deno.readTextFile(join(target, path))).replaceAll(/^```.*?^```$/gms, "");
      for (const [, link] of prose.matchAll(/(?:\]\(|(?:src|href)=")(?![a-z]+:|#)([^)"#\s]+)/g)) {
        links++;
        await Deno.stat(join(target, dirname(path), link)).catch(() =>
          assert.fail(`${path} links to ${link}, which is not staged`)
        );
      }
    }
    assert.ok(links > 100, `only ${links} links were found`);
    const settings = JSON.parse(await Deno.readTextFile(join(target, "deno.json")));
    assert.equal(settings.name, "@dcgan/webgpu");
    assert.equal(settings.tasks, undefined);
  }));
