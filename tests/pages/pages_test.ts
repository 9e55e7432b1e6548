/**
 * The documentation keeps what it promises: links lead somewhere, the README's program runs, and the
 * image of the recorded graph is what the compiler makes.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { Gpu, ops } from "../../mod.ts";
import { draw } from "../../scripts/recorded_graph.ts";
import { inFolder } from "../support/folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Every page, by its path from the root. */
function pages(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of [".", "docs", "examples"]) {
    for (const { name, isFile } of Deno.readDirSync(join(ROOT, folder))) {
      if (!isFile || !name.endsWith(".md")) continue;
      const path = join(folder, name);
      found.set(path, Deno.readTextFileSync(join(ROOT, path)));
    }
  }
  return found;
}

/** A page without what stands in code blocks. */
const prose = (text: string) => text.replaceAll(/^```.*?^```$/gms, "");

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(text: string): Set<string> {
  return new Set(
    [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-")
    ),
  );
}

Deno.test("pages: every relative link and anchor leads somewhere", () => {
  const all = pages();
  const dead: string[] = [];
  let links = 0;
  for (const [page, text] of all) {
    const targets = prose(text).matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g);
    for (const [, inline, html] of targets) {
      const target = inline ?? html;
      if (/^[a-z]+:/.test(target)) continue;
      links++;
      const [file, anchor] = target.split("#");
      const path = file ? normalize(join(dirname(page), file)) : page;
      try {
        Deno.statSync(join(ROOT, path));
        if (anchor && !anchors(all.get(path) ?? "").has(anchor)) dead.push(`${page}: ${target}`);
      } catch {
        dead.push(`${page}: ${target}`);
      }
    }
  }
  ok(links > 30, `only ${links} links were found`);
  deepEqual(dead, []);
});

/** An IDX file of bytes. */
function idx(dims: readonly number[], byte: (i: number) => number): Uint8Array {
  const count = dims.reduce((a, b) => a * b, 1);
  const bytes = new Uint8Array(4 + 4 * dims.length + count);
  bytes.set([0, 0, 8, dims.length]);
  dims.forEach((n, i) => new DataView(bytes.buffer).setUint32(4 + 4 * i, n));
  for (let i = 0; i < count; i++) bytes[bytes.length - count + i] = byte(i);
  return bytes;
}

Deno.test("pages: the list of ops has every op, and no other", () => {
  const rows = pages().get(join("docs", "ops.md"))!.matchAll(/^\| (`.*?`) +\|/gm);
  const listed = [...rows].flatMap(([, cell]) => [...cell.matchAll(/`(\w+)\(/g)].map((m) => m[1]));
  deepEqual(listed.sort(), Object.keys(ops).sort());
});

/** Paths of tests that a page names without their ending, from `tests/`. */
const TEST = /(?<=\| .*)`([a-z]+(?:\/[a-z_]+)?)`/g;

Deno.test("pages: every test that a page of promises names is there", () => {
  const all = pages();
  for (const page of ["testing", "reliability"]) {
    const names = all.get(join("docs", `${page}.md`))!.split("\n")
      .filter((line) => line.startsWith("| "))
      .flatMap((line) => [...line.slice(line.lastIndexOf("|", line.length - 2)).matchAll(TEST)]);
    ok(names.length >= 8, `${page}.md names ${names.length} tests`);
    for (const [, name] of names) {
      ok(Deno.statSync(join(ROOT, "tests", `${name}_test.ts`)).isFile, name);
    }
  }
});

Deno.test("pages: the tutorial's snippets are a program that runs", () =>
  inFolder(async (folder) => {
    const page = pages().get(join("docs", "tutorial.md"))!;
    const walk = page.slice(0, page.indexOf("## What trainDCGAN does better"));
    const blocks = [...walk.matchAll(/^```ts(?: ignore)?\n(.*?)^```$/gms)].map(([, code]) => code);
    equal(blocks.length, 8);
    const replaced: Record<string, string> = {
      '"@dcgan/webgpu"': JSON.stringify(new URL("../../mod.ts", import.meta.url).href),
      "[50, 256]": "[2, 8]", // epochs and batch size
      "loadMNIST()": 'loadMNIST({ dir: "." })',
    };
    let program = blocks.join("\n");
    for (const [from, to] of Object.entries(replaced)) {
      equal(program.split(from).length, 2, `${from} stands once in the program`);
      program = program.replace(from, to);
    }
    const write = (name: string, data: Uint8Array) => Deno.writeFile(join(folder, name), data);
    await Deno.writeTextFile(join(folder, "program.ts"), program);
    await write("train-images-idx3-ubyte", idx([20, 28, 28], (i) => i % 251));
    await write("train-labels-idx1-ubyte", idx([20], (i) => i % 10));

    const { success, stdout, stderr } = await new Deno.Command("deno", {
      args: [
        "run",
        "--no-lock",
        "--no-prompt",
        "--check",
        "--allow-read",
        "--allow-write=.",
        "program.ts",
      ],
      cwd: folder,
    }).output();
    const text = new TextDecoder();
    ok(success, text.decode(stderr));
    // Two epochs of 20 images: 8, 8 and 4.
    const losses = text.decode(stdout).trim().split("\n").slice(-6);
    for (const line of losses) match(line, /^[12] \d+\.\d+ \d+\.\d+$/);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    for (
      const name of ["noise.png", "image_at_epoch_2.png", "dcgan.gif", "generator.safetensors"]
    ) {
      ok(names.includes(name), `${name} is missing`);
    }
  }));

Deno.test("pages: the image of the recorded graph, and its numbers, are the compiler's", async () => {
  using gpu = await Gpu.request();
  const drawn = draw(gpu);
  equal(
    await Deno.readTextFile(join(ROOT, "docs/images/recorded-graph.svg")),
    drawn.svg,
    "run scripts/recorded_graph.ts again, and look whether its page still tells the truth",
  );
  const page = pages().get(join("docs", "recorded-graph.md"))!;
  const { dispatches, flops, plannedBytes, tensorBytes } = drawn.stats;
  for (
    const fact of [
      `${drawn.nodes} nodes become ${drawn.steps.length} steps`,
      `dispatches: ${dispatches}, flops: ${flops}, plannedBytes: ${plannedBytes}, ` +
      `tensorBytes: ${tensorBytes}`,
      plannedBytes.toLocaleString("en"),
      tensorBytes.toLocaleString("en"),
    ]
  ) ok(page.includes(fact), `${fact} is not on the page`);
});
