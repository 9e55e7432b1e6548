/** Trains, samples and encodes in a process without any permission. */

import * as dcgan from "../../mod.ts";
import { shippedFor } from "../../src/metrics/shipped.ts";
import { blobs, SMALL } from "./dataset.ts";

for (const name of ["read", "write", "net", "env", "run", "ffi", "sys"] as const) {
  const { state } = await Deno.permissions.query({ name });
  if (state === "granted") throw new Error(`${name} is granted`);
}
const options = { ...SMALL, dataset: blobs(12), batchSize: 8, epochs: 2, calibrate: {} };
{
  using trainer = await dcgan.Trainer.create(options);
  for await (const event of trainer) if (event.type === "epoch") console.log(event.epoch);
  const layout = { count: 4, height: 28, width: 28, channels: 1, columns: 2 };
  const grid = dcgan.imageGrid(await trainer.sample({ count: 4 }), layout);
  const png = dcgan.decodePNG(dcgan.encodePNG(grid), "grid");
  console.log(png.width === grid.width, dcgan.encodeGIF([grid, grid], { delayMs: 100 }).length > 0);
  console.log((await trainer.generator.toONNX()).length > 0);
  console.log(trainer.generator.summary().includes("Total params"));
}
const images = "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161";
console.log((await shippedFor(images) as Uint8Array).length > 0);
using run = await dcgan.trainDCGAN({ ...options, maxSteps: 1 });
console.log(run.steps);
