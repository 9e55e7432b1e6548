/** What the tests call in a page: on one device, which the page keeps. */

import { type GemmVariant, Gpu } from "../../../mod.ts";
import { cases, type OpName } from "../../ops/cases.ts";
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
