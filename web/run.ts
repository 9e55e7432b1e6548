/**
 * One run in the worker: a trainer, the loop around it, and what the page sees of it.
 *
 * @module
 */

import { type Gpu, grad, ops, type Program, type Snapshot, Trainer } from "../mod.ts";
import { generate, Sampler, seedNoise } from "../src/model/sampler.ts";
import type { Data } from "./data.ts";
import { type FirstLayer, scaleOf } from "./infer.ts";
import type { Frame, ImageSize, KernelTime, Losses, Questions } from "./protocol.ts";
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
  message(text: string): void;
  /** How much of the first step is compiled, from 0 to 1. */
  compiled(part: number): void;
}

/** A run, on a device that it does not own. */
export class Run implements Disposable {
  readonly #samplers: Sampler[] = [];
  readonly #real: Float32Array;
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
    readonly settings: Settings,
    readonly data: Data,
    readonly trainer: Trainer,
    private readonly gpu: Gpu,
    private readonly report: Reports,
  ) {
    const size = data.height * data.width * data.channels;
    this.#real = new Float32Array(SHOWN * size);
    for (let i = 0; i < SHOWN; i++) this.#real.set(this.#image(i * data.count / SHOWN), i * size);
  }

  /**
   * Makes the networks, or takes them from a snapshot.
   *
   * @param name what messages call the snapshot
   */
  static async create(
    { settings, data, gpu, report, snapshot, name }: {
      readonly settings: Settings;
      readonly data: Data;
      readonly gpu: Gpu;
      readonly report: Reports;
      readonly snapshot?: Snapshot;
      readonly name?: string;
    },
  ): Promise<Run> {
    const trainer = await Trainer.create({
      ...settings,
      dataset: data,
      gpu,
      epochs: 1e6, // until it is paused
      distance: false,
      onMessage: (text) => report.message(text),
      onCompile: ({ done, total }) => report.compiled(done / total),
    });
    try {
      if (snapshot) await trainer.restore(snapshot, name);
      return new Run(settings, data, trainer, gpu, report);
    } catch (error) {
      trainer[Symbol.dispose]();
      throw error;
    }
  }

  /** The newest state in memory. */
  get newest(): Snapshot | undefined {
    return this.#snapshots.at(-1)?.snapshot;
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

  /** Whether it trains. */
  get running(): boolean {
    return this.#running;
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
    this.report.training(true);
    try {
      while (this.#running) {
        await this.#take(() => this.#chunk(delay ? 1 : this.#steps));
        if (delay) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
            setTimeout(resolve, delay);
          });
        }
      }
    } finally {
      this.#running = false;
      this.report.training(false);
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
    await this.#take(() => this.#chunk(1));
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
    }
    const took = performance.now() - began;
    // The first steps compile; what they take says nothing.
    if (trainer.steps > 2) {
      const now = 1000 * steps * Math.min(this.settings.batchSize, this.data.count) / took;
      this.#imagesPerSecond = this.#imagesPerSecond ? 0.8 * this.#imagesPerSecond + 0.2 * now : now;
      const fit = Math.round(steps * CHUNK / took);
      if (steps === this.#steps) this.#steps = Math.min(64, Math.max(1, Math.min(fit, 2 * steps)));
    }
    this.report.losses(losses, this.#imagesPerSecond);
    // Not awaited: the next steps may begin, since the images are enqueued before them.
    if (this.#wanted) this.#look().catch(() => {});
    if (trainer.steps >= (this.#snapshots.at(-1)?.step ?? 0) + this.#every) await this.#snapshot();
  }

  /** The page waits for a frame, and gets one when there is something new to see. */
  async frame(): Promise<void> {
    this.#wanted = true;
    if (!this.#running) await this.#take(() => this.#look());
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#shown === this.steps) return;
    this.#looking = true;
    try {
      this.#shown = this.steps;
      const frame = await this.#see();
      this.#wanted = false;
      this.report.frame(frame);
    } finally {
      this.#looking = false;
    }
  }

  /** What the generator paints at this step, and what the discriminator thinks of it. */
  async #see(): Promise<Frame> {
    const { steps: step, currentEpoch: epoch, generator, discriminator } = this.trainer;
    const { height, width, channels } = this.data;
    const first = !this.#view;
    this.#view ??= this.gpu.compile(
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
    this.report.message(
      `step ${step}: the modes collapse: generated images differ from each other ` +
        `${Math.round(100 * variety)} % as much as real ones. If it stays so, start anew with a ` +
        "lower learning rate",
    );
  }

  /** The noise of the run's images, as `Trainer.sample` has it. */
  noise(count: number, seed = this.settings.seed): Float32Array<ArrayBuffer> {
    return seedNoise(count, this.settings.noiseDim, seed);
  }

  /** Images of any noise. */
  async generate(noise: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { generator } = this.trainer;
    if (noise.length !== generator.noiseDim) return await generate(this.gpu, generator, noise);
    const sampler = this.#samplers[0] ??= new Sampler(this.gpu, generator, 1);
    return await sampler.sample(noise);
  }

  /** The generator's first layer as it stands. */
  async first(): Promise<FirstLayer> {
    const [kernel, gamma, , , variance] = this.trainer.generator.variables;
    const [data, g, v] = await Promise.all([kernel.read(), gamma.read(), variance.read()]);
    return { kernel: data, scale: scaleOf(g, v), noiseDim: kernel.shape[0] };
  }

  /** What the discriminator thinks of an image, and where it looks: one pass back from its logit. */
  async judge(image: Float32Array): Promise<Questions["judge"]["answer"]> {
    const { height, width, channels } = this.data;
    const { discriminator } = this.trainer;
    this.#judge ??= this.gpu.compile({ x: [1, height, width, channels] }, ({ x }) => {
      const logit = discriminator.call(x, { training: false });
      const [gradient] = grad(ops.sum(logit), [x]);
      return { logit, gradient };
    }, { label: "judge" });
    this.#judge.run({ x: image });
    const { logit, gradient } = await this.#judge.read();
    return { probability: sigmoid(logit[0]), gradient };
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
    return await this.#take(async () => {
      const { steps } = this.trainer;
      return [steps, await this.trainer.toBytes()];
    });
  }

  /** Milliseconds by kernel of one step, the slowest first. */
  async profile(): Promise<KernelTime[]> {
    const timings = await this.#take(() => this.trainer.profile());
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

  async #snapshot(): Promise<void> {
    const [snapshot, { images, step }] = [await this.trainer.snapshot(), await this.#see()];
    this.#snapshots.push({ step, snapshot });
    let bytes = 0;
    for (const { data } of snapshot.tensors.values()) bytes += data.byteLength;
    const most = Math.max(4, Math.min(MOST_SNAPSHOTS, Math.floor(SNAPSHOT_BYTES / bytes)));
    if (this.#snapshots.length > most) {
      // Every other one stays, and the first.
      this.#snapshots = this.#snapshots.filter((_, i) => i % 2 === 0);
      this.#every *= 2;
    }
    this.report.snapshot(step, images);
    this.report.snapshots(this.#snapshots.map(({ step }) => step));
  }

  /** Goes back to a snapshot; those after it are dropped. */
  async rewind(step: number): Promise<void> {
    await this.pause();
    await this.#take(async () => {
      const at = this.#snapshots.findIndex((each) => each.step === step);
      if (at < 0) return;
      await this.trainer.restore(this.#snapshots[at].snapshot, `the snapshot of step ${step}`);
      this.#snapshots.length = at + 1;
      this.#shown = -1;
      this.report.rewound(step);
      this.report.snapshots(this.#snapshots.map(({ step }) => step));
      if (this.#wanted) await this.#look();
    });
  }

  /** Frees all but the device. */
  [Symbol.dispose](): void {
    this.#running = false;
    this.#wake();
    for (const part of [this.#view, this.#judge, ...this.#samplers]) part?.[Symbol.dispose]();
    this.trainer[Symbol.dispose]();
  }
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
