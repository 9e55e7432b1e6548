/**
 * One run in the worker: a trainer, the loop around it, and what the page sees of it.
 *
 * @module
 */

import { grad, ops, type Program, type Snapshot, Trainer } from "../mod.ts";
import type { Generator, Gpu } from "../mod.ts";
import { generate, Sampler, seedNoise } from "../src/model/sampler.ts";
import { encodeCheckpoint } from "../src/training/checkpoint.ts";
import type { Data } from "./data.ts";
import type { Device } from "./device.ts";
import { type FirstLayer, scaleOf } from "./infer.ts";
import type { Cost, Frame, ImageSize, KernelTime, Losses, Questions } from "./protocol.ts";
import type { LossesSoFar } from "./protocol.ts";
import { Series } from "./series.ts";
import type { Settings } from "./settings.ts";

/** Images that a frame has, and that the discriminator is asked about. */
const SHOWN = 64;

/** Milliseconds of training between two looks at what the page wants. */
const CHUNK = 80;

/** Snapshots take at most this much memory together, and are at most so many. */
const SNAPSHOT_BYTES = 256 * 1024 * 1024;
const MOST_SNAPSHOTS = 32;

/** What a run reports. */
export interface Reports {
  losses(losses: readonly Losses[], imagesPerSecond: number): void;
  frame(frame: Frame): void;
  snapshot(step: number, images: Uint8ClampedArray<ArrayBuffer>): void;
  snapshots(steps: readonly number[]): void;
  rewound(step: number): void;
  training(running: boolean): void;
  /** Its device was lost. It is on another one, at the newest state that was in memory. */
  moved(step: number): void;
  message(text: string): void;
  /** How much of the first step is compiled, from 0 to 1. */
  compiled(part: number): void;
}

/** What a run is made of. */
interface Parts {
  readonly settings: Settings;
  readonly data: Data;
  readonly device: Device;
  readonly report: Reports;
}

/** Where a run goes on. */
export interface Beginning {
  readonly snapshot: Snapshot;
  /** What messages call it. */
  readonly name: string;
  /** Default those of the snapshot: means of its epochs. */
  readonly losses?: LossesSoFar;
}

/** A run, on a device that it does not own. */
export class Run implements Disposable {
  readonly settings: Settings;
  readonly data: Data;
  readonly #device: Device;
  readonly #report: Reports;
  readonly #real: Float32Array;
  readonly #losses: Series;
  /** The newest state in memory. */
  #newest: Snapshot | undefined;
  #over = false;
  #moving: Promise<void> | undefined;
  #sampler: Sampler | undefined;
  #view: Program<"noise" | "real", "images" | "realLogits" | "fakeLogits"> | undefined;
  #judge: Program<"x", "logit" | "gradient"> | undefined;
  #running = false;
  #wake = () => {};
  #turn: Promise<unknown> = Promise.resolve();
  /** Whether the page waits for a frame, and the step of the last one that it got. */
  #wanted = false;
  #shown = -1;
  #looking = false;
  #steps = 1;
  #imagesPerSecond = 0;
  #snapshots: { readonly step: number; readonly snapshot: Snapshot }[] = [];
  #every = 25;
  #collapsed = 0;

  private constructor(
    { settings, data, device, report }: Parts,
    private trainer: Trainer,
    from: Beginning | undefined,
  ) {
    this.settings = settings;
    this.data = data;
    this.#device = device;
    this.#report = report;
    this.#newest = from?.snapshot;
    this.#losses = new Series(from && (from.losses ?? meansOf(from.snapshot)));
    this.#losses.cut(trainer.steps);
    const size = data.height * data.width * data.channels;
    this.#real = new Float32Array(SHOWN * size);
    for (let i = 0; i < SHOWN; i++) this.#real.set(this.#image(i * data.count / SHOWN), i * size);
  }

  /** Makes the networks, or takes them from a snapshot. */
  static async create(parts: Parts, from?: Beginning): Promise<Run> {
    return await parts.device.use(async (gpu) =>
      new Run(parts, await makeTrainer(parts, gpu, from), from)
    );
  }

  /**
   * Does something on the device. If that is lost meanwhile, the run moves to another one, where the
   * same is done.
   */
  #use<T>(body: () => Promise<T>): Promise<T> {
    return this.#device.use(async (gpu) => {
      while (this.trainer.gpu !== gpu) {
        // Another caller may have failed to move it, or have moved it to a device that is lost, too.
        if (this.#moving) await this.#moving.catch(() => {});
        else await (this.#moving = this.#moveTo(gpu).finally(() => this.#moving = undefined));
      }
      return await body();
    });
  }

  async #moveTo(gpu: Gpu): Promise<void> {
    const parts = {
      ...{ settings: this.settings, data: this.data },
      ...{ device: this.#device, report: this.#report },
    };
    const snapshot = this.#newest;
    const from = snapshot && { snapshot, name: "the newest snapshot" };
    const trainer = await makeTrainer(parts, gpu, from);
    if (this.#over) {
      trainer[Symbol.dispose]();
      throw new Error("Another run took the place of this one");
    }
    this.#free();
    this.trainer = trainer;
    this.#shown = -1;
    this.#losses.cut(trainer.steps);
    this.#snapshots = this.#snapshots.filter(({ step }) => step <= trainer.steps);
    this.#report.moved(trainer.steps);
    this.#reportSteps();
    if (this.#wanted) await this.#look();
  }

  /** The newest state in memory, as a checkpoint file. */
  get newest(): [step: number, bytes: Uint8Array<ArrayBuffer>] | undefined {
    return this.#newest && [this.#newest.position.steps, encodeCheckpoint(this.#newest)];
  }

  /** Steps trained. */
  get steps(): number {
    return this.trainer.steps;
  }

  /** Sizes of its images. */
  get image(): ImageSize {
    const { height, width, channels } = this.data;
    return { height, width, channels };
  }

  /** The generator that paints: the average of its weights, if the run has one. */
  get #painter(): Generator {
    return this.trainer.average ?? this.trainer.generator;
  }

  /** Keras' summaries of both networks. */
  get summaries(): string[] {
    return [this.trainer.generator.summary(), this.trainer.discriminator.summary()];
  }

  /** The losses so far. */
  get losses(): LossesSoFar {
    return this.#losses.soFar;
  }

  /** What a step costs, once it is compiled. */
  get cost(): Cost {
    return { ...this.trainer.stats };
  }

  /** One thing at a time: what needs the trainer alone waits for the chunk under way. */
  #take<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(body);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Trains until {@linkcode Run.pause}; with a delay, single steps with so much time between them. */
  async train(delay: number): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#report.training(true);
    try {
      while (this.#running) {
        // It may be paused while it waits for its turn, or for another device.
        await this.#use(() =>
          this.#take(async () => this.#running && await this.#chunk(delay ? 1 : this.#steps))
        );
        if (delay) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
            setTimeout(resolve, delay);
          });
        }
      }
    } finally {
      this.#running = false;
      this.#report.training(false);
    }
  }

  /** Ends the training after the steps under way. */
  async pause(): Promise<void> {
    this.#running = false;
    this.#wake();
    await this.#turn;
  }

  /** Trains one step. */
  async step(): Promise<void> {
    await this.pause();
    await this.#use(() => this.#take(() => this.#chunk(1)));
  }

  async #chunk(steps: number): Promise<void> {
    const { trainer } = this;
    if (trainer.steps === 0 && !this.#snapshots.length) await this.#snapshot();
    const began = performance.now();
    const last = trainer.steps + steps;
    const losses: Losses[] = [];
    for await (const event of trainer.run({ pauseAfter: (step) => step >= last })) {
      if (event.type === "pause") break;
      if (event.type !== "step") continue;
      const { step, generatorLoss: generator, discriminatorLoss: discriminator } = event;
      losses.push({ step, generator, discriminator });
      this.#losses.add(losses.at(-1)!);
    }
    const took = performance.now() - began;
    // The first steps compile; what they take says nothing.
    if (trainer.steps > 2) {
      const now = 1000 * steps * Math.min(this.settings.batchSize, this.data.count) / took;
      this.#imagesPerSecond = this.#imagesPerSecond ? 0.8 * this.#imagesPerSecond + 0.2 * now : now;
      const fit = Math.round(steps * CHUNK / took);
      if (steps === this.#steps) this.#steps = Math.min(64, Math.max(1, Math.min(fit, 2 * steps)));
    }
    this.#report.losses(losses, this.#imagesPerSecond);
    // Not awaited: the next steps may begin, since the images are enqueued before them.
    if (this.#wanted) this.#look().catch(() => {});
    if (trainer.steps >= (this.#snapshots.at(-1)?.step ?? 0) + this.#every) await this.#snapshot();
  }

  /** The page waits for a frame, and gets one when there is something new to see. */
  async frame(): Promise<void> {
    this.#wanted = true;
    if (!this.#running) await this.#use(() => this.#take(() => this.#look()));
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#shown === this.steps) return;
    this.#looking = true;
    try {
      this.#shown = this.steps;
      const frame = await this.#see();
      this.#wanted = false;
      this.#report.frame(frame);
    } catch (error) {
      this.#shown = -1;
      throw error;
    } finally {
      this.#looking = false;
    }
  }

  /** What the generator paints at this step, and what the discriminator thinks of it. */
  async #see(): Promise<Frame> {
    const { steps: step, currentEpoch: epoch, discriminator } = this.trainer;
    const generator = this.#painter;
    const { height, width, channels } = this.data;
    const first = !this.#view;
    this.#view ??= this.trainer.gpu.compile(
      { noise: [SHOWN, generator.noiseDim], real: [SHOWN, height, width, channels] },
      ({ noise, real }) => {
        const images = generator.call(noise, { training: false });
        const judged = (x: typeof images) => discriminator.call(x, { training: false });
        return { images, realLogits: judged(real), fakeLogits: judged(images) };
      },
      { label: "frame" },
    );
    this.#view.run(first ? { noise: this.noise(SHOWN), real: this.#real } : {});
    const { images, realLogits, fakeLogits } = await this.#view.read();
    const variety = spread(images) / spread(this.#real);
    this.#warnOfCollapse(step, variety);
    return {
      step,
      epoch,
      images: toBytes(images),
      real: realLogits.map(sigmoid),
      generated: fakeLogits.map(sigmoid),
      variety,
    };
  }

  #warnOfCollapse(step: number, variety: number): void {
    // All images are alike before there are any strokes.
    if (step < 500 || variety > 0.5) return void (this.#collapsed = 0);
    if (++this.#collapsed !== 20) return;
    this.#report.message(
      `step ${step}: the modes collapse: generated images differ from each other ` +
        `${Math.round(100 * variety)} % as much as real ones. If it stays so, start anew with a ` +
        "lower learning rate",
    );
  }

  /** Length of its noise. */
  get noiseDim(): number {
    return this.settings.noiseDim;
  }

  /** The noise of the run's images, as `Trainer.sample` has it. */
  noise(count: number, seed = this.settings.seed): Float32Array<ArrayBuffer> {
    return seedNoise(count, this.settings.noiseDim, seed);
  }

  /** Images of any noise. */
  async generate(noise: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return await this.#use(async () => {
      const { gpu } = this.trainer;
      const generator = this.#painter;
      if (noise.length !== generator.noiseDim) return await generate(gpu, generator, noise);
      this.#sampler ??= new Sampler(gpu, generator, 1);
      return await this.#sampler.sample(noise);
    });
  }

  /** The generator's first layer as it stands. */
  async first(): Promise<FirstLayer> {
    return await this.#use(async () => {
      const { variables } = this.#painter;
      const read = (name: string) => variables.find((each) => each.name.endsWith(name))!.read();
      const kernel = await read("dense/kernel");
      const { noiseDim } = this;
      const normalized = variables.some(({ name }) => name.endsWith("batch_normalization/gamma"));
      const scale = normalized
        ? scaleOf(
          await read("batch_normalization/gamma"),
          await read("batch_normalization/moving_variance"),
        )
        : new Float32Array(kernel.length / noiseDim).fill(1);
      return { kernel, scale, noiseDim };
    });
  }

  /** What the discriminator thinks of an image, and where it looks: one pass back from its logit. */
  async judge(image: Float32Array): Promise<Questions["judge"]["answer"]> {
    return await this.#use(async () => {
      const { height, width, channels } = this.data;
      const { gpu, discriminator } = this.trainer;
      this.#judge ??= gpu.compile({ x: [1, height, width, channels] }, ({ x }) => {
        const logit = discriminator.call(x, { training: false });
        const [gradient] = grad(ops.sum(logit), [x]);
        return { logit, gradient };
      }, { label: "judge" });
      this.#judge.run({ x: image });
      const { logit, gradient } = await this.#judge.read();
      return { probability: sigmoid(logit[0]), gradient };
    });
  }

  /** An image to judge. */
  async example(kind: Questions["example"]["ask"]["kind"]): Promise<Float32Array<ArrayBuffer>> {
    if (kind === "real") return this.#image(Math.random() * this.data.count);
    const random = Math.floor(Math.random() * 2 ** 32);
    if (kind === "generated") return await this.generate(this.noise(1, random));
    return this.#image(0).map(() => 2 * Math.random() - 1);
  }

  #image(index: number): Float32Array<ArrayBuffer> {
    const { images, height, width, channels } = this.data;
    const size = height * width * channels;
    const from = Math.floor(index) * size;
    return Float32Array.from(images.subarray(from, from + size), (byte) => byte / 127.5 - 1);
  }

  /** All of its state as a checkpoint file, and the step that it is of. */
  async toBytes(): Promise<[step: number, bytes: Uint8Array<ArrayBuffer>]> {
    await this.#use(() => this.#take(() => this.#remember()));
    return this.newest!;
  }

  /** Its generator as a file. */
  async generatorBytes(
    form: "safetensors" | "onnx",
  ): Promise<[step: number, bytes: Uint8Array<ArrayBuffer>]> {
    return await this.#use(async () => {
      const { steps } = this.trainer;
      const generator = this.#painter;
      return [steps, await (form === "onnx" ? generator.toONNX() : generator.toSafetensors())];
    });
  }

  /** Milliseconds by kernel of one step, the slowest first. */
  async profile(): Promise<KernelTime[]> {
    const timings = await this.#use(() => this.#take(() => this.trainer.profile()));
    const kernels = new Map<string, KernelTime>();
    for (const { kernel, milliseconds } of timings) {
      const sum = kernels.get(kernel) ?? { kernel, dispatches: 0, milliseconds: 0 };
      kernels.set(kernel, {
        kernel,
        dispatches: sum.dispatches + 1,
        milliseconds: sum.milliseconds + milliseconds,
      });
    }
    return [...kernels.values()].sort((a, b) => b.milliseconds - a.milliseconds);
  }

  async #remember(): Promise<Snapshot> {
    return this.#newest = await this.trainer.snapshot();
  }

  #reportSteps(): void {
    this.#report.snapshots(this.#snapshots.map(({ step }) => step));
  }

  async #snapshot(): Promise<void> {
    const [snapshot, { images, step }] = [await this.#remember(), await this.#see()];
    this.#snapshots.push({ step, snapshot });
    let bytes = 0;
    for (const { data } of snapshot.tensors.values()) bytes += data.byteLength;
    const most = Math.max(4, Math.min(MOST_SNAPSHOTS, Math.floor(SNAPSHOT_BYTES / bytes)));
    if (this.#snapshots.length > most) {
      // Every other one stays, and the first.
      this.#snapshots = this.#snapshots.filter((_, i) => i % 2 === 0);
      this.#every *= 2;
    }
    this.#report.snapshot(step, images);
    this.#reportSteps();
  }

  /** Goes back to a snapshot; those after it are dropped. */
  async rewind(step: number): Promise<void> {
    await this.pause();
    await this.#use(() =>
      this.#take(async () => {
        const at = this.#snapshots.findIndex((each) => each.step === step);
        if (at < 0) return;
        const { snapshot } = this.#snapshots[at];
        await this.trainer.restore(snapshot, `the snapshot of step ${step}`);
        this.#newest = snapshot;
        this.#snapshots.length = at + 1;
        this.#losses.cut(step);
        this.#shown = -1;
        this.#report.rewound(step);
        this.#reportSteps();
        if (this.#wanted) await this.#look();
      })
    );
  }

  #free(): void {
    for (const part of [this.#view, this.#judge, this.#sampler]) part?.[Symbol.dispose]();
    this.#view = this.#judge = this.#sampler = undefined;
    this.trainer[Symbol.dispose]();
  }

  /** Frees all but the device. */
  [Symbol.dispose](): void {
    this.#over = true;
    this.#running = false;
    this.#wake();
    this.#free();
  }
}

async function makeTrainer(
  { settings, data, report }: Parts,
  gpu: Gpu,
  from: Beginning | undefined,
): Promise<Trainer> {
  const trainer = await Trainer.create({
    ...settings,
    dataset: data,
    gpu,
    epochs: 1e6, // until it is paused
    evaluateEvery: Infinity,
    onMessage: (text) => report.message(text),
    onCompile: ({ done, total }) => report.compiled(done / total),
  });
  try {
    if (from) await trainer.restore(from.snapshot, from.name);
    return trainer;
  } catch (error) {
    trainer[Symbol.dispose]();
    throw error;
  }
}

/** The losses that a checkpoint has: means of its epochs, and of the one under way. */
function meansOf({ position: { history, sums, steps } }: Snapshot): LossesSoFar {
  const points = history.map(({ step, generatorLoss, discriminatorLoss }) => ({
    ...{ step, generator: generatorLoss, discriminator: discriminatorLoss },
  }));
  if (sums.steps) {
    const [generator, discriminator] = [sums.generator, sums.discriminator]
      .map((sum) => sum / sums.steps);
    points.push({ step: steps, generator, discriminator });
  }
  return { width: 1, points };
}

const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));

/** Values on [-1, 1] as bytes. */
export function toBytes(images: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  return Uint8ClampedArray.from(images, (value) => 127.5 * (value + 1));
}

/** How far images are from their mean, as a distance. */
function spread(images: Float32Array): number {
  const size = images.length / SHOWN;
  let sum = 0;
  for (let pixel = 0; pixel < size; pixel++) {
    let [mean, squares] = [0, 0];
    for (let at = pixel; at < images.length; at += size) {
      mean += images[at] / SHOWN;
      squares += images[at] ** 2 / SHOWN;
    }
    sum += Math.max(0, squares - mean ** 2);
  }
  return Math.sqrt(sum);
}
