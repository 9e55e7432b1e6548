/**
 * A training step of your own: a GAN with the least-squares loss (Mao et al. 2017) and clipped
 * gradients, for points in the plane that lie around eight places on a circle. Networks, loss,
 * clipping and loop are all written here; the library gives ops, gradients and Adam.
 *
 *   deno run examples/custom_step.ts
 *
 * Options: --steps N (3000), --seed N (0). It needs no permission.
 */

import { parseArgs } from "node:util";
import { Adam, Gpu, grad, ops, type Tensor, type Variable } from "../mod.ts";
import { howMany } from "./support/how_many.ts";

const { values: args } = parseArgs({
  options: {
    steps: { type: "string", default: "3000" },
    seed: { type: "string", default: "0" },
  },
});
const [steps, seed] = [howMany("steps", args.steps), Number(args.seed)];

const BATCH = 256;
const NOISE = 4;
const HIDDEN = 64;
using gpu = await Gpu.request();

// ---- Two networks of three dense layers. A variable is state that outlives a run.

function makeWeights(name: string, sizes: readonly number[]): Variable<"f32">[] {
  return gpu.variables(
    sizes.slice(1).flatMap((out, i) => [
      { name: `${name}/${i}/kernel`, shape: [sizes[i], out], trainable: true },
      { name: `${name}/${i}/bias`, shape: [out], trainable: true },
    ]),
  );
}
const generatorWeights = makeWeights("generator", [NOISE, HIDDEN, HIDDEN, 2]);
const criticWeights = makeWeights("critic", [2, HIDDEN, HIDDEN, 1]);

// Kernels begin with normal numbers of variance 2 / fan-in, biases with zeros. `assign` writes a
// variable when the program runs.
using initialize = gpu.compile({}, () => {
  for (const weight of [...generatorWeights, ...criticWeights]) {
    if (weight.shape.length < 2) continue;
    const stddev = Math.sqrt(2 / weight.shape[0]);
    ops.assign(weight, ops.randomNormal(weight.shape, { seed, stddev }));
  }
  return {};
});
initialize.run();

/** Records a network: [batch, in] to [batch, out]. */
function network(x: Tensor, weights: readonly Variable[]): Tensor {
  for (let i = 0; i < weights.length; i += 2) {
    x = ops.add(ops.matmul(x, weights[i]), weights[i + 1]);
    if (i + 2 < weights.length) x = ops.leakyRelu(x, 0.2);
  }
  return x;
}

// ---- The data: a random place on the circle, and a little noise around it.

const PLACES = 8;
const SPREAD = 0.05;
const circle = Array.from({ length: PLACES }, (_, i) => {
  const angle = 2 * Math.PI * i / PLACES;
  return [Math.cos(angle), Math.sin(angle)];
});
const places = gpu.variable([PLACES, 2], circle.flat(), { trainable: false });

function realPoints(): Tensor {
  // `gather` rounds its index: each of 0 to 7 has an interval of length 1.
  const range = { minimum: -0.5, maximum: PLACES - 0.5 };
  const which = ops.randomUniform([BATCH], { seed: seed + 1, ...range });
  const noise = ops.randomNormal([BATCH, 2], { seed: seed + 1, stddev: SPREAD });
  return ops.add(ops.gather(places, which), noise);
}

// ---- What is special about this step.

/** Mean squared distance from a number. */
const distance = (x: Tensor, from: number) => {
  const difference = ops.sub(x, from);
  return ops.mean(ops.mul(difference, difference));
};

/** Gradients scaled down together, so that the norm of all of them is at most `most`. */
function clip(gradients: readonly Tensor[], most: number): Tensor[] {
  const squares = gradients.map((g) => ops.sum(ops.mul(g, g)));
  const norm = ops.sqrt(squares.reduce((a, b) => ops.add(a, b)));
  return gradients.map((g) => ops.mul(g, ops.div(most, ops.maximum(norm, most))));
}

const generatorAdam = new Adam(gpu, generatorWeights, { learningRate: 5e-4, beta1: 0.5 });
const criticAdam = new Adam(gpu, criticWeights, { learningRate: 1e-3, beta1: 0.5 });

using step = gpu.compile({}, () => {
  const fake = network(ops.randomNormal([BATCH, NOISE], { seed: seed + 2 }), generatorWeights);
  const onReal = network(realPoints(), criticWeights);
  const onFake = network(fake, criticWeights);
  // The critic learns 1 for real points and 0 for fake ones; the generator learns to get a 1.
  const criticLoss = ops.add(distance(onReal, 1), distance(onFake, 0));
  const generatorLoss = distance(onFake, 1);
  const ofCritic = grad(criticLoss, criticWeights);
  const ofGenerator = grad(generatorLoss, generatorWeights);
  criticAdam.apply(clip(ofCritic, 1));
  generatorAdam.apply(clip(ofGenerator, 1));
  return { criticLoss, generatorLoss, fake };
});

// ---- The loop. `run` returns at once; `read` waits for the last run.

for (let i = 1; i <= steps; i++) {
  step.run();
  if (i % 500 !== 0 && i !== 1 && i !== steps) continue;
  const { criticLoss, generatorLoss, fake } = await step.read();
  const found = new Set<number>();
  let near = 0;
  for (let p = 0; p < BATCH; p++) {
    const [x, y] = fake.subarray(2 * p, 2 * p + 2);
    const place = circle.findIndex(([cx, cy]) => Math.hypot(x - cx, y - cy) < 4 * SPREAD);
    if (place < 0) continue;
    near++;
    found.add(place);
  }
  console.log(
    `step ${i}  critic ${criticLoss[0].toFixed(4)}  generator ${generatorLoss[0].toFixed(4)}  ` +
      `${
        Math.round(100 * near / BATCH)
      } % of points near a place, ${found.size} of ${PLACES} found`,
  );
}
