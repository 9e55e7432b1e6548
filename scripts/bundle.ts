/**
 * Bundles a program that uses this library, for browsers or Node. What it loads with `import()`, such
 * as all that needs a file system, goes into files of its own, which are fetched when they are used.
 *
 *   deno run --allow-all scripts/bundle.ts ENTRY.ts FOLDER [OPTIONS]
 *
 * OPTIONS are esbuild's, as JSON: https://esbuild.github.io/api/
 *
 * @module
 */

import { build, type BuildOptions, type Plugin } from "npm:esbuild@0.28.2";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** It has the packages of the library, and of the tests. */
const LOCK = fileURLToPath(new URL("../tests/deno.lock", import.meta.url));

/** To others than Deno, `npm:name@1.2.3/path` is `name/path`. */
const npm: Plugin = {
  name: "npm",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^npm:/ }, ({ path, kind, resolveDir }) => {
      return resolve(path.replace(/^npm:(@?[^@]+)@[^/]+/, "$1"), { kind, resolveDir });
    });
  },
};

/** Some browsers have no `Symbol.dispose`; what `using` becomes below takes the same in its place. */
const SYMBOLS = `for (const name of ["dispose", "asyncDispose"]) {
  Symbol[name] ??= Symbol.for("Symbol." + name);
}`;

/** Bundles `entry` into `folder`, whose `node_modules` Deno fills with the locked packages. */
export async function bundle(entry: string, folder: string, options: BuildOptions): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/deno.json`, "{}");
  const install = "cache --quiet --config=deno.json --node-modules-dir=auto --frozen".split(" ");
  const { success } = await new Deno.Command("deno", {
    args: [...install, `--lock=${LOCK}`, resolve(entry)],
    cwd: folder,
  }).spawn().status;
  if (!success) throw new Error(`Cannot bundle ${entry}: Deno could not install its packages`);
  await build({
    entryPoints: [entry],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022", // `using` is newer
    banner: { js: SYMBOLS },
    loader: { ".wgsl": "text" },
    nodePaths: [`${folder}/node_modules`],
    plugins: [npm],
    ...options,
    external: ["node:*", ...options.external ?? []],
  });
}

if (import.meta.main) {
  const [entry, folder, options = "{}"] = Deno.args;
  await bundle(entry, folder, JSON.parse(options));
}
