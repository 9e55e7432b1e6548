/**
 * Training on images of your own: any folder of PNG, JPEG or WebP files, in color. Without a folder, the
 * example draws one first: discs, squares and triangles of all colors.
 *
 *   deno run --allow-read --allow-write examples/images.ts
 *
 * Options: --data DIR (a folder of images), --size N (32; height and width, a multiple of 4),
 * --out DIR (default out-images), --epochs N (40), --steps N (stop after so many), --seed N (0;
 * of the training: the shapes differ from run to run).
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodePNG, loadImages, trainDCGAN } from "../mod.ts";

const { values: args } = parseArgs({
  options: {
    data: { type: "string" },
    size: { type: "string", default: "32" },
    out: { type: "string", default: "out-images" },
    epochs: { type: "string", default: "40" },
    steps: { type: "string", default: "Infinity" },
    seed: { type: "string", default: "0" },
  },
});
const size = Number(args.size);

/** A shape of one color on a dark ground, somewhere in the image: [size, size, 3]. */
function drawShape(shape: number, size: number): Uint8Array {
  const radius = size * (0.2 + 0.15 * Math.random());
  const [cx, cy] = [0, 1].map(() => size / 2 + (size / 2 - radius) * (Math.random() - 0.5));
  const color = [0, 1, 2].map(() => 80 + Math.floor(176 * Math.random()));
  const inside = [
    (x: number, y: number) => Math.hypot(x, y) < radius,
    (x: number, y: number) => Math.max(Math.abs(x), Math.abs(y)) < 0.85 * radius,
    (x: number, y: number) => y < 0.8 * radius && 1.8 * Math.abs(x) < y + radius,
  ][shape];
  const data = new Uint8Array(size * size * 3).fill(24);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (inside(x + 0.5 - cx, y + 0.5 - cy)) data.set(color, (y * size + x) * 3);
    }
  }
  return data;
}

/** Writes a folder with a subfolder for each shape, whose names become labels. */
async function drawFolder(dir: string, size: number): Promise<void> {
  for (const [shape, name] of ["disc", "square", "triangle"].entries()) {
    await Deno.mkdir(join(dir, name), { recursive: true });
    for (let i = 0; i < 400; i++) {
      const data = drawShape(shape, size);
      const file = join(dir, name, `${String(i).padStart(3, "0")}.png`);
      await Deno.writeFile(file, encodePNG({ width: size, height: size, channels: 3, data }));
    }
  }
}

const folder = args.data ?? `${args.out}-data`;
if (!args.data) {
  await drawFolder(folder, 40);
  console.log(`drew images into ${folder}`);
}

// `size` scales every image to cover that size and crops the rest. Without it, all files must have
// the same size.
const dataset = await loadImages(folder, { size: [size, size], channels: 3 });
console.log(
  `${dataset.count} images of ${dataset.width} x ${dataset.height}, ` +
    (dataset.classes.length ? `of ${dataset.classes.join(", ")}` : "without labels"),
);

// The networks take height, width and channels from the data set. Small batches and the paper's
// learning rate and beta1 (Radford et al. 2015) learn small data sets faster.
using run = await trainDCGAN({
  dataset,
  epochs: Number(args.epochs),
  maxSteps: args.steps === "Infinity" ? undefined : Number(args.steps),
  batchSize: 32,
  generatorWidths: [128, 64, 32],
  discriminatorWidths: [32, 64],
  learningRate: 2e-4,
  beta1: 0.5,
  seed: Number(args.seed),
  outDir: args.out,
  overwrite: true,
  onStep: ({ step, generatorLoss }) => {
    if (step === 1 || step % 10 === 0) {
      console.log(`step ${step}  generator ${generatorLoss.toFixed(4)}`);
    }
  },
  onEpoch: ({ epoch, generatorLoss, discriminatorLoss, image }) =>
    console.log(
      `epoch ${epoch}  generator ${generatorLoss.toFixed(4)}  ` +
        `discriminator ${discriminatorLoss.toFixed(4)}  ${image}`,
    ),
});
console.log(`wrote ${run.gif}`);
