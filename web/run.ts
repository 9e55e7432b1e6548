/**
 * One run in the worker: a trainer, the loop around it, and what the page sees of it.
 *
 * @module
 */

import type { Gpu, Snapshot } from "../mod.ts";
import { seedNoise } from "../src/model/sampler.ts";
import { encodeCheckpoint } from "../src/training/checkpoint.ts";
import type { Data } from "./data.ts";
import type { Device } from "./device.ts";
import type { FirstLayer } from "./infer.ts";
import { type Beginning, imageOf, Networks, type Purpose } from "./networks.ts";
import type { Cost, Frame, ImageSize, KernelTime, Losses, Questions } from "./protocol.ts";
import type { LossesSoFar } from "./protocol.ts";
import { Series } from "./series.ts";
import type { Settings } from "./settings.ts";

/** Milliseconds of training between two looks at what the page wants. */
const CHUNK = 80;

/** Snapshots take at most this much memory together, and are at most so many. */
const SNAPSHOT_BYTES = 256 * 1024 * 1024;
const MOST_SNAPSHOTS = 32;

/** What a run reports. */
export interface Reports extends Readonly<Purpose["report"]> {
  losses(losses: readonly Losses[], imagesPerSecond: number): void;
  frame(frame: Frame): void;
  snapshot(step: number, images: Uint8ClampedArray<ArrayBuffer>): void;
  snapshots(steps: readonly number[]): void;
  rewound(step: number): void;
  training(running: boolean): void;
  /** Its device was lost. It is on another one, at the newest state that was in memory. */
  moved(step: number): void;
}

/** What a run is made of. */
interface Parts extends Purpose {
  readonly device: Device;
  readonly report: Reports;
}

/** A run, on a device that it does not own. */
export class Run implements Disposable {
  readonly settings: Settings;
  readonly data: Data;
  readonly #device: Device;
  readonly #report: Reports;
  readonly #losses: Series;
  #networks: Networks;
  /** The newest state in memory. */
  #newest: Snapshot | undefined;
  #over = false;
  #moving: Promise<void> | undefined;
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
    networks: Networks,
    from: Beginning | undefined,
  ) {
    this.#networks = networks;
    this.settings = settings;
    this.data = data;
    this.#device = device;
    this.#report = report;
    this.#newest = from?.snapshot;
    this.#losses = new Series(from && (from.losses ?? meansOf(from.snapshot)));
    this.#losses.cut(this.steps);
  }

  /** Makes the networks, or takes them from a snapshot. */
  static async create(parts: Parts, from?: Beginning): Promise<Run> {
    return await parts.device.use(async (gpu) =>
      new Run(parts, await Networks.create(parts, gpu, from), from)
    );
  }

  /**
   * Does something on the device. If that is lost meanwhile, the run moves to another one, where the
   * same is done.
   */
  #use<T>(body: (networks: Networks) => Promise<T>): Promise<T> {
    return this.#device.use(async (gpu) => {
      while (this.#networks.trainer.gpu !== gpu) {
        // Another caller may have failed to move it, or have moved it to a device that is lost, too.
        if (this.#moving) await this.#moving.catch(() => {});
        else await (this.#moving = this.#moveTo(gpu).finally(() => this.#moving = undefined));
      }
      return await body(this.#networks);
    });
  }

  async #moveTo(gpu: Gpu): Promise<void> {
    const { settings, data } = this;
    const purpose = { settings, data, report: this.#report };
    const snapshot = this.#newest;
    const from = snapshot && { snapshot, name: "the newest snapshot" };
    const networks = await Networks.create(purpose, gpu, from);
    if (this.#over) {
      networks[Symbol.dispose]();
      throw new Error("Another run took the place of this one");
    }
    this.#networks[Symbol.dispose]();
    this.#networks = networks;
    this.#shown = -1;
    this.#losses.cut(this.steps);
    this.#snapshots = this.#snapshots.filter(({ step }) => step <= this.steps);
    this.#report.moved(this.steps);
    this.#reportSteps();
    if (this.#wanted) await this.#look();
  }

  /** The newest state in memory, as a checkpoint file. */
  get newest(): [step: number, bytes: Uint8Array<ArrayBuffer>] | undefined {
    return this.#newest && [this.#newest.position.steps, encodeCheckpoint(this.#newest)];
  }

  /** Steps trained. */
  get steps(): number {
    return this.#networks.trainer.steps;
  }

  /** Keras' summaries of both networks. */
  get summaries(): string[] {
    return this.#networks.summaries;
  }

  /** What a step costs, once it is compiled. */
  get cost(): Cost {
    return this.#networks.cost;
  }

  /** Sizes of its images. */
  get image(): ImageSize {
    const { height, width, channels } = this.data;
    return { height, width, channels };
  }

  /** The losses so far. */
  get losses(): LossesSoFar {
    return this.#losses.soFar;
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
    const { trainer } = this.#networks;
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
      const frame = await this.#networks.see();
      this.#warnOfCollapse(frame);
      this.#wanted = false;
      this.#report.frame(frame);
    } catch (error) {
      this.#shown = -1;
      throw error;
    } finally {
      this.#looking = false;
    }
  }

  #warnOfCollapse({ step, variety }: Frame): void {
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
    return await this.#use((networks) => networks.generate(noise));
  }

  /** The generator's first layer as it stands. */
  async first(): Promise<FirstLayer> {
    return await this.#use((networks) => networks.first());
  }

  /** What the discriminator thinks of an image, and where it looks. */
  async judge(image: Float32Array): Promise<Questions["judge"]["answer"]> {
    return await this.#use((networks) => networks.judge(image));
  }

  /** The step, and the generator as a file. */
  async generatorBytes(
    form: "safetensors" | "onnx",
  ): Promise<[step: number, bytes: Uint8Array<ArrayBuffer>]> {
    return await this.#use(async (networks) => [this.steps, await networks.generatorBytes(form)]);
  }

  /** Milliseconds by kernel of one step, the slowest first. */
  async profile(): Promise<KernelTime[]> {
    return await this.#use(() => this.#take(() => this.#networks.profile()));
  }

  /** An image to judge. */
  async example(kind: Questions["example"]["ask"]["kind"]): Promise<Float32Array<ArrayBuffer>> {
    if (kind === "real") return imageOf(this.data, Math.random() * this.data.count);
    const random = Math.floor(Math.random() * 2 ** 32);
    if (kind === "generated") return await this.generate(this.noise(1, random));
    return imageOf(this.data, 0).map(() => 2 * Math.random() - 1);
  }

  /** All of its state as a checkpoint file, and the step that it is of. */
  async toBytes(): Promise<[step: number, bytes: Uint8Array<ArrayBuffer>]> {
    await this.#use(() => this.#take(() => this.#remember()));
    return this.newest!;
  }

  async #remember(): Promise<Snapshot> {
    return this.#newest = await this.#networks.trainer.snapshot();
  }

  #reportSteps(): void {
    this.#report.snapshots(this.#snapshots.map(({ step }) => step));
  }

  async #snapshot(): Promise<void> {
    const [snapshot, { images, step }] = [await this.#remember(), await this.#networks.see()];
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
        await this.#networks.trainer.restore(snapshot, `the snapshot of step ${step}`);
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

  /** Frees all but the device. */
  [Symbol.dispose](): void {
    this.#over = true;
    this.#running = false;
    this.#wake();
    this.#networks[Symbol.dispose]();
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
