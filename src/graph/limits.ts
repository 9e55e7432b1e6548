/** What a program needs of a device, and whether the device has it. */

import { OutOfMemoryError } from "../errors.ts";
import { ADVICE, ALIGNMENT, roundUp, TEXTURE_WIDTH, textureRows } from "../gpu/memory.ts";
import { type Binding, invocations, workgroupBytes } from "../gpu/shader.ts";
import {
  type DispatchStep,
  type Place,
  type Step,
  Storage,
  storageOf,
  TextureCopy,
} from "./lower.ts";
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
  const dispatches = steps.filter((step) => step.kind === "dispatch");
  const places = dispatches.flatMap(({ bindings }) => Object.values(bindings));
  const most = <T>(all: readonly T[], needs: (one: T) => number) =>
    all.reduce((most, one) => Math.max(most, needs(one)), 0);
  const bound = (kind: Binding["kind"]) => ({ kernel, bindings }: DispatchStep) =>
    Object.keys(bindings).filter((name) => kernel.bindings.get(name)?.kind === kind).length;
  return {
    maxStorageBufferBindingSize: most(places.filter((p) => p instanceof Storage), boundBytes),
    maxStorageBuffersPerShaderStage: most(dispatches, bound("buffer")),
    maxStorageTexturesPerShaderStage: most(dispatches, bound("texture")),
    maxTextureDimension2D: most(
      places.filter((p) => p instanceof TextureCopy),
      ({ storage }) => Math.max(TEXTURE_WIDTH, textureRows(storage.bytes)),
    ),
    maxComputeWorkgroupsPerDimension: most(dispatches, ({ workgroups }) => Math.max(...workgroups)),
    maxComputeInvocationsPerWorkgroup: most(
      dispatches,
      ({ kernel, entryPoint, constants }) => invocations(kernel, entryPoint, constants),
    ),
    maxComputeWorkgroupStorageSize: most(dispatches, ({ kernel }) => workgroupBytes(kernel)),
  };
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
  const operandsOf = (step: Step): [string, Place][] =>
    step.kind === "copy"
      ? [["its source", step.from], ["its target", step.to]]
      : Object.entries(step.bindings);
  const variableSizes = new Set(
    steps.flatMap(operandsOf).flatMap(([, place]) => storageOf(place).fixed?.bytes ?? []),
  );
  for (const step of steps) {
    const require = (limit: keyof SizeLimits, needed: number, of: Storage, what: string) => {
      if (needed <= limits[limit]) return;
      // Storage with a place is a variable, and storage of the same size its gradient: a smaller
      // batch makes neither smaller.
      const ofVariable = of.root.fixed || variableSizes.has(roundUp(of.bytes, ALIGNMENT));
      throw new OutOfMemoryError(
        `${step.label} needs ${what}: this device's ${limit} is ${limits[limit]}. ` +
          (ofVariable ? ADVICE_FOR_VARIABLES : ADVICE),
      );
    };
    for (const [name, place] of operandsOf(step)) {
      if (place instanceof TextureCopy) {
        const { storage } = place;
        const rows = textureRows(storage.bytes);
        const what = `${storage.bytes} bytes in a texture of ${rows} rows for ${storage.label}`;
        require("maxTextureDimension2D", rows, storage, what);
        continue;
      }
      if (step.kind !== "copy") {
        const bytes = boundBytes(place);
        const what = `${bytes} bytes in one binding for ${name}, ${place.label}`;
        require("maxStorageBufferBindingSize", bytes, place, what);
      }
      const { root } = place;
      if (root.fixed) continue; // It is allocated already.
      const bytes = roundUp(root.bytes, ALIGNMENT);
      require(
        "maxBufferSize",
        bytes,
        root,
        `a buffer of ${bytes} bytes for ${name}, ${root.label}`,
      );
    }
  }
}
