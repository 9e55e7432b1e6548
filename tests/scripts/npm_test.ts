/** The npm package, as a stranger uses it: installed from its tarball, by the pages about it. */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { invocations, kernel, workgroupBytes } from "../../src/gpu/shader.ts";
import { CHROMIUM, skip, SWIFTSHADER } from "../support/browser/runtime.ts";
import { inFolder, put } from "../support/folder.ts";
import { deno, output, ROOT } from "../support/process.ts";

/** What is installed beside the package. */
const TOOLS = ["esbuild@0.28.2", "typescript@6.0.3", "vite@8.4.0", "webgpu@0.6.2"];
/** npm has Node itself, in packages without an install script. */
const NODE = `node-linux-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}@24.21.0`;

/**
 * Most bytes after esbuild's minifier and gzip: of all in one file, and of what a page downloads before
 * it uses anything, where the bundler puts what `import()` names into files of its own.
 */
const SIZES: Readonly<Record<string, { readonly whole: number; readonly first?: number }>> = {
  'export { Adam, Gpu, grad, ops } from "@dcgan/webgpu";': { whole: 50_000 },
  'export * from "@dcgan/webgpu";': { whole: 115_000, first: 100_000 },
};

/** The blocks of code of a page. */
function blocksOf(page: string): string[] {
  const text = Deno.readTextFileSync(join(ROOT, "docs", page));
  return [...text.matchAll(/^```(?:js|ts|html)[^\n]*\n(.*?)^```$/gms)].map(([, code]) => code);
}

const [nodeFirst, nodeTrain] = blocksOf("node.md");
const [html, browserFirst, browserTrain] = blocksOf("browser.md");

/** What a block says that it prints. */
const said = (block: string) => block.match(/console\.log\(.*\); \/\/ (.*)$/m)![1];

/** A page's training, of a small network on 16 images. */
function small(block: string, epochs: number): string {
  const dataset = `{ ...{ count: 16, height: 28, width: 28, channels: 1 }, ` +
    `images: Uint8Array.from({ length: 16 * 784 }, (_, i) => i % 251) }`;
  const sizes = "batchSize: 8, noiseDim: 10, generatorWidths: [16, 8, 8], " +
    "discriminatorWidths: [8, 8]";
  const replaced: readonly (readonly [RegExp, string])[] = [
    [/await loadMNIST\((?:\{.*\})?\)/, dataset],
    [/epochs: 50/, `epochs: ${epochs}, ${sizes}`],
  ];
  return replaced.reduce((code, [from, to]) => {
    equal(code.split(from).length, 2, `${from} stands once in ${code}`);
    return code.replace(from, to);
  }, block);
}

const CONSUMER = `
  import { type Dataset, Gpu, trainDCGAN } from "@dcgan/webgpu";

  export async function use(device: GPUDevice, dataset: Dataset): Promise<Float32Array> {
    using gpu = Gpu.from(device);
    // @ts-expect-error A shape is a list.
    gpu.variable(2);
    using program = gpu.compile({ x: [2] }, ({ x }) => ({ x }));
    // @ts-expect-error There is no such output.
    await program.read("y");
    // @ts-expect-error There is no such option.
    await trainDCGAN({ dataset, gpu, epoch: 5 });
    return (await program.read("x")).x;
  }
`;

const CONFIG = {
  compilerOptions: {
    lib: ["es2024", "dom", "dom.asynciterable"],
    types: [],
    target: "es2024",
    module: "nodenext",
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  },
};

/** Makes the package, packs it, and installs it and the tools; false: npm's registry is out of reach. */
async function install(folder: string): Promise<boolean> {
  const npm = (args: string, cwd = folder) =>
    deno(`${args} --ignore-scripts --no-audit --no-fund`.split(" "), { program: "npm", cwd });
  const make = "run --allow-all --lock=tests/deno.lock --frozen scripts/npm.ts".split(" ");
  await output([...make, join(folder, "package")]);
  const packed = await npm(`pack --pack-destination ${folder}`, join(folder, "package"));
  equal(packed.code, 0, packed.stderr);
  const name = packed.stdout.trim().split("\n").at(-1);
  await put(folder, { "package.json": '{ "private": true, "type": "module" }' });
  const { code, stderr } = await npm(`install ./${name} ${TOOLS.join(" ")}`);
  if (/\b(?:ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT)\b/.test(stderr)) return false;
  equal(code, 0, stderr);
  return true;
}

/** The npm package's programs below a folder, or Node itself. */
const run = (cwd: string, args: readonly string[]) =>
  output(["--yes", ...args], {
    program: "npx",
    cwd,
    env: { VK_ICD_FILENAMES: SWIFTSHADER },
  });

const node = (cwd: string, ...args: string[]) =>
  run(cwd, [`--package=${NODE}`, "node", ...args]).then((text) => text.trim().split("\n"));

/** Sends what a page prints, and its errors, to the server that it comes from. */
const RECORDER = `<script>
  let sent = Promise.resolve();
  const post = (body) => sent = sent.then(() => fetch("/printed", { method: "POST", body }));
  console.log = (...values) => post(values.join(" "));
  console.error = (...values) => post("error: " + values.join(" "));
  addEventListener("error", ({ message }) => post("error: " + message));
  addEventListener("unhandledrejection", ({ reason }) => post("error: " + reason));
</script>`;

/** Builds the page with Vite. It prints "done" at its end. */
async function build(folder: string, main: string): Promise<void> {
  await put(folder, {
    "index.html": html.replace("<title>", `${RECORDER}<title>`),
    "main.ts": `${main}\nconsole.log("done");\n`,
  });
  await run(folder, ["vite", "build", "--logLevel=warn"]);
}

/** A folder as a server has it, at one origin, and a browser with one profile. */
class Browser implements AsyncDisposable {
  #onPrint = (_line: string) => {};
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(folder: string, private readonly profile: string) {
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    this.#server = Deno.serve(options, async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/printed") {
        this.#onPrint(await request.text());
        return new Response();
      }
      const page = pathname === "/";
      const file = await Deno.readFile(join(folder, page ? "index.html" : pathname))
        .catch(() => undefined);
      const type = page ? "text/html" : "text/javascript";
      return new Response(file, { status: file ? 200 : 404, headers: { "content-type": type } });
    });
  }

  /** Opens the page; what it prints until "done". */
  async visit(): Promise<string[]> {
    const lines: string[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    this.#onPrint = (line) => {
      if (line === "done") resolve(lines);
      else if (line.startsWith("error: ")) reject(new Error(line));
      else lines.push(line);
    };
    await using process = new Deno.Command(CHROMIUM, {
      args: [
        ...["--headless=new", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
        ...["--no-sandbox", "--no-first-run", "--disable-background-networking"],
        ...["--disable-component-update", "--disable-sync", `--user-data-dir=${this.profile}`],
        `http://127.0.0.1:${this.#server.addr.port}/`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const timer = setTimeout(() => process.kill(), 180_000);
    process.status.then(() =>
      reject(new Error(`Chromium ended, or took too long; the page had printed: ${lines}`))
    );
    return await promise.finally(() => clearTimeout(timer));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** The tokens of a kernel, and what the library reads from its text. */
function read(code: string) {
  const parsed = kernel("a kernel", code);
  const entries = [...code.matchAll(/@compute @workgroup_size\([^)]*\)\s*fn (\w+)/g)];
  return {
    tokens: code.replaceAll(/\/\/.*$/gm, "").match(/\w+|[^\s\w]/g),
    ...{ bindings: parsed.bindings, overrides: parsed.overrides, shared: workgroupBytes(parsed) },
    entries: entries.map(([, name]) => [name, invocations(parsed, name, {})]),
    instructions: code.match(/case \d+ \{.*\} \/\/ \w+/g)?.map((line) =>
      line.replace(/\{.*\}/, "")
    ),
  };
}

const zipped = (file: string | Uint8Array) => gzipSync(file, { level: 9 }).length;

/** Bytes after gzip of those files of a bundle that its entry imports without `import()`. */
async function firstBytes(folder: string, entry: string, metafile: string): Promise<number> {
  const { outputs } = JSON.parse(await Deno.readTextFile(join(folder, metafile)));
  const first = new Set([entry]);
  for (const path of first) {
    for (const { kind, path: imported } of outputs[path].imports) {
      if (kind === "import-statement") first.add(imported);
    }
  }
  const sizes = [...first].map(async (path) => zipped(await Deno.readFile(join(folder, path))));
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

const has = (path: string) => Deno.stat(path).then(() => true, () => false);

Deno.test("npm: the package works as its pages say, in TypeScript, Node, Vite and Chromium", (t) =>
  inFolder(async (folder) => {
    if (!await install(folder)) return skip("npm's registry is out of reach");

    await t.step("its page links to what JSR has", async () => {
      const page = await Deno.readTextFile(join(folder, "node_modules/@dcgan/webgpu/README.md"));
      const links = [...page.matchAll(/(?:\]\(|(?:src|href)=")([^)"\s]+)/g)].map(([, link]) =>
        link
      );
      const below = /^https:\/\/jsr\.io\/@dcgan\/webgpu\/\d+\.\d+\.\d+\/([^#]+)/;
      const files = links.map((link) => below.exec(link)?.[1]).filter((path) => path !== undefined);
      ok(files.length > 10, `only ${files.length} links were found`);
      for (const path of files) ok(await has(join(ROOT, path)), path);
      deepEqual(links.filter((link) => !/^(?:https:\/\/|#)/.test(link)), []);
    });

    await t.step("modules that are not used are left out", async () => {
      for (const [program, most] of Object.entries(SIZES)) {
        await put(folder, { "size.js": program });
        const esbuild = "esbuild size.js --bundle --minify --format=esm".split(" ");
        const text = await run(folder, esbuild);
        const requireSize = (what: string, size: number, most: number) =>
          ok(size > most / 2 && size < most, `${program} has ${size} bytes ${what}, not ${most}`);
        requireSize("in one file", zipped(text), most.whole);
        if (most.first) {
          await run(folder, [...esbuild, "--splitting", "--outdir=split", "--metafile=split.json"]);
          const size = await firstBytes(folder, "split/size.js", "split.json");
          requireSize("at first", size, most.first);
        }
        match(text, /^(?![^]*["'`]node:)/, "a module of Node's is in a bundle for browsers");
        // Where a browser lacks it, `Symbol.for` takes its place.
        match(
          text,
          /^(?![^]*[^"]Symbol\.(?:dispose|asyncDispose)\b(?!\?\?))/,
          "Symbol.dispose alone",
        );
      }
    });

    await t.step("kernels without comments and spaces are the same, and say the same", async () => {
      const path = join(folder, "node_modules/@dcgan/webgpu/src/kernels/all.js");
      const kernels: Record<string, string> = await import(pathToFileURL(path).href);
      const files = [...Deno.readDirSync(join(ROOT, "src/kernels"))].map(({ name }) => name);
      deepEqual(Object.keys(kernels).map((name) => `${name}.wgsl`).sort(), files.sort());
      for (const [name, short] of Object.entries(kernels)) {
        const full = await Deno.readTextFile(join(ROOT, `src/kernels/${name}.wgsl`));
        deepEqual(read(short), read(full), name);
        ok(short.length < full.length, name);
      }
    });

    await t.step("a program type-checks with the DOM's types alone", async () => {
      await put(folder, {
        "types/consumer.ts": CONSUMER,
        "types/first.ts": browserFirst,
        "types/train.ts": browserTrain,
        "types/tsconfig.json": JSON.stringify(CONFIG),
      });
      equal(await run(folder, ["tsc", "--project", "types"]), "");
    });

    await t.step("Node computes, trains, and resumes", async () => {
      if (!await has(SWIFTSHADER)) return skip(`${SWIFTSHADER} is missing: install chromium`);
      await put(folder, {
        "first.mjs": nodeFirst,
        "train.mjs": small(nodeTrain, 1),
        "more.mjs": small(nodeTrain, 2),
      });
      deepEqual(await node(folder, "first.mjs"), [said(nodeFirst)]);
      match((await node(folder, "train.mjs")).join(), /^1 \d\.\d+$/);
      match((await node(folder, "more.mjs", "--resume")).join(), /^2 \d\.\d+$/);
      const made = ["out/dcgan.gif", "out/metrics.jsonl", "generator.safetensors"];
      for (const name of made) ok(await has(join(folder, name)), `${name} is missing`);
    });

    await t.step("Node reads JPEG and WebP files", async () => {
      const images = join(ROOT, "tests/support/images");
      for (const name of ["444.jpg", "lossy.webp"]) {
        await Deno.mkdir(join(folder, "photos"), { recursive: true });
        await Deno.copyFile(join(images, name), join(folder, "photos", name));
      }
      await put(folder, {
        "images.mjs": `import { loadImages } from "@dcgan/webgpu";
          const { count, channels, skipped } = await loadImages("photos");
          console.log(count, channels, skipped.length);`,
      });
      deepEqual(await node(folder, "images.mjs"), ["2 3 0"]);
    });

    await t.step("Chromium computes, trains, and resumes, in a page that Vite built", async () => {
      if (!await has(CHROMIUM)) return skip(`${CHROMIUM} is missing: install chromium`);
      await using browser = new Browser(join(folder, "dist"), join(folder, "profile"));
      await build(folder, browserFirst);
      deepEqual(await browser.visit(), [said(browserFirst)]);
      await build(folder, small(browserTrain, 1));
      match((await browser.visit()).join(), /^1 \d\.\d+$/);
      await build(folder, small(browserTrain, 2));
      match((await browser.visit()).join(), /^2 \d\.\d+$/);
    });
  }));
