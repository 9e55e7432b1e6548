/** The library in Chromium: its kernels compiled by Tint, its ops, and its training. */

import { deepEqual, match } from "node:assert/strict";
import { Gpu } from "../../mod.ts";
import { cases, type OpName } from "../ops/cases.ts";
import { type ProgramName, programs } from "../support/browser/programs.ts";
import { pipelinesOfPrograms } from "../support/browser/recorder.ts";
import { hasChromium, Page } from "../support/browser/runtime.ts";
import { assertSame } from "../support/browser/same.ts";
import { ROOT } from "../support/process.ts";

const ignore = !hasChromium();
let page: Page;
if (!ignore) {
  Deno.test.beforeAll(() => void (page = new Page()));
  Deno.test.afterAll(() => page.close());
}

/** One page for all: its process and pipes are no leaks of a test. */
const test = (name: string, fn: (t: Deno.TestContext) => Promise<void>) =>
  Deno.test({
    name: `Chromium: ${name}`,
    ignore,
    sanitizeResources: false,
    sanitizeOps: false,
    fn,
  });

test("the library loads where there is neither Deno nor Node", async () => {
  deepEqual(await page.evaluate("[typeof Deno, typeof process]"), ["undefined", "undefined"]);
  const { architecture, kind } = await page.call("adapter");
  deepEqual({ architecture, kind }, { architecture: "swiftshader", kind: "software" });
});

/** The WGSL files by name. */
const sources = Object.fromEntries(
  [...Deno.readDirSync(`${ROOT}src/kernels`)]
    .map(({ name }) => [name, Deno.readTextFileSync(`${ROOT}src/kernels/${name}`)]),
);

/** At most `count` of a list, evenly. */
function spread<T>(list: readonly T[], count: number): T[] {
  const length = Math.min(count, list.length);
  return Array.from({ length }, (_, i) => list[Math.floor(i * list.length / length)]);
}

test("Tint compiles every entry point of every WGSL file as programs use it", async () => {
  const pipelines = pipelinesOfPrograms(await page.call("limits"));
  // Only the test of random numbers uses this one.
  pipelines.push({ file: "random.wgsl", entryPoint: "known_answer", constants: {} });
  const uses = Map.groupBy(pipelines, ({ file, entryPoint }) => `${file} ${entryPoint}`);
  const declared = Object.entries(sources).flatMap(([file, code]) => {
    const entries = code.matchAll(/@compute @workgroup_size\([^)]*\)\s*fn (\w+)/g);
    return [...entries].map(([, name]) => `${file} ${name}`);
  });
  deepEqual([...uses.keys()].sort(), declared.sort());
  // SwiftShader takes up to seconds for a pipeline. The ops below have hundreds more.
  const some = [...uses.values()].flatMap((list) => spread(list, 4));
  deepEqual(await page.call("compile", some, sources), []);
});

/** Their gradients are such products again. */
const PRODUCTS: readonly OpName[] = ["matmul", "conv2d", "conv2dTranspose", "conv2dFilterGrad"];

test("ops and gradients equal the float64 reference", async (t) => {
  for (const name of Object.keys(cases) as OpName[]) {
    if (cases[name].every((row) => "elsewhere" in row)) continue;
    await t.step(name, async () => {
      deepEqual(await page.call("checkOp", name, { gradients: !PRODUCTS.includes(name) }), []);
    });
  }
  const row = "the tutorial's, narrow (same)";
  for (const gemm of ["winograd", "texture", "tiled", "direct"] as const) {
    await t.step(`a convolution, ${gemm} kernels`, async () => {
      deepEqual(await page.call("checkOp", "conv2d", { row, gemm, gradients: false }), []);
    });
  }
});

test("programs give Deno's numbers", async (t) => {
  using gpu = await Gpu.request();
  for (const name of Object.keys(programs) as ProgramName[]) {
    await t.step(name, async () => {
      assertSame(name, await page.call("run", name), await programs[name](gpu));
    });
  }
});

test("a run in the private file system is resumed to the bit", async () => {
  const { files, differences } = await page.call("resumes");
  deepEqual(differences, []);
  deepEqual(files, [
    "dcgan.gif",
    "image_at_epoch_0001.png",
    "image_at_epoch_0002.png",
    "image_at_step_000002.png",
    "image_at_step_000004.png",
    "losses.svg",
    "metrics.jsonl",
    "run.json",
    "tensorboard",
    "training_checkpoints",
  ]);
});

test("nothing was logged as an error or a warning", () => {
  deepEqual(page.complaints, []);
  return Promise.resolve();
});

// The last: its error is logged.
test("Tint refuses what Deno's compiler takes: a planted expression without parentheses", async () => {
  const [right, wrong] = ["(v << r) | (v >> (32 - r))", "v << r | v >> 32 - r"];
  const code = sources["random.wgsl"].replace(right, wrong);
  match(code, /v << r \| v >> 32 - r/);
  const [first, second] = await page.call(
    "compile",
    [{ file: "random.wgsl", entryPoint: "bits", constants: {} }],
    { "random.wgsl": code },
  );
  match(first, /^random\.wgsl:\d+ .*mixing/);
  match(second, /^random\.wgsl, bits, .*[Ii]nvalid/);
});
