/** The files of a checkout. */

import { join } from "node:path";

/** Paths from the root of all files below a folder; without what Git, npm and runs keep there. */
export async function* filesIn(root: string, below = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(root, below))) {
    if (/^(?:\.git|node_modules|out.*)$/.test(name)) continue;
    if (isDirectory) yield* filesIn(root, `${below}${name}/`);
    else yield below + name;
  }
}

/** The library's modules by their paths from the root. */
export async function modulesOf(root: string): Promise<Map<string, string>> {
  const paths = (await Array.fromAsync(filesIn(root, "src/"))).filter((path) => /\.ts$/.test(path));
  const read = async (path: string) => [path, await Deno.readTextFile(join(root, path))] as const;
  return new Map(await Promise.all(paths.sort().map(read)));
}
