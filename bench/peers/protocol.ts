/**
 * How the benchmark and a contestant's process talk: one JSON request a line on stdin, one JSON
 * answer a line on stdout. Arrays travel as files of 32-bit floats, so that no time goes to their
 * text.
 *
 * @module
 */

/** What a contestant is to train, and on what. */
export interface Preparation {
  /** Safetensors file: `generator/dense/kernel`, ..., in Keras' order, shapes and layouts. */
  readonly weights: string;
  /** File of [batch, 28, 28, 1] bytes. */
  readonly images: string;
  readonly batch: number;
  /** Share that dropout drops; the tutorial's is 0.3. */
  readonly dropout: number;
  /** Whether losses are to be compared: see `kerasEpsilon`. */
  readonly exact: boolean;
}

/** A request. Paths are those of files; `to` names one to be written. */
export type Request =
  | { readonly call: "describe" }
  | { readonly call: "initialWeights"; readonly disturbed: boolean; readonly to: string }
  | { readonly call: "prepare" } & Preparation
  | { readonly call: "nextNoise"; readonly to: string }
  | { readonly call: "step"; readonly noise?: string }
  | {
    readonly call: "generate";
    readonly noise: string;
    readonly batch: number;
    readonly runs: number;
    readonly to?: string;
  };

/** Generator's and discriminator's loss. */
export type Losses = readonly [number, number];

/** An answer: what the request asks for, or an error. */
export interface Answer {
  readonly error?: string;
  readonly text?: string;
  readonly losses?: Losses;
}

/** The lines of a stream of UTF-8. */
export async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

/** The floats of a file. */
export async function readFloats(path: string): Promise<Float32Array<ArrayBuffer>> {
  return new Float32Array((await Deno.readFile(path)).buffer);
}

/** Writes floats to a file. */
export function writeFloats(path: string, data: Float32Array<ArrayBuffer>): Promise<void> {
  return Deno.writeFile(path, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
