/**
 * What the code imports from outside.
 *
 * @module
 */

import { dirname, join, normalize } from "node:path";

/** One import. */
export interface Use {
  /** `npm:fast-png@8.0.0`, or whatever stands there. */
  readonly specifier: string;
  /** From the root. */
  readonly file: string;
  readonly line: number;
  /** Its text is computed, so that Deno fetches it only when it is imported. */
  readonly computed: boolean;
}

/** Of imports, exports, dynamic imports with a text, and comments that name types. */
const SPECIFIER =
  /(?:\bfrom\s*|\bimport\s*\(?\s*|@ts-types\s*=\s*|@deno-types\s*=\s*|import\.meta\.resolve\(\s*)(["'])([^"'\n]+)\1/g;

/** A specifier with a constant of the same file in it: `npm:${NAME}/package.json`. */
const COMPUTED = /`npm:\$\{([A-Z][A-Z\d_]*)\}/g;

async function* files(root: string, path: string): AsyncGenerator<string> {
  if ((await Deno.stat(join(root, path))).isFile) return yield path;
  for await (const { name, isDirectory } of Deno.readDir(join(root, path))) {
    if (isDirectory) yield* files(root, `${path}/${name}`);
    else if (/\.m?[jt]sx?$/.test(name)) yield `${path}/${name}`;
  }
}

function specifiers(text: string): [specifier: string, at: number, computed: boolean][] {
  const found: [string, number, boolean][] = [];
  // Examples in documentation are text, but @ts-types is a comment that counts.
  const code = text.replaceAll(/\/\*\*.*?\*\//gs, (doc) => doc.replaceAll(/[^\n]/g, " "));
  for (const match of code.matchAll(SPECIFIER)) found.push([match[2], match.index, false]);
  for (const match of code.matchAll(COMPUTED)) {
    const value = new RegExp(`const ${match[1]} = "([^"]+)"`).exec(code)?.[1];
    found.push([`npm:${value ?? match[1]}`, match.index, true]);
  }
  return found;
}

/** Imports from outside, of the files and folders `roots` and of all that they import. */
export async function usesOf(root: string, roots: readonly string[]): Promise<Use[]> {
  const queue: string[] = [];
  for (const path of roots) for await (const file of files(root, path)) queue.push(file);
  const seen = new Set(queue);
  const uses: Use[] = [];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    const text = await Deno.readTextFile(join(root, file));
    for (const [specifier, at, computed] of specifiers(text)) {
      if (/^\.\.?\//.test(specifier)) {
        const path = normalize(join(dirname(file), specifier)).replaceAll("\\", "/");
        if (!path.endsWith(".ts") || seen.has(path)) continue;
        seen.add(path);
        // A module that is not there is not this audit's to report: the checks do.
        if (await Deno.stat(join(root, path)).then(({ isFile }) => isFile, () => false)) {
          queue.push(path);
        }
      } else if (/^[a-z]+:/.test(specifier) && !/^(node|data|blob|file):/.test(specifier)) {
        uses.push({ specifier, file, line: text.slice(0, at).split("\n").length, computed });
      }
    }
  }
  return uses;
}
