/**
 * Packages fetched anew, to compare with what is installed.
 *
 * @module
 */

import { join } from "node:path";
import { direct, filesOf, type Lock } from "./locks.ts";

/** A cache of Deno's own with nothing but a lock file's packages. */
export interface Fresh {
  /** To be removed. */
  readonly folder: string;
  /** `npm/<registry>` in it. */
  readonly cache: string;
}

/** Deno fetches into an empty cache, and compares each archive with the lock file's hash. */
export async function fetchAnew(lock: Lock, root: string): Promise<Fresh | string> {
  const folder = await Deno.makeTempDir({ prefix: "dcgan-audit-" });
  const entry = join(folder, "entry.ts");
  const lines = direct(lock).map(([specifier]) => `import ${JSON.stringify(specifier)};`);
  await Deno.writeTextFile(entry, lines.join("\n"));
  const { success, stderr } = await new Deno.Command("deno", {
    args: ["cache", "--quiet", "--no-config", `--lock=${join(root, lock.file)}`, "--frozen", entry],
    env: { DENO_DIR: join(folder, "cache"), NO_COLOR: "1" },
  }).output();
  if (!success) {
    await Deno.remove(folder, { recursive: true });
    return `Deno cannot fetch what it locks: ${new TextDecoder().decode(stderr).trim()}`;
  }
  const npm = join(folder, "cache", "npm");
  for await (const { name, isDirectory } of Deno.readDir(npm)) {
    if (isDirectory) return { folder, cache: join(npm, name) };
  }
  return { folder, cache: npm }; // nothing was locked
}

/** Files that are not the same in two folders of one package. */
export async function differences(
  installed: string,
  fresh: string,
): Promise<{ compared: number; problems: string[] }> {
  const list = async (dir: string) => {
    try {
      return new Set(await Array.fromAsync(filesOf(dir)));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  };
  const [ours, theirs] = [await list(installed), await list(fresh)];
  // One that is not installed here, or that Deno did not need on this system.
  if (!ours || !theirs) return { compared: 0, problems: [] };
  const problems: string[] = [];
  for (const path of ours.union(theirs)) {
    if (!ours.has(path)) problems.push(`${path} is missing in ${installed}`);
    else if (!theirs.has(path)) problems.push(`${join(installed, path)} is not in its archive`);
    else {
      const [a, b] = await Promise.all(
        [installed, fresh].map((dir) => Deno.readFile(join(dir, path))),
      );
      if (a.length !== b.length || a.some((byte, i) => byte !== b[i])) {
        problems.push(`${join(installed, path)} differs from the one in its archive`);
      }
    }
  }
  return { compared: ours.union(theirs).size, problems };
}
