/** What the tests call in a page: on one device, which the page keeps. */

import {
  decodeSafetensors,
  type FolderHandle,
  type GemmVariant,
  Gpu,
  trainDCGAN,
} from "../../../mod.ts";
import { cases, type OpName } from "../../ops/cases.ts";
import { SMALL } from "../dataset.ts";
import { check, type OpCase } from "../gradcheck.ts";
import { type ProgramName, programs } from "./programs.ts";
import type { Pipeline } from "./recorder.ts";

const gpu = await Gpu.request();
const { gemm: ownVariant } = gpu.tuning;

export const adapter = () => Promise.resolve(gpu.info);

/** The limits that kernels are chosen by. */
export function limits(): Promise<Record<string, number>> {
  const all: Record<string, number> = {};
  for (const name in gpu.device.limits) {
    all[name] = gpu.device.limits[name as keyof GPUSupportedLimits] as number;
  }
  return Promise.resolve(all);
}

export const run = (name: ProgramName) => programs[name](gpu);

const bits = (array: Float32Array | Uint32Array) => [...new Uint8Array(array.buffer)].join();

/**
 * A run of ten steps in the origin's private file system: straight on, and stopped after two and four. What it
 * leaves there, and the weights and moments that differ.
 */
export async function resumes(): Promise<{ files: string[]; differences: string[] }> {
  const root = await (navigator as unknown as { storage: Storage }).storage.getDirectory();
  const train = async (
    name: string,
    options: { readonly maxSteps?: number; readonly resume?: boolean },
  ) => {
    const outDir = await root.getDirectoryHandle(name, { create: true });
    const run = await trainDCGAN({ ...SMALL, gpu, epochs: 2, distance: false, outDir, ...options });
    run[Symbol.dispose]();
    const folder = await outDir.getDirectoryHandle("training_checkpoints");
    const { maxSteps } = options;
    const newest = maxSteps ? `ckpt-0001-step-${maxSteps}` : "ckpt-0002";
    const file = await (await folder.getFileHandle(`${newest}.safetensors`)).getFile();
    const { tensors } = decodeSafetensors(new Uint8Array(await file.arrayBuffer()), newest);
    return { outDir, tensors };
  };
  const straight = await train("straight", {});
  await train("stopped", { maxSteps: 2 });
  await train("stopped", { maxSteps: 4, resume: true });
  const resumed = await train("stopped", { resume: true });
  const files: string[] = [];
  for await (const { name } of resumed.outDir.values()) files.push(name);
  const differences = [...straight.tensors].flatMap(([name, { data }]) =>
    bits(data as Float32Array) === bits(resumed.tensors.get(name)!.data as Float32Array) ? [] : name
  );
  return { files: files.sort(), differences };
}

/** What is used of `StorageManager`, which Deno's types do not have. */
interface Storage {
  getDirectory(): Promise<FolderHandle>;
}

/** Checks an op's rows of the table, or the one that is named; what was wrong. */
export async function checkOp(
  name: OpName,
  options: { readonly row?: string; readonly gemm?: GemmVariant; readonly gradients: boolean },
): Promise<string[]> {
  const { row: only, gemm = ownVariant, gradients } = options;
  gpu.tune({ gemm });
  const failures: string[] = [];
  const rows = cases[name].filter((row) =>
    !("elsewhere" in row) && row.name === (only ?? row.name)
  );
  if (rows.length === 0) failures.push("there is no such row");
  for (const row of rows as OpCase[]) {
    const op = { ...row, name: `${name}, ${row.name}` };
    await check(gpu, gradients ? op : { ...op, gradient: "none" })
      .catch((error) => failures.push(`${error}`));
  }
  gpu.tune({ gemm: ownVariant });
  return failures;
}

/** Compiles pipelines; what the compiler said of them. */
export async function compile(
  pipelines: readonly Pipeline[],
  sources: Readonly<Record<string, string>>,
): Promise<string[]> {
  const { device } = gpu;
  const modules = new Map(
    Object.entries(sources).map(([label, code]) => [label, device.createShaderModule({ code })]),
  );
  const messages: string[] = [];
  for (const [file, module] of modules) {
    const { messages: own } = await module.getCompilationInfo();
    messages.push(...own.map(({ lineNum, message }) => `${file}:${lineNum} ${message}`));
  }
  await Promise.all(pipelines.map(({ file, entryPoint, constants }) => {
    const compute = { module: modules.get(file)!, entryPoint, constants };
    return device.createComputePipelineAsync({ layout: "auto", compute }).catch((error) => {
      messages.push(`${file}, ${entryPoint}, ${JSON.stringify(constants)}: ${error.message}`);
    });
  }));
  return messages;
}
