/**
 * Makes the npm package in a folder, from the same sources as all else.
 *
 *   deno task npm DIR && (cd DIR && npm publish)
 *
 * It is TypeScript's own output: each file becomes an ES module and a declaration, so that whoever
 * bundles them leaves out what is not used, and who does not bundle loads what is used. A bundler
 * (esbuild) would make one file and no declarations. dnt would add a folder of CommonJS and stand-ins
 * for Deno, which this library does not need: only `src/files/` knows about runtimes, and it takes
 * what is there. The command line is Deno's and stays out.
 *
 * @module
 */

import { basename, dirname, join, relative } from "node:path";
import ts from "npm:typescript@6.0.3";
import { pathToFileURL } from "node:url";
import { decodeBase64 } from "../src/formats/base64.ts";
import { emptyFolder, ROOT, settings, stageModules, write } from "./stage.ts";

/** `npm:name@1.2.3/path` */
const SPECIFIER = /"npm:((?:@[^/"]+\/)?[^@/"]+)@([^/"]+)([^"]*)"/g;

/** The package that a module imports. */
const PACKAGE = /\bfrom "((?:@[^/"]+\/)?[^@./"][^/"]*)[^"]*"/g;

/**
 * A kernel without comments and most spaces, such that the library still reads from it what it needs:
 * lines such as `case 5 { … } // exp` name the instructions, and a space follows `var<workgroup>`.
 */
function shortened(wgsl: string): string {
  return wgsl
    .replaceAll(
      /^(?!\s*case \d).*$/gm,
      (line) => line.replace(/\/\/.*$/, "").replaceAll(/ *([=+*/{}(),;:|?]) */g, "$1"),
    )
    .replaceAll(/^\s+|[ \t]+$/gm, "");
}

/** A package that is imported when it is needed. */
const ON_DEMAND = /\b[A-Z]+_PACKAGE = "(@?[^@"]+)@([^"]+)"/g;

/** TypeScript's helpers of `using`, which it repeats in each file that needs them. */
const HELPER = /^var (__\w+) = \(this && this\.\1\) \|\| ([^]*?^\}\)?;\n)/gm;
/** The module that has them once. */
const HELPERS = "src/using.js";

/** An import of a classifier's bytes, in place of which the package has a file to be fetched. */
const CLASSIFIER_IMPORT = /import\("(\.\/classifiers\/[\w-]+)\.ts"\)\.then\(decoded\)/g;

/** An import of a kernel's text. */
const KERNEL_IMPORT = /import (\w+) from "(.*\/kernels\/)(\w+)\.wgsl\.ts"/g;

/**
 * Puts something in the place of `Symbol.dispose` where a browser has none: what esbuild's and Vite's
 * form of `using` takes there, too. Nothing global changes, so `sideEffects: false` is true.
 */
function withSymbols(js: string): string {
  return js.replaceAll(
    /(?<!")\bSymbol\.(dispose|asyncDispose)\b/g,
    '(Symbol.$1 ?? Symbol.for("$&"))',
  );
}

/** A declaration that says where `Disposable` is declared: not in ES2024. */
function withLibrary(declaration: string): string {
  if (!/\bSymbol\.(?:d|asyncD)ispose\b|\b(?:Async)?Disposable\b/.test(declaration)) {
    return declaration;
  }
  return `/// <reference lib="esnext.disposable" />\n${declaration}`;
}

/**
 * Compiles the modules that `mod.ts` leads to; the text of each file by its path. Deno has checked all
 * types. Those of other packages and runtimes are missing here, and no public type needs them.
 */
function compile(folder: string): Map<string, string> {
  const program = ts.createProgram([join(folder, "mod.ts")], {
    declaration: true,
    target: ts.ScriptTarget.ES2022, // `using` is newer
    module: ts.ModuleKind.Preserve,
    lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.asynciterable.d.ts"],
    types: [],
    strict: true,
    verbatimModuleSyntax: true,
    rootDir: folder,
    outDir: folder,
  });
  const files = new Map<string, string>();
  const { diagnostics } = program.emit(undefined, (path, text) => files.set(path, text));
  const problems = [...program.getDeclarationDiagnostics(), ...diagnostics]
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  if (problems.length) throw new Error(`Cannot compile the package: ${problems.join("\n")}`);
  return files;
}

/** Makes the package in `target`, which must not exist or be empty. */
export async function makePackage(target: string): Promise<void> {
  await emptyFolder(target);
  const { name, version, license } = await settings();
  const versions = new Map<string, string>();
  const used = new Set<string>();
  const staged = await Deno.makeTempDir();
  try {
    const kernels: string[] = [];
    const shorten = (wgsl: string, path: string) => {
      const text = shortened(wgsl);
      kernels.push(`export const ${basename(path, ".wgsl")} = ${JSON.stringify(text)};\n`);
      return text;
    };
    await stageModules(staged, shorten, (module) =>
      module
        .replaceAll(CLASSIFIER_IMPORT, 'new URL("$1.safetensors", import.meta.url)')
        .replaceAll(KERNEL_IMPORT, 'import { $3 as $1 } from "$2all.ts"')
        .replaceAll(SPECIFIER, (_, name: string, version: string, path: string) => {
          versions.set(name, version);
          return `"${name}${path}"`;
        })
        .replaceAll(/((?:\bfrom |\bimport\()"\.[^"]+)\.ts"/g, '$1.js"'));
    // As files of their own: a bundler that makes one file of all would put them into it.
    const classifiers = "src/metrics/classifiers";
    await Deno.mkdir(join(target, classifiers), { recursive: true });
    for (const { name } of [...Deno.readDirSync(join(staged, classifiers))]) {
      const path = join(staged, classifiers, name);
      const { default: text } = await import(pathToFileURL(path).href);
      const file = name.replace(/\.ts$/, ".safetensors");
      await Deno.writeFile(join(target, classifiers, file), decodeBase64(text));
      await Deno.remove(path);
    }
    // One module for all: alike as they are, they compress better side by side.
    await write(join(staged, "src/kernels/all.ts"), kernels.sort().join(""));
    const helpers = new Map<string, string>();
    for (const [file, text] of compile(staged)) {
      const path = file.slice(staged.length + 1);
      for (const [, name] of text.matchAll(PACKAGE)) if (versions.has(name)) used.add(name);
      for (const [, name, version] of text.matchAll(ON_DEMAND)) {
        versions.set(name, version);
        used.add(name);
      }
      if (path.endsWith(".d.ts")) {
        await write(join(target, path), withLibrary(text));
        continue;
      }
      const own: string[] = [];
      const module = withSymbols(text).replaceAll(HELPER, (_, name: string, body: string) => {
        helpers.set(name, `export const ${name} = ${body}`);
        own.push(name);
        return "";
      });
      const from = `./${relative(dirname(path), HELPERS)}`;
      const imported = own.length ? `import { ${own.join(", ")} } from "${from}";\n` : "";
      await write(join(target, path), imported + module);
    }
    await write(join(target, HELPERS), [...helpers.values()].join(""));
  } finally {
    await Deno.remove(staged, { recursive: true });
  }
  const about = {
    name,
    version,
    description: "Train the TensorFlow tutorial's DCGAN on WebGPU, and every layer below it",
    keywords: ["webgpu", "gan", "dcgan", "autodiff", "wgsl"],
    license,
    type: "module",
    sideEffects: false,
    exports: {
      ".": { types: "./mod.d.ts", default: "./mod.js" },
      "./package.json": "./package.json",
    },
    // Of what needs a disk, these are large.
    browser: {
      "./src/files/node.js": false,
      "./src/files/read_images.js": false,
      "./src/files/stream_images.js": false,
    },
    engines: { node: ">=22.12" },
    dependencies: Object.fromEntries([...used].sort().map((name) => [name, versions.get(name)])),
  };
  await write(join(target, "package.json"), JSON.stringify(about, null, 2));
  await Deno.copyFile(join(ROOT, "LICENSE"), join(target, "LICENSE"));
  // npm shows the page without the files beside it; JSR has them.
  const page = await Deno.readTextFile(join(ROOT, "README.md"));
  const base = `https://jsr.io/${name}/${version}/`;
  await write(
    join(target, "README.md"),
    page.replaceAll(/(\]\(|src=")(?![a-z]+:|#)([^)"\s]+)/g, `$1${base}$2`),
  );
}

if (import.meta.main) {
  const [target] = Deno.args;
  if (!target) {
    console.error("usage: deno task npm DIR");
    Deno.exit(2);
  }
  await makePackage(target);
  console.log(`made ${target}; publish with: (cd ${target} && npm publish)`);
}
