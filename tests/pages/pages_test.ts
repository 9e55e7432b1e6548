/** The documentation keeps what it promises. */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { Gpu, ops } from "../../mod.ts";
import { draw } from "../../scripts/recorded_graph.ts";
import { idx } from "../support/digits.ts";
import { withFiles } from "../support/folder.ts";
import { output, ROOT } from "../support/process.ts";

/** Every page, by its path from the root. */
const pages = new Map(
  [".", "docs", "examples"].flatMap((folder) =>
    [...Deno.readDirSync(join(ROOT, folder))]
      .filter(({ name, isFile }) => isFile && name.endsWith(".md"))
      .map(({ name }) => join(folder, name))
      .map((path) => [path, Deno.readTextFileSync(join(ROOT, path))] as const)
  ),
);

const pageOf = (name: string) => pages.get(join("docs", `${name}.md`))!;

/** A page without what stands in code blocks. */
const prose = (text: string) => text.replaceAll(/^```.*?^```$/gms, "");

/** The anchors of a page's headings, as GitHub makes them. */
const anchors = (text: string) =>
  [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-")
  );

const exists = (path: string) => {
  try {
    return Deno.statSync(join(ROOT, path));
  } catch {
    return undefined;
  }
};

Deno.test("pages: every relative link and anchor leads somewhere", () => {
  const dead: string[] = [];
  let links = 0;
  for (const [page, text] of pages) {
    const targets = prose(text).matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g);
    for (const [, inline, html] of targets) {
      const target = inline ?? html;
      if (/^[a-z]+:/.test(target)) continue;
      links++;
      const [file, anchor] = target.split("#");
      const path = file ? normalize(join(dirname(page), file)) : page;
      const leads = exists(path) && (!anchor || anchors(pages.get(path) ?? "").includes(anchor));
      if (!leads) dead.push(`${page}: ${target}`);
    }
  }
  ok(links > 30, `only ${links} links were found`);
  deepEqual(dead, []);
});

Deno.test("pages: the list of ops has every op, and no other", () => {
  const rows = pageOf("ops").matchAll(/^\| (`.*?`) +\|/gm);
  const listed = [...rows].flatMap(([, cell]) => [...cell.matchAll(/`(\w+)\(/g)].map((m) => m[1]));
  deepEqual(listed.sort(), Object.keys(ops).sort());
});

Deno.test("pages: every test that a page of promises names is there", () => {
  for (const page of ["testing", "reliability"]) {
    // Paths without their ending, from `tests/`, in the last column.
    const names = (pageOf(page).match(/^\| .*$/gm) ?? [])
      .flatMap((row) => row.split("|").at(-2)!.match(/(?<=`)[a-z]+(?:\/[a-z_]+)?(?=`)/g) ?? []);
    ok(names.length >= 8, `${page}.md names ${names.length} tests`);
    for (const name of names) ok(exists(`tests/${name}_test.ts`)?.isFile, name);
  }
});

/** The tutorial's snippets, for less data and fewer epochs. */
function tutorial(): string {
  const [walk] = pageOf("tutorial").split("## What trainDCGAN does better");
  const blocks = [...walk.matchAll(/^```ts(?: ignore)?\n(.*?)^```$/gms)].map(([, code]) => code);
  equal(blocks.length, 8);
  const replaced: Record<string, string> = {
    '"@dcgan/webgpu"': JSON.stringify(new URL("../../mod.ts", import.meta.url).href),
    "[50, 256]": "[2, 8]", // epochs and batch size
    "loadMNIST()": 'loadMNIST({ dir: "." })',
  };
  return Object.entries(replaced).reduce((program, [from, to]) => {
    equal(program.split(from).length, 2, `${from} stands once in the program`);
    return program.replace(from, to);
  }, blocks.join("\n"));
}

Deno.test("pages: the tutorial's snippets are a program that runs", () => {
  const files = {
    "program.ts": tutorial(),
    "train-images-idx3-ubyte": idx([20, 28, 28], (i) => i % 251),
    "train-labels-idx1-ubyte": idx([20], (i) => i % 10),
  };
  return withFiles(files, async (cwd) => {
    const flags = ["--no-lock", "--no-prompt", "--check", "--allow-read", "--allow-write=."];
    const text = await output(["run", ...flags, "program.ts"], { cwd });
    // Two epochs of 20 images: 8, 8 and 4.
    const losses = text.trim().split("\n").slice(-6);
    for (const line of losses) match(line, /^[12] \d+\.\d+ \d+\.\d+$/);
    const made = ["noise.png", "image_at_epoch_2.png", "dcgan.gif", "generator.safetensors"];
    const names = [...Deno.readDirSync(cwd)].map(({ name }) => name);
    for (const name of made) ok(names.includes(name), `${name} is missing`);
  });
});

Deno.test("pages: the image of the recorded graph, and its numbers, are the compiler's", async () => {
  using gpu = await Gpu.request();
  const { svg, nodes, steps, stats } = draw(gpu);
  equal(
    await Deno.readTextFile(join(ROOT, "docs/images/recorded-graph.svg")),
    svg,
    "run scripts/recorded_graph.ts again, and look whether its page still tells the truth",
  );
  const { dispatches, flops, plannedBytes, tensorBytes } = stats;
  const memory = `plannedBytes: ${plannedBytes}, tensorBytes: ${tensorBytes}`;
  const facts = [
    `${nodes} nodes become ${steps.length} steps`,
    `dispatches: ${dispatches}, flops: ${flops}, ${memory}`,
    ...[plannedBytes, tensorBytes].map((bytes) => bytes.toLocaleString("en")),
  ];
  for (const fact of facts) {
    ok(pageOf("recorded-graph").includes(fact), `${fact} is not on the page`);
  }
});
