/**
 * Stages the package for JSR, whose server refuses text imports: each `.wgsl` file becomes a module
 * that exports its text, and imports are rewritten to match. Nothing else changes.
 *
 *   deno run --allow-read --allow-write scripts/stage.ts DIR && (cd DIR && deno publish)
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { filesIn } from "./files.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Files of the package beside `src`. */
const FILES = ["mod.ts", "deno.json", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

const TEXT_IMPORT = /from "([^"]+\.wgsl)" with \{ type: "text" \}/g;

/** Writes the package into `target`, which must not exist or be empty. */
export async function stage(target: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  for (const _entry of Deno.readDirSync(target)) {
    throw new Error(`Cannot stage into ${target}: it is not empty`);
  }
  for (const file of FILES) await Deno.copyFile(join(ROOT, file), join(target, file));
  for await (const path of filesIn(ROOT, "src/")) {
    const text = await Deno.readTextFile(join(ROOT, path));
    const [name, module] = path.endsWith(".wgsl")
      ? [`${path}.ts`, `export default ${JSON.stringify(text)} as string;\n`]
      : [path, text.replaceAll(TEXT_IMPORT, 'from "$1.ts"')];
    await Deno.mkdir(dirname(join(target, name)), { recursive: true });
    await Deno.writeTextFile(join(target, name), module);
  }
}

if (import.meta.main) {
  const [target] = Deno.args;
  if (!target) {
    console.error("usage: deno run --allow-read --allow-write scripts/stage.ts DIR");
    Deno.exit(2);
  }
  await stage(target);
  console.log(`staged in ${target}; publish with: (cd ${target} && deno publish)`);
}
