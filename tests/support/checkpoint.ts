/** Files of a run that nobody trained. */

import { join } from "node:path";
import { encodePNG, type Gpu } from "../../mod.ts";
import { encodeCheckpoint } from "../../src/training/checkpoint.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import { VERSION } from "../../src/version.ts";
import { blobs } from "./dataset.ts";

/** Writes a checkpoint of a small, untrained network into a run's folder; its path. */
export async function writeCheckpoint(gpu: Gpu, run: string): Promise<string> {
  using model = new DCGAN(gpu, blobs(2), {
    seed: 1,
    noiseDim: 8,
    generatorWidths: [8, 8, 8],
    discriminatorWidths: [4, 12],
  });
  const bytes = encodeCheckpoint({
    tensors: await model.save(),
    configuration: { dataset: [2, 28, 28, 1], noiseDim: 8, discriminatorWidths: [4, 12] },
    kernels: "{}",
    version: VERSION,
    position: {},
  });
  const folder = join(run, "training_checkpoints");
  await Deno.mkdir(folder, { recursive: true });
  const path = join(folder, "ckpt-0001.safetensors");
  await Deno.writeFile(path, bytes);
  return path;
}

/** Writes images of one gray each into a run's folder: `epoch_0001: 10` and so on. */
export async function writeImages(dir: string, grays: Record<string, number>): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  for (const [name, gray] of Object.entries(grays)) {
    const image = { width: 6, height: 4, channels: 1, data: new Uint8Array(24).fill(gray) };
    await Deno.writeFile(join(dir, `image_at_${name}.png`), encodePNG(image));
  }
}
