/**
 * Stages the package for JSR, whose server refuses text imports: each `.wgsl` file becomes a module
 * that exports its text, and imports are rewritten to match. With the code come the pages and what
 * they show; of `deno.json` comes what a package needs.
 *
 *   deno run --allow-read --allow-write scripts/stage.ts DIR && (cd DIR && deno publish)
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { filesIn } from "./files.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The license, the pages, and what they lead to. */
const PAGES =
  /^(?:LICENSE|[A-Z]+\.md|(?:docs|examples|src\/kernels)\/.*|scripts\/recorded_graph\.ts)$/;

/** The rest of `deno.json`, tasks among it, is for a checkout. */
const SETTINGS = ["name", "version", "license", "exports", "compilerOptions"] as const;

const TEXT_IMPORT = /from "([^"]+\.wgsl)" with \{ type: "text" \}/g;

/** What packages take of `deno.json`. */
export async function settings(): Promise<Record<typeof SETTINGS[number], unknown>> {
  const all = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  return Object.fromEntries(SETTINGS.map((name) => [name, all[name]])) as ReturnType<
    typeof settings
  >;
}

/** Makes an empty folder, or takes one. */
export async function emptyFolder(target: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  for (const _entry of Deno.readDirSync(target)) {
    throw new Error(`Cannot stage into ${target}: it is not empty`);
  }
}

/** Writes a file, and makes the folders that it is in. */
export async function write(path: string, content: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, content);
}

/**
 * Writes the modules into a folder, as plain TypeScript without text imports.
 *
 * @param shorten what becomes of the text of a kernel; it may take note of it
 * @param rewrite what becomes of a module
 */
export async function stageModules(
  target: string,
  shorten = (wgsl: string, _path: string): string => wgsl,
  rewrite = (module: string): string => module,
): Promise<void> {
  for await (const path of filesIn(ROOT)) {
    if (path !== "mod.ts" && !/^src\/.*\.(?:ts|wgsl)$/.test(path)) continue;
    const text = await Deno.readTextFile(join(ROOT, path));
    const [name, module] = path.endsWith(".wgsl")
      ? [`${path}.ts`, `export default ${JSON.stringify(shorten(text, path))} as string;\n`]
      : [path, text.replaceAll(TEXT_IMPORT, 'from "$1.ts"')];
    await write(join(target, name), rewrite(module));
  }
}

/** Writes the package into `target`, which must not exist or be empty. */
export async function stage(target: string): Promise<void> {
  await emptyFolder(target);
  await stageModules(target);
  await write(join(target, "deno.json"), JSON.stringify(await settings(), null, 2));
  for await (const path of filesIn(ROOT)) {
    if (!PAGES.test(path)) continue;
    await Deno.mkdir(dirname(join(target, path)), { recursive: true });
    await Deno.copyFile(join(ROOT, path), join(target, path));
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
