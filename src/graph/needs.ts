/**
 * What a program asks of a device.
 *
 * @module
 */

import { ALIGNMENT, roundUp, TEXTURE_WIDTH, textureRows } from "../gpu/memory.ts";
import { invocations, workgroupBytes } from "../gpu/shader.ts";
import { type Step, TextureCopy } from "./lower.ts";

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
    const textures = operands.filter((operand) => operand instanceof TextureCopy);
    raise("maxStorageTexturesPerShaderStage", textures.length);
    raise("maxStorageBuffersPerShaderStage", operands.length - textures.length);
    for (const operand of operands) {
      if (operand instanceof TextureCopy) {
        raise("maxTextureDimension2D", Math.max(TEXTURE_WIDTH, textureRows(operand.storage.bytes)));
      } else {
        const bytes = operand.fixed?.bytes ?? roundUp(operand.bytes, ALIGNMENT);
        raise("maxStorageBufferBindingSize", bytes);
      }
    }
    const { kernel, entryPoint, constants } = step;
    raise("maxComputeWorkgroupsPerDimension", Math.max(...step.workgroups));
    raise("maxComputeInvocationsPerWorkgroup", invocations(kernel, entryPoint, constants));
    raise("maxComputeWorkgroupStorageSize", workgroupBytes(kernel));
  }
  return needs;
}
