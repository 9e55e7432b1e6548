/** The library in Node, where npm's `webgpu` gives adapters. */

import { Gpu } from "../../mod.ts";
import { skip, SWIFTSHADER } from "../support/browser/runtime.ts";
import { type ProgramName, runAll } from "../support/browser/programs.ts";
import { assertSame } from "../support/browser/same.ts";
import { inFolder } from "../support/folder.ts";
import { output } from "../support/process.ts";

/** npm has Node itself, in packages without an install script. */
const NODE = `node-linux-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;

const BUNDLE = "run --allow-all --lock=tests/deno.lock --frozen scripts/bundle.ts".split(" ");
const OPTIONS = { platform: "node", external: ["webgpu"], outExtension: { ".js": ".mjs" } };

async function hasNpx(): Promise<boolean> {
  try {
    return (await new Deno.Command("npx", { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

Deno.test("Node: programs give Deno's numbers", (t) =>
  inFolder(async (folder) => {
    if (Deno.build.os !== "linux" || !await hasNpx()) {
      return skip("Node is missing: it is fetched with npx, and for Linux");
    }
    await output([...BUNDLE, "tests/support/browser/node.ts", folder, JSON.stringify(OPTIONS)]);
    using gpu = await Gpu.request();
    const expected = await runAll(gpu);
    for (const version of ["22.23.0", "24.21.0"]) {
      await t.step(version, async () => {
        const text = await output(
          ["--yes", `--package=${NODE}@${version}`, "node", "node.mjs"],
          { program: "npx", cwd: folder, env: { VK_ICD_FILENAMES: SWIFTSHADER } },
        );
        const actual = JSON.parse(text);
        if (typeof actual === "string") return skip(actual);
        for (const name of Object.keys(expected) as ProgramName[]) {
          assertSame(name, actual[name], expected[name]);
        }
      });
    }
  }));
