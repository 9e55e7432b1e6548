/** Which pipelines programs have a device make. */

import { type Device, Gpu, ops } from "../../../mod.ts";
import { TUNING, type Tuning } from "../../../src/graph/tuning.ts";
import { DCGAN } from "../../../src/training/dcgan.ts";
import { recordStep } from "../../../src/training/step.ts";
import { cases } from "../../ops/cases.ts";
import { blobs } from "../dataset.ts";
import { recordable } from "../gradcheck.ts";

/** A pipeline, as a program asks for it. */
export interface Pipeline {
  /** `random.wgsl` */
  readonly file: string;
  readonly entryPoint: string;
  readonly constants: Readonly<Record<string, number>>;
}

/** A device that makes nothing, and hands over what pipelines it is asked for. */
function recorder(limits: Readonly<Record<string, number>>, onPipeline: (p: Pipeline) => void) {
  const resource = { destroy() {}, createView() {}, getBindGroupLayout() {} };
  const device = {
    limits,
    features: new Set(),
    lost: new Promise(() => {}),
    queue: { writeBuffer() {} },
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: () => Promise.resolve(null),
    createBuffer: () => resource,
    createTexture: () => resource,
    createBindGroup: () => resource,
    createShaderModule: ({ label }: { label: string }) => label,
    createComputePipeline({ compute }: { compute: Omit<Pipeline, "file"> & { module: string } }) {
      const { module, entryPoint, constants } = compute;
      onPipeline({ file: module, entryPoint, constants });
      return resource;
    },
  };
  return device as unknown as Device;
}

const VARIANTS: readonly Partial<Tuning>[] = [
  TUNING.gpu,
  ...(["auto", "winograd", "texture", "direct"] as const)
    .map((gemm) => ({ ...TUNING.software, gemm })),
];

/**
 * The pipelines of the table of cases, and of the tutorial's training step, with each variant of the
 * kernels; each once.
 *
 * @param limits of the device that they are meant for
 */
export function pipelinesOfPrograms(limits: Readonly<Record<string, number>>): Pipeline[] {
  const found = new Map<string, Pipeline>();
  for (const tuning of VARIANTS) {
    const device = recorder(limits, (pipeline) => found.set(JSON.stringify(pipeline), pipeline));
    const gpu = Gpu.from(device, { tuning });
    for (const row of Object.values(cases).flat()) {
      if ("elsewhere" in row) continue;
      const { inputs, body } = recordable(row);
      gpu.compile(inputs, body);
    }
    gpu.compile({}, () => ({ bits: ops.randomBits([8]), uniform: ops.randomUniform([8]) }));
    const model = new DCGAN(gpu, blobs(300), {});
    const [inputs, body, options] = recordStep(model, 256);
    gpu.compile(inputs, body, { ...options, checkFinite: true });
  }
  return [...found.values()];
}
