import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { stage } from "../../scripts/stage.ts";
import { inFolder } from "../support/folder.ts";
import { output } from "../support/process.ts";

/** Runs a program from another folder and without a configuration. */
async function run(cwd: string, program: string): Promise<string> {
  await Deno.writeTextFile(join(cwd, "program.ts"), program);
  return await output(["run", "--quiet", "--no-prompt", "--no-config", "program.ts"], { cwd });
}

const program = (mod: string) => `
  import { Gpu, ops } from ${JSON.stringify(mod)};
  using gpu = await Gpu.request();
  const program = gpu.compile({ x: [2, 2] }, ({ x }) => ({ y: ops.matmul(x, x) }));
  program.run({ x: [1, 2, 3, 4] });
  console.log([...(await program.read("y")).y].join(" "));
`;

Deno.test("package: mod.ts works from any folder, without any permission", () =>
  inFolder(async (dir) => {
    const mod = new URL("../../mod.ts", import.meta.url).href;
    assert.equal(await run(dir, program(mod)), "7 10 15 22\n");
  }));

Deno.test("package: what is staged for JSR has no text imports and works the same", () =>
  inFolder(async (dir) => {
    const target = join(dir, "staged");
    await stage(target);
    const gemm = await Deno.readTextFile(join(target, "src/ops/gemm/choose.ts"));
    assert.doesNotMatch(gemm, /type: "text"/);
    const mod = pathToFileURL(join(target, "mod.ts")).href;
    assert.equal(await run(dir, program(mod)), "7 10 15 22\n");
    const cli = pathToFileURL(join(target, "src/cli/main.ts")).href;
    const summary = `
      import { main } from ${JSON.stringify(cli)};
      Deno.exitCode = await main(["summary"]);
    `;
    assert.match(await run(dir, summary), /^Model: "generator"[^]*Total params: 212865/);
    await assert.rejects(stage(target), /not empty/);
  }));
