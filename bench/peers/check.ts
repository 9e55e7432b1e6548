/**
 * Whether a contestant computes what ours computes: the same weights, images and noise must give
 * the same losses and images.
 *
 * @module
 */

import type { Contestant } from "./process.ts";
import { type Losses, readFloats, type Request } from "./protocol.ts";

/**
 * The first step compares forward passes, the second what the gradients did to the weights, the
 * third what the moments add to it.
 */
const STEPS = 3;
const BATCH = 4;
/** Of each loss, relative. Sums of thousands of floats in another order differ by less than 1e-6. */
const LOSS_TOLERANCE = 1e-5;
/** Of each pixel, absolute; pixels are on [-1, 1]. */
const PIXEL_TOLERANCE = 1e-4;

/** What ours computed, to be compared with. */
export interface Reference {
  readonly prepare: Request;
  /** Files of the noise of each step. */
  readonly noises: readonly string[];
  readonly losses: readonly Losses[];
  readonly generated: Float32Array;
}

/** How far a contestant is from ours. */
export interface Verdict {
  readonly name: string;
  /** Its library, version and device. */
  readonly about: string;
  readonly ok: boolean;
  /** The outcome in words. */
  readonly text: string;
  /** The worst relative difference of a loss. */
  readonly losses?: number;
  /** The worst difference of a pixel, where images are compared. */
  readonly pixels?: number;
}

async function generate(contestant: Contestant, noise: string, to: string) {
  await contestant.ask({ call: "generate", noise, batch: BATCH, runs: 1, to });
  return await readFloats(to);
}

/**
 * Runs ours. Dropout is off, as no two libraries draw the same masks; weights that start at 0 or 1
 * are moved away from there, or a wrong use of them would not show.
 */
export async function makeReference(
  ours: Contestant,
  images: Uint8Array,
  scratch: string,
): Promise<Reference> {
  const weights = `${scratch}/check.safetensors`;
  await ours.ask({ call: "initialWeights", disturbed: true, to: weights });
  const files = { weights, images: `${scratch}/check.images` };
  await Deno.writeFile(files.images, images.subarray(0, BATCH * 784));
  const prepare = { call: "prepare", ...files, batch: BATCH, dropout: 0, exact: true } as const;
  await ours.ask(prepare);
  const noises: string[] = [];
  const losses: Losses[] = [];
  let generated = new Float32Array();
  for (let step = 0; step < STEPS; step++) {
    const noise = `${scratch}/check.noise${step}`;
    await ours.ask({ call: "nextNoise", to: noise });
    if (step === 0) generated = await generate(ours, noise, `${scratch}/ours.images`);
    losses.push((await ours.ask({ call: "step" })).losses!);
    noises.push(noise);
  }
  return { prepare, noises, losses, generated };
}

/** Not below anything when a number is not finite. */
const worst = (differences: number[]) =>
  differences.every(Number.isFinite) ? Math.max(...differences) : Infinity;

/**
 * Compares a contestant with ours. Images are compared before training only: PyTorch's moving
 * variance is that of a sample, Keras' that of the batch.
 */
export async function check(
  contestant: Contestant,
  reference: Reference,
  { images: wanted, scratch }: { readonly images: boolean; readonly scratch: string },
): Promise<Verdict> {
  const { name } = contestant;
  let about = "does not run";
  try {
    about = (await contestant.ask({ call: "describe" })).text!;
    await contestant.ask(reference.prepare);
    let pixels: number | undefined;
    if (wanted) {
      const theirs = await generate(contestant, reference.noises[0], `${scratch}/${name}`);
      pixels = theirs.length === reference.generated.length
        ? worst(Array.from(theirs, (x, i) => Math.abs(x - reference.generated[i])))
        : Infinity;
    }
    const differences: number[] = [];
    for (const [step, noise] of reference.noises.entries()) {
      const { losses } = await contestant.ask({ call: "step", noise });
      reference.losses[step].forEach((ours, i) => {
        differences.push(Math.abs(losses![i] - ours) / Math.abs(ours));
      });
    }
    const losses = worst(differences);
    const ok = losses <= LOSS_TOLERANCE && (pixels ?? 0) <= PIXEL_TOLERANCE;
    const within = (what: string, difference: number, allowed: number) =>
      `${what} within ${difference.toExponential(1)} of ours (${allowed.toExponential()} allowed)`;
    const parts = [within(`losses of ${STEPS} steps`, losses, LOSS_TOLERANCE)];
    if (pixels !== undefined) parts.push(within("pixels", pixels, PIXEL_TOLERANCE));
    const text = `${ok ? "passes" : "FAILS"}: ${parts.join(", ")}`;
    return { name, about, ok, text, losses, pixels };
  } catch (error) {
    return { name, about, ok: false, text: `FAILS: ${(error as Error).message}` };
  }
}
