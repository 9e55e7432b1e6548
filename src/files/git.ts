/**
 * Which commit a checkout is at, read from git's own files.
 *
 * @module
 */

import { join, resolve } from "node:path";

/** References may name references; git itself follows no more than five. */
const DEPTH = 5;

/**
 * The commit that is checked out in a folder, as hexadecimal digits. Changes that are not committed
 * do not show. It runs no program and asks for no permission.
 *
 * @param root The folder that holds `.git`.
 * @returns null where there is no checkout, or it may not or cannot be read.
 */
export async function gitRevision(root: string): Promise<string | null> {
  try {
    const dotGit = join(root, ".git");
    // A worktree and a submodule have a file that says where their folder is.
    const pointer = (await isFile(dotGit)) ? await read(dotGit) : undefined;
    const own = pointer?.startsWith("gitdir:")
      ? resolve(root, pointer.slice("gitdir:".length).trim())
      : dotGit;
    // A worktree has its own HEAD, and shares branches with the repository.
    const common = resolve(own, await read(join(own, "commondir")) ?? ".");
    return await follow(own, common, "HEAD");
  } catch {
    return null;
  }
}

async function follow(own: string, common: string, name: string, depth = 0) {
  const text = await read(join(own, name)) ?? await read(join(common, name)) ??
    await packed(common, name);
  if (text === undefined || depth > DEPTH) return null;
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return text;
  const next = /^ref:\s*(refs\/\S+)$/.exec(text)?.[1];
  if (!next || next.split("/").includes("..")) return null;
  return await follow(own, common, next, depth + 1);
}

/** References that git has gathered into one file, a line each: `<commit> <name>`. */
async function packed(common: string, name: string): Promise<string | undefined> {
  const lines = (await read(join(common, "packed-refs")))?.split("\n") ?? [];
  return lines.find((line) => line.endsWith(` ${name}`) && !/^[#^]/.test(line))?.split(" ")[0];
}

/** The text of a file; nothing where there is none, or the program may not look. */
async function read(path: string): Promise<string | undefined> {
  if (!await allowed(path)) return undefined;
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch {
    return undefined;
  }
}

async function isFile(path: string): Promise<boolean> {
  return await allowed(path) && (await Deno.stat(path)).isFile;
}

/** Asked first, since reading without permission would put a question to the user. */
async function allowed(path: string): Promise<boolean> {
  return (await Deno.permissions.query({ name: "read", path })).state === "granted";
}
