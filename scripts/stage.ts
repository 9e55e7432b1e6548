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

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Files of the package beside `src`. */
const FILES = ["mod.ts", "deno.json", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

const TEXT_IMPORT = /from "([^"]+\.wgsl)" with \{ type: "text" \}/g;

async function* sources(dir: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, dir))) {
    const path = `${dir}/${name}`;
    if (isDirectory) yield* sources(path);
    else yield path;
  }
}

async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
}

/** Writes the package into `target`, which must not exist or be empty. */
export async function stage(target: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  for (const _entry of Deno.readDirSync(target)) {
    throw new Error(`Cannot stage into ${target}: it is not empty`);
  }
  for (const file of FILES) await Deno.copyFile(join(ROOT, file), join(target, file));
  for await (const path of sources("src")) {
    const text = await Deno.readTextFile(join(ROOT, path));
    if (path.endsWith(".wgsl")) {
      await write(
        join(target, `${path}.ts`),
        `export default ${JSON.stringify(text)} as string;\n`,
      );
    } else {
      await write(join(target, path), text.replaceAll(TEXT_IMPORT, 'from "$1.ts"'));
    }
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
