/**
 * What a program needs of a device, and whether the device has it.
 *
 * @module
 */

import { OutOfMemoryError } from "../errors.ts";
import { ADVICE, ALIGNMENT, roundUp, TEXTURE_WIDTH, textureRows } from "../gpu/memory.ts";
import { invocations, workgroupBytes } from "../gpu/shader.ts";
import { type Step, type Storage, TextureCopy } from "./lower.ts";
import { ADVICE_FOR_VARIABLES } from "./variable.ts";

/** The least limits of a device that can run a program, by WebGPU's names. */
export interface ProgramNeeds {
  /** Bytes of its largest binding. */
  readonly maxStorageBufferBindingSize: number;
  /** Most buffers that one kernel binds. */
  readonly maxStorageBuffersPerShaderStage: number;
  /** Most textures that one kernel binds. */
  readonly maxStorageTexturesPerShaderStage: number;
  /** Width or height of its largest texture, in texels. */
  readonly maxTextureDimension2D: number;
  /** Most workgroups of a dispatch along one dimension. */
  readonly maxComputeWorkgroupsPerDimension: number;
  /** Most invocations of a workgroup. */
  readonly maxComputeInvocationsPerWorkgroup: number;
  /** Most bytes that a workgroup shares. */
  readonly maxComputeWorkgroupStorageSize: number;
}

/** What the most demanding of the steps needs, limit by limit. */
export function needsOf(steps: readonly Step[]): ProgramNeeds {
  const needs = {
    maxStorageBufferBindingSize: 0,
    maxStorageBuffersPerShaderStage: 0,
    maxStorageTexturesPerShaderStage: 0,
    maxTextureDimension2D: 0,
    maxComputeWorkgroupsPerDimension: 0,
    maxComputeInvocationsPerWorkgroup: 0,
    maxComputeWorkgroupStorageSize: 0,
  };
  const raise = (limit: keyof typeof needs, to: number) => {
    needs[limit] = Math.max(needs[limit], to);
  };
  for (const step of steps) {
    if (step.kind === "copy") continue;
    const operands = Object.values(step.bindings);
    const count = (kind: string) =>
      Object.keys(step.bindings).filter((name) => step.kernel.bindings.get(name)?.kind === kind)
        .length;
    raise("maxStorageTexturesPerShaderStage", count("texture"));
    raise("maxStorageBuffersPerShaderStage", count("buffer"));
    for (const operand of operands) {
      if (operand instanceof TextureCopy) {
        raise("maxTextureDimension2D", Math.max(TEXTURE_WIDTH, textureRows(operand.storage.bytes)));
      } else raise("maxStorageBufferBindingSize", boundBytes(operand));
    }
    const { kernel, entryPoint, constants } = step;
    raise("maxComputeWorkgroupsPerDimension", Math.max(...step.workgroups));
    raise("maxComputeInvocationsPerWorkgroup", invocations(kernel, entryPoint, constants));
    raise("maxComputeWorkgroupStorageSize", workgroupBytes(kernel));
  }
  return needs;
}

/** Bytes that a binding of a storage covers. */
function boundBytes({ fixed, bytes }: Storage): number {
  return fixed?.bytes ?? roundUp(bytes, ALIGNMENT);
}

/** Limits of a device on the sizes of tensors. */
type SizeLimits = Readonly<
  Record<"maxStorageBufferBindingSize" | "maxBufferSize" | "maxTextureDimension2D", number>
>;

/**
 * Refuses what the device cannot bind or allocate, before anything is allocated.
 *
 * @throws {OutOfMemoryError} naming the op, what it needs, the limit, and what to change.
 */
export function requireLimits(steps: readonly Step[], limits: SizeLimits): void {
  const operandsOf = (step: Step): [string, Storage | TextureCopy][] =>
    step.kind === "copy"
      ? [["its source", step.from], ["its target", step.to]]
      : Object.entries(step.bindings);
  const storageOf = (operand: Storage | TextureCopy) =>
    operand instanceof TextureCopy ? operand.storage : operand;
  const variableSizes = new Set(
    steps.flatMap(operandsOf).flatMap(([, operand]) => storageOf(operand).fixed?.bytes ?? []),
  );
  const require = (limit: keyof SizeLimits, needed: number, of: Storage, needs: string) => {
    if (needed <= limits[limit]) return;
    // Storage with a place is a variable, and storage of the same size its gradient: a smaller batch
    // makes neither smaller.
    const ofVariable = of.root.fixed || variableSizes.has(roundUp(of.bytes, ALIGNMENT));
    const advice = ofVariable ? ADVICE_FOR_VARIABLES : ADVICE;
    throw new OutOfMemoryError(`${needs}: this device's ${limit} is ${limits[limit]}. ${advice}`);
  };
  for (const step of steps) {
    for (const [name, operand] of operandsOf(step)) {
      const needs = `${step.label} needs`;
      if (operand instanceof TextureCopy) {
        const { storage } = operand;
        const rows = textureRows(storage.bytes);
        const what = `${storage.bytes} bytes in a texture of ${rows} rows for ${storage.label}`;
        require("maxTextureDimension2D", rows, storage, `${needs} ${what}`);
        continue;
      }
      if (step.kind !== "copy") {
        const bytes = boundBytes(operand);
        const what = `${bytes} bytes in one binding for ${name}, ${operand.label}`;
        require("maxStorageBufferBindingSize", bytes, operand, `${needs} ${what}`);
      }
      const { root } = operand;
      if (root.fixed) continue; // It is allocated already.
      const bytes = roundUp(root.bytes, ALIGNMENT);
      const what = `a buffer of ${bytes} bytes for ${name}, ${root.label}`;
      require("maxBufferSize", bytes, root, `${needs} ${what}`);
    }
  }
}
