/**
 * The messages between the page and its worker.
 *
 * The page gives orders and asks questions; the worker answers each question once, and sends events in
 * between. Arrays are transferred, not copied.
 *
 * @module
 */

import type { Settings } from "./settings.ts";

/** Which generator makes images: the one in training, the one that ships with the page, one of a file. */
export type Source = "run" | "shipped" | "opened";

/** Orders, which have no answer: what they change, events report. */
export type Order =
  /** Looks for a device and for a run kept from before, and makes a run. The first order. */
  | { readonly type: "hello"; readonly settings: Settings; readonly bare: boolean }
  /** Makes a new run with these settings, on MNIST, on the images just read, or on what it had before. */
  | { readonly type: "begin"; readonly settings: Settings; readonly data?: "mnist" | "read" }
  /** Goes on with the run that is kept from before. */
  | { readonly type: "resume" }
  /** Trains until "pause"; with `delay`, so many milliseconds pass between steps. */
  | { readonly type: "train"; readonly delay: number }
  /** Ends "train" after the step under way. */
  | { readonly type: "pause" }
  /** Trains one step. */
  | { readonly type: "step" }
  /** Goes back to the snapshot of a step. */
  | { readonly type: "rewind"; readonly step: number }
  /** Asks for the next "frame". The page asks again once it has drawn one, so it is never flooded. */
  | { readonly type: "frame" }
  /** Keeps the run in the origin's private file system now. */
  | { readonly type: "keep" };

/** Questions by name, each with what is asked and what is answered. */
export interface Questions {
  /** Images of noise vectors [count, noiseDim]. */
  generate: {
    readonly ask: { readonly noise: Float32Array; readonly from: Source };
    readonly answer: { readonly images: Float32Array };
  };
  /** What a generator takes and gives, and the directions in its noise that change images most. */
  latent: {
    readonly ask: { readonly from: Source; readonly seed: number };
    readonly answer: {
      readonly noiseDim: number;
      readonly image: ImageSize;
      /** The noise of the sixteen images in the grid. */
      readonly noise: Float32Array;
      /** Five unit vectors [5, noiseDim]. */
      readonly directions: Float32Array;
    };
  };
  /** What the discriminator thinks of an image on [-1, 1], and the gradient of its logit there. */
  judge: {
    readonly ask: { readonly image: Float32Array };
    readonly answer: { readonly probability: number; readonly gradient: Float32Array };
  };
  /** An image to judge: of the data, of the generator, or random pixels. */
  example: {
    readonly ask: { readonly kind: "real" | "generated" | "random" };
    readonly answer: { readonly image: Float32Array };
  };
  /** A PNG of images side by side, or a GIF of images one after another. */
  render: {
    readonly ask: {
      readonly noise: Float32Array;
      readonly from: Source;
      readonly form: "png" | "gif";
    };
    readonly answer: { readonly bytes: Uint8Array<ArrayBuffer> };
  };
  /** A file of the run. */
  export: {
    readonly ask: { readonly form: "checkpoint" | "safetensors" | "onnx" };
    readonly answer: { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> };
  };
  /** Opens a checkpoint and goes on with it; or only shows its generator, and says why. */
  open: {
    readonly ask: { readonly file: File };
    readonly answer: { readonly step: number } | { readonly why: string };
  };
  /** Reads image files; "begin" makes them the data of a run. */
  images: {
    readonly ask: {
      /** Some of them: passing on thousands at once would stop the page for seconds. */
      readonly files: readonly File[];
      /** Whether they are the first ones. */
      readonly first: boolean;
      readonly size: number;
      readonly color: boolean;
    };
    readonly answer: {
      /** Images so far. */
      readonly count: number;
      /** Whether there is no room for more. */
      readonly full: boolean;
      /** Those of these files that were skipped. */
      readonly skipped: readonly Skipped[];
    };
  };
  /** How long each kernel of one step takes. */
  profile: {
    readonly ask: Record<never, never>;
    readonly answer: { readonly kernels: readonly KernelTime[] };
  };
}

/** A file that was skipped. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

/** Dispatches of one kernel in a step, together. */
export interface KernelTime {
  readonly kernel: string;
  readonly dispatches: number;
  readonly milliseconds: number;
}

/** Sizes of an image. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** A question with the number that its answer will carry. */
export type Question = {
  readonly [K in keyof Questions]: { readonly type: K; readonly id: number } & Questions[K]["ask"];
}[keyof Questions];

/** What the page sends. */
export type Command = Order | Question;

/** Losses of one step. */
export interface Losses {
  readonly step: number;
  readonly generator: number;
  readonly discriminator: number;
}

/** The losses of a run, with each point the mean of some steps. */
export interface LossesSoFar {
  /** Steps of a point at present. */
  readonly width: number;
  readonly points: readonly Losses[];
}

/** What the run looks like at a step. */
export interface Frame {
  readonly step: number;
  readonly epoch: number;
  /** Bytes [64, height, width, channels] of the same noise each time. */
  readonly images: Uint8ClampedArray<ArrayBuffer>;
  /** The probabilities that the discriminator gives 64 real images of being real. */
  readonly real: Float32Array;
  /** The same for the generated images. */
  readonly generated: Float32Array;
  /** How much the generated images differ from each other, as a share of how much real ones do. */
  readonly variety: number;
}

/** A run, when it begins or is replaced. */
export interface RunInfo {
  readonly settings: Settings;
  readonly step: number;
  /** Name of the data, and how many images they are. */
  readonly data: { readonly name: string; readonly count: number; readonly image: ImageSize };
  readonly adapter: string;
  /** Keras' summaries. */
  readonly summaries: readonly string[];
  readonly stepsPerEpoch: number;
  readonly losses: LossesSoFar;
}

/** What one step costs, once it is compiled. */
export interface Cost {
  readonly dispatches: number;
  readonly flops: number;
  readonly plannedBytes: number;
  readonly tensorBytes: number;
}

/** What the worker sends. */
export type Event =
  /** What takes long at present; nothing when it is over. */
  | { readonly type: "busy"; readonly text?: string; readonly done?: number }
  /** A new run is ready; it stands still. */
  | { readonly type: "ready"; readonly run: RunInfo }
  /** A run is kept from before, and not the one that is ready. */
  | { readonly type: "kept"; readonly step: number }
  /** The run at a step is in the private file system. */
  | { readonly type: "stored"; readonly step: number }
  | { readonly type: "training"; readonly running: boolean }
  | {
    readonly type: "losses";
    readonly losses: readonly Losses[];
    readonly imagesPerSecond: number;
  }
  | { readonly type: "frame"; readonly frame: Frame }
  | { readonly type: "cost"; readonly cost: Cost }
  /** Steps that can be gone back to. */
  | { readonly type: "snapshots"; readonly steps: readonly number[] }
  /** The images of a new snapshot, as in a frame. */
  | {
    readonly type: "snapshot";
    readonly step: number;
    readonly images: Uint8ClampedArray<ArrayBuffer>;
  }
  /** The run went back to a snapshot: on request, or since its GPU was lost. */
  | { readonly type: "rewound"; readonly step: number }
  /** What a person should know. */
  | { readonly type: "message"; readonly text: string; readonly warning: boolean }
  /** There is no device: the page shows the shipped generator alone. */
  | { readonly type: "unavailable"; readonly text: string }
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  /** Why there is no answer; empty if another run took the place of the one that was asked. */
  | { readonly type: "refusal"; readonly id: number; readonly text: string };
