/**
 * One training step of the full-size network, from `run` until the device is done.
 *
 *   deno task bench
 *
 * @module
 */

import { Gpu } from "../mod.ts";
import { batchOf, makeModel } from "./support/model.ts";

const gpu = await Gpu.request();
const model = makeModel(gpu);

for (const batch of [16, 64, 256]) {
  const indices = batchOf(batch);
  // Warming up compiles.
  Deno.bench(`training step, batch ${batch}`, { group: "step", n: 3, warmup: 1 }, async () => {
    model.step(indices);
    await gpu.idle();
  });
}
