/**
 * The contestants' side of the protocol.
 *
 * @module
 */

import {
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
} from "../../src/formats/safetensors.ts";
import {
  type Answer,
  lines,
  type Losses,
  type Preparation,
  readFloats,
  type Request,
  writeFloats,
} from "./protocol.ts";

/** Weights by name: `generator/dense/kernel`, ..., in Keras' order, shapes and layouts. */
export type Weights = ReadonlyMap<string, SafeTensor>;

/** A preparation whose files have been read. */
export type Setup = Omit<Preparation, "weights" | "images"> & {
  readonly weights: Weights;
  readonly images: Uint8Array<ArrayBuffer>;
};

/** A library that trains the tutorial's DCGAN. */
export interface Library {
  /** Library, version, device. */
  describe(): string;
  /** Makes both networks and optimizers anew, and frees those of before. */
  prepare(setup: Setup): void | Promise<void>;
  /** One training step; done when its losses are read. `noise` [batch, 100] replaces its own. */
  step(noise?: Float32Array<ArrayBuffer>): Promise<Losses>;
  /** Images [batch, 28, 28, 1] in inference mode, `runs` times; done when the device is done. */
  generate?(
    noise: Float32Array<ArrayBuffer>,
    batch: number,
    runs: number,
  ): Promise<Float32Array<ArrayBuffer>>;
  /** Initial weights; `disturbed` moves those that are all 0 or 1. Ours only. */
  initialWeights?(disturbed: boolean): Promise<Weights>;
  /** The noise that the next step will draw. Ours only. */
  nextNoise?(): Promise<Float32Array<ArrayBuffer>>;
}

/** Images as the tutorial trains on them: bytes scaled to [-1, 1]. */
export function scale(images: Uint8Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(images, (byte) => (byte - 127.5) / 127.5);
}

/**
 * Adam's epsilon for step t where a library adds it after the second moment's bias correction
 * (PyTorch, tfjs). Keras adds its 1e-7 before, which is the same as adding this many after.
 *
 * In the first step it is 32 times as much, which matters for gradients of about 1e-6. No time
 * depends on it, so it is used only where losses are compared.
 */
export function kerasEpsilon(step: number): number {
  return 1e-7 / Math.sqrt(1 - 0.999 ** step);
}

/** What a library's device runs on. A fair comparison needs the same for all. */
export function onAdapter(device: { readonly adapterInfo: { readonly description: string } }) {
  return `on ${device.adapterInfo.description}, Deno ${Deno.version.deno}`;
}

async function answer(library: Library, request: Request): Promise<Answer> {
  switch (request.call) {
    case "describe":
      return { text: library.describe() };
    case "initialWeights": {
      const tensors = await library.initialWeights!(request.disturbed);
      await Deno.writeFile(request.to, encodeSafetensors({ tensors, metadata: {} }));
      return {};
    }
    case "prepare": {
      const { tensors } = decodeSafetensors(await Deno.readFile(request.weights), request.weights);
      const images = await Deno.readFile(request.images);
      await library.prepare({ ...request, weights: tensors, images });
      return {};
    }
    case "nextNoise":
      await writeFloats(request.to, await library.nextNoise!());
      return {};
    case "step":
      return {
        losses: await library.step(request.noise ? await readFloats(request.noise) : undefined),
      };
    case "generate": {
      const noise = await readFloats(request.noise);
      const generated = await library.generate!(noise, request.batch, request.runs);
      if (request.to) await writeFloats(request.to, generated);
      return {};
    }
  }
}

/** Serves requests until stdin ends. */
export async function serve(library: Library): Promise<void> {
  console.log = console.info = console.debug = console.error; // stdout belongs to the protocol
  for await (const line of lines(Deno.stdin.readable)) {
    let reply: Answer;
    try {
      reply = await answer(library, JSON.parse(line));
    } catch (error) {
      reply = { error: (error as Error).stack ?? String(error) };
    }
    await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(reply) + "\n"));
  }
  Deno.exit(); // no library's timers or workers keep the process
}
