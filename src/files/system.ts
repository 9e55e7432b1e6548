/**
 * The file system under the files of a run: Deno's, Node's, or a folder that a browser gave.
 *
 * Deno's own functions are the interface, so that in Deno nothing lies between. A path that begins
 * with a folder of {@linkcode mount} leads into a browser's folder; any other path to the disk.
 *
 * @module
 */

import type { FileSystem } from "./file_system.ts";
import { mounted } from "./handles.ts";

const NO_DISK =
  "This runtime has no file system: give a FileSystemDirectoryHandle as the folder, " +
  "and a URL, a Blob or bytes as a file";

/** The system of a path. */
async function of(path: string): Promise<FileSystem> {
  const folder = mounted(path);
  if (folder) return folder;
  if ("Deno" in globalThis) return Deno;
  if ("process" in globalThis) return (await import("./node.ts")).NODE;
  throw new TypeError(NO_DISK);
}

/** The system under the files of this library; both paths of a `rename` are of the same one. */
export const system: FileSystem = {
  open: async (path, options) => await (await of(path)).open(path, options),
  readFile: async (path) => await (await of(String(path))).readFile(path),
  stat: async (path) => await (await of(path)).stat(path),
  lstat: async (path) => await (await of(path)).lstat(path),
  mkdir: async (path, options) => await (await of(path)).mkdir(path, options),
  async *readDir(path) {
    yield* (await of(path)).readDir(path);
  },
  rename: async (from, to) => await (await of(from)).rename(from, to),
  remove: async (path) => await (await of(path)).remove(path),
};

/** What is known of the process, for records and locks. */
interface Runtime {
  readonly pid?: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly os: string;
  readonly arch: string;
}

/** Of the process; in a browser little. */
export const runtime: Runtime = "Deno" in globalThis
  ? { pid: Deno.pid, versions: { ...Deno.version }, os: Deno.build.os, arch: Deno.build.arch }
  : ofNode() ?? { versions: {}, os: "browser", arch: "unknown" };

function ofNode(): Runtime | undefined {
  const { process } = globalThis as { process?: typeof import("node:process") };
  if (!process) return undefined;
  const { pid, platform, arch, versions: { node, v8 } } = process;
  return { pid, versions: { node, v8 }, os: platform === "win32" ? "windows" : platform, arch };
}

/** The value of an environment variable; undefined in a browser. */
export function env(name: string): string | undefined {
  if ("Deno" in globalThis) return Deno.env.get(name);
  return (globalThis as { process?: typeof import("node:process") }).process?.env[name];
}
