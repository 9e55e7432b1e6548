/**
 * This library, as `trainDCGAN` drives it.
 *
 * @module
 */

import { Discriminator, Generator, Gpu, ops, type Program, type RandomState } from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import type { SafeTensor } from "../../src/formats/safetensors.ts";
import { RandomSequence, STREAM } from "../../src/model/threefry.ts";
import { batchOf, compileGeneration } from "../support/model.ts";
import { serve, type Setup, type Weights } from "./serve.ts";

const SEED = 0;

const gpu = await Gpu.request();
let model: DCGAN | undefined;
let indices: Uint32Array;
let steps: number;
const samplers = new Map<number, Program<"noise", "images">>();
let noises: { readonly state: RandomState; readonly program: Program<never, "noise"> } | undefined;

async function initialWeights(disturbed: boolean): Promise<Weights> {
  const weights = new Map<string, SafeTensor>();
  const random = new RandomSequence(1, STREAM.samples);
  for (const network of [new Generator(gpu, { seed: SEED }), new Discriminator(gpu)]) {
    for (const variable of network.variables) {
      let data = await variable.read();
      // Kernels are random as they are; a variance must stay positive.
      if (disturbed && !variable.name.endsWith("kernel")) {
        data = data.map((x) => x + 0.2 * Math.max(-3, Math.min(3, random.normal())));
      }
      const { name, shape } = variable;
      weights.set(`${network.name}/${name}`, { dtype: "F32", shape, data });
    }
    network.dispose();
  }
  return weights;
}

function prepare({ weights, images, batch, dropout }: Setup): void {
  for (const program of samplers.values()) program[Symbol.dispose]();
  samplers.clear();
  noises?.program[Symbol.dispose]();
  noises?.state.dispose();
  noises = undefined;
  model?.[Symbol.dispose]();
  const image = { height: 28, width: 28, channels: 1 };
  model = new DCGAN(gpu, { images, labels: new Uint8Array(), count: batch, ...image }, {
    seed: SEED,
    dropout,
  });
  for (const network of [model.generator, model.discriminator]) {
    for (const variable of network.variables) {
      variable.write(weights.get(`${network.name}/${variable.name}`)!.data);
    }
  }
  indices = batchOf(batch);
  steps = 0;
}

/** The step draws its noise first: the same seed and count of steps give the same numbers here. */
async function nextNoise(): Promise<Float32Array<ArrayBuffer>> {
  if (!noises) {
    const state = gpu.variable([2], [SEED, 0], { dtype: "u32", trainable: false });
    const shape = [indices.length, 100];
    const program = gpu.compile({}, () => ({ noise: ops.randomNormal(shape, { state }) }));
    noises = { state, program };
  }
  noises.state.write([SEED, steps]);
  noises.program.run();
  return (await noises.program.read("noise")).noise;
}

await serve({
  describe: () => `this library on ${gpu.info.description}, Deno ${Deno.version.deno}`,
  initialWeights,
  prepare,
  nextNoise,
  async step() {
    model!.step(indices);
    steps++;
    const [losses] = await model!.losses.take(1);
    return losses;
  },
  async generate(noise, batch, runs) {
    let program = samplers.get(batch);
    if (!program) samplers.set(batch, program = compileGeneration(gpu, model!, batch));
    for (let run = 0; run < runs; run++) program.run({ noise });
    return (await program.read("images")).images;
  },
});
