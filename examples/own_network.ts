/**
 * A network of your own: layers, a loss, Adam. It learns whether a noisy image shows a disc, a square
 * or a cross; the images are drawn here.
 *
 *   deno run examples/own_network.ts
 *
 * Options: --steps N (200). It needs no permission.
 */

import { parseArgs } from "node:util";
import { Adam, Gpu, grad, layers, ops, Sequential } from "../mod.ts";

const { values: args } = parseArgs({ options: { steps: { type: "string", default: "200" } } });
const [BATCH, SIZE] = [64, 16];
const SHAPES = [
  (x: number, y: number) => Math.hypot(x, y) < 4.5, // a disc
  () => true, // all of the square
  (x: number, y: number) => Math.abs(x) < 2 || Math.abs(y) < 2, // a cross
];

/** Images [BATCH, SIZE, SIZE, 1] of shapes at random places, and their one-hot labels [BATCH, 3]. */
function draw() {
  const images = Float32Array.from({ length: BATCH * SIZE * SIZE }, () => Math.random() - 0.5);
  const labels = new Float32Array(BATCH * 3);
  for (let i = 0; i < BATCH; i++) {
    const [kind, left, top] = [3, 8, 8].map((n) => Math.floor(n * Math.random()));
    labels[3 * i + kind] = 1;
    for (let p = 0; p < 81; p++) {
      const [x, y] = [p % 9, Math.floor(p / 9)];
      if (SHAPES[kind](x - 4, y - 4)) images[(i * SIZE + top + y) * SIZE + left + x] += 1;
    }
  }
  return { images, labels };
}

using gpu = await Gpu.request();
const network = new Sequential(gpu, [SIZE, SIZE, 1], [
  layers.conv2D(16, { kernelSize: 5, strides: 2, padding: "same" }),
  layers.batchNormalization({ momentum: 0.9 }),
  layers.leakyReLU(),
  layers.conv2D(32, { kernelSize: 5, strides: 2, padding: "same", activation: "relu" }),
  layers.flatten(),
  layers.dropout(0.3),
  layers.dense(3),
]);
const inputs = { images: [BATCH, SIZE, SIZE, 1], labels: [BATCH, 3] };
const adam = new Adam(gpu, network.trainableVariables, { learningRate: 2e-3 });
using step = gpu.compile(inputs, ({ images, labels }) => {
  const logits = network.call(images, { training: true });
  const loss = ops.mean(ops.softmaxCrossEntropyWithLogits(logits, labels));
  adam.apply(grad(loss, network.trainableVariables));
  const own = ops.sum(ops.mul(logits, labels), -1); // right where no other class has more
  return { loss, mistakes: ops.sum(ops.step(ops.sub(ops.max(logits, -1), own))) };
});
for (let i = 1; i <= Number(args.steps); i++) {
  step.run(draw());
  if (i % 50) continue;
  const { loss, mistakes } = await step.read();
  console.log(`step ${i}  loss ${loss[0].toFixed(4)}  ${BATCH - mistakes[0]} of ${BATCH} right`);
}
