/**
 * The DCGAN tutorial from beginning to end, in the library's own parts: nothing here is hidden in
 * `trainDCGAN`, which does the same in one call.
 *
 *   deno run --lock=src/cli/deno.lock --frozen --allow-read --allow-write --allow-env --allow-net examples/tutorial.ts
 *
 * Options: --data DIR (MNIST's IDX files), --out DIR (default out-tutorial), --epochs N (50), --steps N
 * (stop after so many), --small (half the channels, batches of 64), --seed N (0), --resume.
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  Adam,
  decodePNG,
  decodeSafetensors,
  Discriminator,
  discriminatorLoss,
  encodeGIF,
  encodePNG,
  encodeSafetensors,
  Generator,
  generatorLoss,
  Gpu,
  grad,
  type Grid,
  imageGrid,
  ops,
  type SafeTensor,
  tutorialFrames,
  type Variable,
} from "../mod.ts";
import { howMany } from "./support/how_many.ts";
import { findMNIST } from "./support/mnist.ts";

const { values: args } = parseArgs({
  options: {
    data: { type: "string" },
    out: { type: "string", default: "out-tutorial" },
    epochs: { type: "string", default: "50" },
    steps: { type: "string", default: "Infinity" },
    small: { type: "boolean", default: false },
    seed: { type: "string", default: "0" },
    resume: { type: "boolean", default: false },
  },
});
const [epochs, maxSteps] = [howMany("epochs", args.epochs), howMany("steps", args.steps)];
const seed = Number(args.seed);
const batchSize = args.small ? 64 : 256;
await Deno.mkdir(args.out, { recursive: true });

// ---- Load and prepare the data.
//
// The images go to the GPU once, as bytes: 47 MB instead of 188 as floats. A step takes its batch
// from there, scaled to [-1, 1], which is also the range of the generator's tanh.

const { images, count, height, width } = await findMNIST("train", args.data);

using gpu = await Gpu.request();
const dataset = gpu.variable([count, height, width, 1], images, { dtype: "u8", trainable: false });

// Where all random numbers of the training come from: [seed, step]. Every run of a program that draws
// from it moves the step on. As a variable, it can be saved with the weights.
const random = gpu.variable([2], [seed, 0], { dtype: "u32", trainable: false, name: "random" });

// ---- The generator: 100 random numbers become an image.

const options = { seed, height, width };
const generator = new Generator(gpu, {
  ...options,
  widths: args.small ? [128, 64, 32] : [256, 128, 64],
});
console.log(generator.summary());

// The same sixteen noise vectors throughout: the same images get better.
const EXAMPLES = 16;
using drawNoise = gpu.compile({}, () => ({
  noise: ops.randomNormal([EXAMPLES, generator.noiseDim], { seed }),
}));
drawNoise.run();
const exampleNoise = (await drawNoise.read()).noise;

// `training: false` makes batch normalization use its moving averages: an image does not depend on
// which other images are in its batch.
using sample = gpu.compile({ noise: [EXAMPLES, generator.noiseDim] }, ({ noise }) => ({
  images: generator.call(noise, { training: false }),
}));

/** The sixteen images of now, [16, 28, 28, 1] on [-1, 1]. */
async function makeExamples(): Promise<Float32Array> {
  sample.run({ noise: exampleNoise });
  return (await sample.read()).images;
}

function grid(images: Float32Array): Grid {
  return imageGrid(images, { count: EXAMPLES, height, width, channels: 1, columns: 4, scale: 3 });
}

const untrained = await makeExamples();
await Deno.writeFile(join(args.out, "untrained.png"), encodePNG(grid(untrained)));

// ---- The discriminator: an image becomes one number, positive for "real".

const discriminator = new Discriminator(gpu, {
  ...options,
  widths: args.small ? [32, 64] : [64, 128],
});
console.log(discriminator.summary());

using decide = gpu.compile({ image: [1, height, width, 1] }, ({ image }) => ({
  decision: discriminator.call(image, { training: false }),
}));
decide.run({ image: untrained.subarray(0, height * width) });
const [decision] = (await decide.read()).decision;
console.log(`the untrained discriminator's decision on an untrained image: ${decision}`);

// ---- Two optimizers: the two networks minimize different losses.

const adam = { learningRate: 1e-4 };
const generatorOptimizer = new Adam(gpu, generator.trainableVariables, adam);
const discriminatorOptimizer = new Adam(gpu, discriminator.trainableVariables, adam);

// ---- One training step, recorded once for a size of batch and then replayed.

function compileStep(batch: number) {
  return gpu.compile({ indices: { shape: [batch], dtype: "u32" } }, ({ indices }) => {
    const training = { training: true, state: random };
    const noise = ops.randomNormal([batch, generator.noiseDim], { state: random });
    const real = ops.gatherImages(dataset, indices);
    const fake = generator.call(noise, training);

    const realLogits = discriminator.call(real, training);
    const fakeLogits = discriminator.call(fake, training);

    // Both losses look at the same fake images: the generator wants them to be taken for real, the
    // discriminator wants to recognize them.
    const lossOfGenerator = generatorLoss(fakeLogits);
    const lossOfDiscriminator = discriminatorLoss(realLogits, fakeLogits);

    // Both gradients first, then both updates: neither network sees the other's new weights.
    const ofGenerator = grad(lossOfGenerator, generator.trainableVariables);
    const ofDiscriminator = grad(lossOfDiscriminator, discriminator.trainableVariables);
    generatorOptimizer.apply(ofGenerator);
    discriminatorOptimizer.apply(ofDiscriminator);

    return { lossOfGenerator, lossOfDiscriminator };
  }, { label: `step of ${batch}` });
}

// 60,000 images are 234 batches of 256 and one of 96, which is trained as well.
using step = compileStep(batchSize);
using lastStep = compileStep(count % batchSize || batchSize);

// ---- Checkpoints: everything that the next step depends on, in one safetensors file.

const checkpoint = join(args.out, "checkpoint.safetensors");

const state = new Map<string, Variable>([["random", random]]);
for (
  const [part, variables] of Object.entries({
    generator: generator.variables,
    discriminator: discriminator.variables,
    generatorOptimizer: [generatorOptimizer.state, ...generatorOptimizer.moments],
    discriminatorOptimizer: [discriminatorOptimizer.state, ...discriminatorOptimizer.moments],
  })
) {
  for (const variable of variables) state.set(`${part}/${variable.name}`, variable);
}

async function saveCheckpoint(epoch: number): Promise<void> {
  const tensors = new Map<string, SafeTensor>();
  for (const [name, variable] of state) {
    const data = await variable.read() as SafeTensor["data"];
    const dtype = variable.dtype === "u32" ? "U32" : "F32";
    tensors.set(name, { dtype, shape: variable.shape, data });
  }
  // Written beside and then renamed: a power cut leaves the old checkpoint, not half a new one.
  const bytes = encodeSafetensors({ tensors, metadata: { epoch: `${epoch}` } });
  await Deno.writeFile(`${checkpoint}.tmp`, bytes);
  await Deno.rename(`${checkpoint}.tmp`, checkpoint);
}

/** Gives the epoch that the checkpoint was written after. */
async function restoreCheckpoint(): Promise<number> {
  const { tensors, metadata } = decodeSafetensors(await Deno.readFile(checkpoint), checkpoint);
  for (const [name, variable] of state) variable.write(tensors.get(name)!.data);
  return Number(metadata.epoch);
}

// ---- The loop.

// The order of an epoch is that of random keys, one an image.
using shuffle = gpu.compile({}, () => ({ keys: ops.randomUniform([count], { state: random }) }));

let steps = 0;
const finished = args.resume ? await restoreCheckpoint() : 0;

for (let epoch = finished + 1; epoch <= epochs && steps < maxSteps; epoch++) {
  shuffle.run();
  const { keys } = await shuffle.read();
  const order = Uint32Array.from(keys.keys()).sort((a, b) => keys[a] - keys[b]);

  const begun = performance.now();
  const sum = { generator: 0, discriminator: 0, steps: 0 };
  let at = 0;
  while (at < count && steps < maxSteps) {
    const indices = order.subarray(at, at + batchSize);
    const program = indices.length === batchSize ? step : lastStep;
    program.run({ indices });
    // Waiting for the losses costs some 10 ms a step; trainDCGAN collects them on the GPU and reads
    // many at once.
    const { lossOfGenerator, lossOfDiscriminator } = await program.read();
    sum.generator += lossOfGenerator[0];
    sum.discriminator += lossOfDiscriminator[0];
    sum.steps++;
    steps++;
    at += indices.length;
    if (steps <= 20 || steps % 50 === 0) {
      console.log(
        `epoch ${epoch}  step ${steps}  generator ${lossOfGenerator[0].toFixed(4)}  ` +
          `discriminator ${lossOfDiscriminator[0].toFixed(4)}`,
      );
    }
  }

  const name = `image_at_epoch_${String(epoch).padStart(4, "0")}.png`;
  await Deno.writeFile(join(args.out, name), encodePNG(grid(await makeExamples())));
  console.log(
    `epoch ${epoch}  mean of ${sum.steps} steps: generator ` +
      `${(sum.generator / sum.steps).toFixed(4)}  discriminator ` +
      `${(sum.discriminator / sum.steps).toFixed(4)}  ` +
      `${((performance.now() - begun) / 1000).toFixed(0)} s  ${name}`,
  );
  // No checkpoint of an epoch that --steps cut short: --resume goes on after whole epochs.
  if (at === count && (epoch % 15 === 0 || epoch === epochs)) await saveCheckpoint(epoch);
}

// ---- The GIF, from the images in the folder: those of a run that was resumed are in it, too. The
// first epochs change most, so that they get more frames than later ones.

const names = [...Deno.readDirSync(args.out)].map((entry) => entry.name)
  .filter((name) => name.startsWith("image_at_epoch_")).sort();
const frames = tutorialFrames(names.length).map((i) =>
  decodePNG(Deno.readFileSync(join(args.out, names[i])), names[i])
);
await Deno.writeFile(join(args.out, "dcgan.gif"), encodeGIF(frames, { delayMs: 200 }));
console.log(`wrote ${join(args.out, "dcgan.gif")}`);
