/**
 * Builds the page into a folder that any host serves, and serves it here.
 *
 *   deno task web [--out FOLDER] [--port N] [--build]
 *
 * `--out` is where it goes (out-web), `--port` where it is served (8000), `--build` builds it only. MNIST
 * comes from where the command line has it. The generator for visitors without WebGPU is
 * `web/generator.safetensors`; these commands make it anew:
 *
 *   deno task train --preset quick --recipe fast --seed 1 --epochs 4 --out out-generator
 *   deno task dcgan export out-generator --to web/generator.safetensors
 *
 * @module
 */

import { extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadMNIST } from "../mod.ts";
import { mnistPackageDir } from "../src/cli/mnist_package.ts";

const WEB = fileURLToPath(new URL("../web", import.meta.url));
const BUNDLE = fileURLToPath(new URL("bundle.ts", import.meta.url));
const LOCK = fileURLToPath(new URL("../tests/deno.lock", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

/** MNIST's images as a gzip-compressed IDX file; the first of them, or all. */
async function mnist(most: number): Promise<Uint8Array> {
  const { images, count, height, width } = await loadMNIST({
    fallback: mnistPackageDir,
    onMessage: (text) => console.error(text),
  });
  const header = new DataView(new ArrayBuffer(16));
  const kept = Math.min(count, most);
  [0x803, kept, height, width].forEach((value, i) => header.setUint32(4 * i, value));
  const parts = [
    header.buffer,
    images.subarray(0, kept * height * width) as Uint8Array<ArrayBuffer>,
  ];
  const gzip = new Blob(parts).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(gzip).arrayBuffer());
}

/** Bundles an entry of the page, in a process of its own: esbuild needs every permission. */
async function bundle(entry: string, made: string, outdir: string): Promise<void> {
  const options = JSON.stringify({ outdir: resolve(outdir), minify: true });
  const { success } = await new Deno.Command("deno", {
    args: [
      "run",
      "--allow-all",
      `--lock=${LOCK}`,
      "--frozen",
      BUNDLE,
      join(WEB, entry),
      made,
      options,
    ],
  }).spawn().status;
  if (!success) throw new Error(`Cannot bundle web/${entry}: above it says why`);
}

/**
 * Builds the page into `folder`.
 *
 * @param options.images most images of MNIST; default all
 */
export async function buildPage(
  folder: string,
  { images = Infinity }: { readonly images?: number } = {},
): Promise<void> {
  const made = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "data"), { recursive: true });
    for (const entry of ["main", "worker"]) await bundle(`${entry}.ts`, made, folder);
  } finally {
    await Deno.remove(made, { recursive: true });
  }
  for (const name of ["index.html", "style.css", "generator.safetensors"]) {
    await Deno.copyFile(join(WEB, name), join(folder, name)).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      console.error(`web/${name} is missing: the page does without it`);
    });
  }
  await Deno.writeFile(join(folder, "data", "train-images-idx3-ubyte.gz"), await mnist(images));
}

/** Serves a folder on this machine alone. */
export function servePage(folder: string, port: number): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, async ({ url }) => {
    // A URL's path has no ".." left in it.
    const path = normalize(decodeURIComponent(new URL(url).pathname)).replace(/\/$/, "/index.html");
    const type = TYPES[extname(path)] ?? "application/octet-stream";
    try {
      const body = await Deno.readFile(join(folder, path));
      return new Response(body, { headers: { "content-type": type, "cache-control": "no-cache" } });
    } catch {
      return new Response("There is no such file", { status: 404 });
    }
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      out: { type: "string", default: "out-web" },
      port: { type: "string", default: "8000" },
      build: { type: "boolean", default: false },
    },
  });
  await buildPage(values.out);
  console.log(`built ${values.out}: any static host serves it`);
  if (!values.build) {
    const { addr } = servePage(values.out, Number(values.port));
    console.log(`http://127.0.0.1:${addr.port}/`);
  }
}
