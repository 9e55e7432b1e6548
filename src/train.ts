/** Training as one call: a trainer, with images, checkpoints, logs and recovery around it. */

import { CheckpointError, DataError, DeviceLostError, NonFiniteError } from "./errors.ts";
import type { FolderHandle } from "./formats/folder_handle.ts";
import { Gpu } from "./graph/gpu.ts";
import type { ProgramStats } from "./graph/program.ts";
import type { Discriminator } from "./model/discriminator.ts";
import type { Generator } from "./model/generator.ts";
import { gridLabels } from "./model/labels.ts";
import { requireFinite } from "./training/checkpoint.ts";
import type { EpochEvent, TrainEvent } from "./training/events.ts";
import {
  type CheckpointPolicy,
  type ResolvedTrainOptions,
  resolveTrainOptions,
  type TrainOptions,
} from "./training/options.ts";
import { type Position, readSnapshot, type Snapshot } from "./training/position.ts";
import { Trainer } from "./training/trainer.ts";

/**
 * Makes a compile error of what only shows when it runs otherwise: an option that does not exist, and
 * one that means nothing without an `outDir`.
 */
export type Checked<O> =
  & { readonly [K in Exclude<keyof O, keyof TrainOptions>]: never }
  & (O extends { readonly outDir: string | FolderHandle } ? unknown
    : O extends
      | { readonly resume: true }
      | { readonly overwrite: true }
      | { readonly checkpoint: CheckpointPolicy } ? { readonly outDir: string | FolderHandle }
    : unknown);

/** What {@linkcode trainDCGAN} gives. */
export interface TrainResult {
  /** The trained generator: the average of its weights, if the option `ema` asks for one. */
  readonly generator: Generator;
  /** The trained discriminator. */
  readonly discriminator: Discriminator;
  /** One entry for each complete epoch. */
  readonly history: readonly EpochEvent[];
  /** Steps of the whole run; those before a resume count, too. */
  readonly steps: number;
  /** Whether the signal stopped it. */
  readonly aborted: boolean;
  /** The GIF of the images, if there is an `outDir` and at least one image. */
  readonly gif?: string;
  /** What one full step costs: dispatches, and memory with and without sharing; if one was trained. */
  readonly stats?: ProgramStats;
  /** The newest checkpoint, if this call wrote one. */
  readonly checkpoint?: string;
  /** The device that holds both networks. */
  readonly gpu: Gpu;
  /** Frees what the run allocated: both networks, and the device unless it was the caller's. */
  [Symbol.dispose](): void;
}

/**
 * Trains the tutorial's DCGAN.
 *
 * ```ts
 * import { loadMNIST, trainDCGAN } from "@dcgan/webgpu";
 *
 * using run = await trainDCGAN({
 *   dataset: await loadMNIST(),
 *   epochs: 1,
 *   outDir: "out",
 *   onEpoch: ({ epoch, generatorLoss }) => console.log(epoch, generatorLoss),
 * });
 * ```
 *
 * Permissions: none without `outDir`; with it, read and write for that folder. In a browser `outDir`
 * is a folder of the origin's private file system, or one that the user picked, and paths in results
 * and messages begin with `browser:/` and its name.
 *
 * If `outDir` cannot be written to when the run begins, the call throws. Later, `onMessage` reports what
 * cannot be written, and the run goes on without that image or with an older checkpoint; only the
 * checkpoint at the end is an error again.
 *
 * If the device is lost, the run goes on with another one (see `deviceLosses`). It trains some steps
 * again then, with the same bits; no step, epoch or image is reported twice.
 *
 * @throws {RangeError} when an option is out of range.
 * @throws {DataError} when the data set is invalid, or images of one that is streamed cannot be read.
 *   The state after the last step becomes a checkpoint before.
 * @throws {AdapterError} when no device is given and none is found.
 * @throws {DeviceLostError} when the device is lost too often, or is the caller's. The newest state in
 *   memory becomes a checkpoint before.
 * @throws {NonFiniteError} when a number is not finite. The last finite state becomes a checkpoint
 *   before.
 * @throws {CheckpointError} when there is nothing to resume, or it is damaged or of another
 *   configuration; or when `outDir` holds a run that is neither resumed nor overwritten.
 * @throws {Error} when `outDir` cannot be written to, naming the path, the reason and a way out.
 */
export async function trainDCGAN<const O extends TrainOptions>(
  options: O & Checked<O>,
): Promise<TrainResult> {
  let result: TrainResult | undefined;
  try {
    const resolved = resolveTrainOptions(options);
    await using run = new Run(resolved, await folderPath(resolved.outDir));
    result = await run.train();
  } catch (error) {
    result?.[Symbol.dispose]();
    throw error;
  }
  return result;
}

/** One call of `trainDCGAN`: one trainer, or several, one after another, where devices are lost. */
class Run implements AsyncDisposable {
  #folder: Awaited<ReturnType<typeof openFolder>> | undefined;
  /** What the next trainer begins with; nothing: from the beginning. */
  #newest: Snapshot | undefined;
  /** What messages call it. */
  #name = "the snapshot";
  /** Kernel choices of the trainer before. */
  #tuning: Gpu["tuning"] | undefined;
  /** Steps before this call, once it is under way. */
  #begunAt: number | undefined;
  #saved: { readonly path?: string; readonly steps: number } = { steps: 0 };
  #savedAt = 0;
  /** Whether the last checkpoint that was due could not be written. */
  #unsaved = false;
  /** How far events were reported. */
  readonly #reported = { step: 0, epoch: 0, image: 0 };
  /** The complete epochs of this call, with their images. */
  readonly #epochs = new Map<number, EpochEvent>();

  constructor(
    private readonly options: ResolvedTrainOptions,
    private readonly outDir: string | undefined,
  ) {}

  /** Trains to the end, on another device whenever one is lost. */
  async train(): Promise<TrainResult> {
    const { gpu, deviceLosses, onMessage } = this.options;
    await this.#readSource();
    for (let lost: DeviceLostError | undefined, losses = 1;; losses++) {
      try {
        return await this.#session(lost);
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        if (gpu instanceof Gpu || losses > deviceLosses) {
          await this.#rescue();
          throw error;
        }
        lost = error;
        onMessage(
          `${sentence(error)}: requesting another and going on from step ` +
            `${this.#newest?.position.steps ?? 0} (${losses} of ${deviceLosses} times)`,
        );
      }
    }
  }

  /** Reads the checkpoint to go on from, if there should be one. */
  async #readSource(): Promise<void> {
    const { resume, onMessage, onNonFinite } = this.options;
    if (typeof resume !== "boolean") {
      ({ snapshot: this.#newest, name: this.#name } = await readSnapshot(resume));
    } else if (resume) {
      const { checkpointsOf } = await import("./files/run_folder.ts");
      const { path, checkpoint } = await checkpointsOf(this.outDir!).latest<Position>(
        (error) => onMessage(`skipped: ${error.message}`),
        ({ tensors }, path) => {
          if (onNonFinite !== "warn") requireFinite(tensors, path);
        },
      );
      this.#newest = checkpoint;
      this.#name = path;
    }
  }

  /** Trains to the end, or until the device is lost. */
  async #session(lost: DeviceLostError | undefined): Promise<TrainResult> {
    const { gpu, calibrate } = this.options;
    const trainer = await Trainer.create({
      ...this.options,
      gpu: gpu instanceof Gpu ? gpu : () => this.#request(gpu, lost),
      calibrate: this.#tuning ? false : calibrate,
    });
    try {
      return await this.#use(trainer);
    } catch (error) {
      trainer[Symbol.dispose]();
      throw error;
    }
  }

  async #use(trainer: Trainer): Promise<TrainResult> {
    const { signal } = this.options;
    await this.#begin(trainer);
    try {
      await this.#iterate(trainer);
    } catch (error) {
      // The trainer is in the state before the first such number, or before the images that it could
      // not read, and its steps are reported: that state is worth keeping.
      if (error instanceof NonFiniteError || error instanceof DataError) {
        await this.#save(trainer, true).catch(this.#report);
      }
      throw error;
    }
    await this.#save(trainer, true);
    // In the middle of an epoch they end with the epoch before.
    if (!trainer.betweenEpochs) await this.#folder?.writeCurves();
    const { discriminator, steps, totalSteps } = trainer;
    const result: TrainResult = {
      generator: trainer.average ?? trainer.generator,
      discriminator,
      history: trainer.history.map((event) => this.#epochs.get(event.epoch) ?? event),
      steps,
      aborted: signal.aborted && steps < totalSteps,
      stats: steps > this.#begunAt! ? trainer.stats : undefined,
      checkpoint: this.#saved.path,
      gif: await this.#folder?.writeGIF({ step: steps, epoch: trainer.history.at(-1)?.epoch ?? 0 }),
      gpu: trainer.gpu,
      [Symbol.dispose]: () => trainer[Symbol.dispose](),
    };
    trainer.finish();
    return result;
  }

  /** Requests a device. In place of one that was lost, it gets the same kernels. */
  async #request(gpu: () => Promise<Gpu>, lost: DeviceLostError | undefined): Promise<Gpu> {
    try {
      const requested = await gpu();
      if (this.#tuning) requested.tune(this.#tuning);
      return requested;
    } catch (cause) {
      if (!lost || cause instanceof DeviceLostError) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 1000)); // A driver takes a while to restart.
      const reason = (cause as Error).message;
      throw new DeviceLostError(`${sentence(lost)}. No other took its place: ${reason}`, { cause });
    }
  }

  /** Brings a trainer to where the run stands, and the folder, too. */
  async #begin(trainer: Trainer): Promise<void> {
    const { onMessage, command } = this.options;
    // What is refused is refused before anything is written.
    if (this.#newest) await trainer.restore(this.#newest, this.#name);
    if (this.#begunAt === undefined) {
      if (this.outDir !== undefined) await this.#open(this.outDir, trainer);
      const { currentEpoch: epoch, steps } = trainer;
      if (this.#newest) onMessage(`resumed ${this.#name} at epoch ${epoch}, step ${steps}`);
      this.#name = "the snapshot";
      this.#begunAt = steps;
      this.#saved = { steps };
    }
    await trainer.prepare();
    this.#tuning = trainer.gpu.tuning;
    await this.#folder?.begin(trainer, command);
    this.#savedAt = performance.now();
  }

  /** Opens the folder and makes room for a new run, or refuses to mix two. */
  async #open(outDir: string, trainer: Trainer): Promise<void> {
    const { overwrite } = this.options;
    this.#folder ??= await openFolder(outDir, this.options);
    if (!this.#newest) return await this.#folder.clear(overwrite);
    const objection = await this.#folder.objection(trainer.configuration);
    if (objection === undefined) return;
    if (!overwrite) throw new CheckpointError(objection);
    await this.#folder.clear(overwrite);
  }

  async #iterate(trainer: Trainer): Promise<void> {
    const pauseAfter = (step: number) => this.#isImageDue(step) || this.#isSaveDue();
    for await (const event of trainer.run({ pauseAfter })) {
      if (event.type === "step") {
        await this.#folder?.step(event);
        if (this.#isNew("step", event.step)) this.options.onStep(event);
      } else if (event.type === "pause") {
        if (this.#isImageDue(event.step)) await this.#image(trainer, event, false);
        // At the end of an epoch its image and its line in the log come first: if the run is killed
        // after the checkpoint, they would never be made.
        if (this.#isSaveDue() && !trainer.betweenEpochs) await this.#save(trainer);
      } else {
        await this.#endEpoch(trainer, event);
      }
    }
    const { steps: step, totalSteps, currentEpoch: epoch, betweenEpochs } = trainer;
    // The last image of a run whose last epoch `maxSteps` cuts.
    if (step === totalSteps && !betweenEpochs && !this.#isImageDue(step)) {
      await this.#image(trainer, { step, epoch }, false);
    }
  }

  async #endEpoch(
    trainer: Trainer,
    { type: _, ...event }: Extract<TrainEvent, { type: "epoch" }>,
  ): Promise<void> {
    const { onEpoch, deviceLosses, checkpoint: { everyEpochs, afterFirstEpoch } } = this.options;
    const { epoch } = event;
    const image = await this.#image(trainer, event, true);
    const complete = image === undefined ? event : { ...event, image, picture: image };
    this.#epochs.set(epoch, complete);
    await this.#folder?.epoch(complete);
    if (this.#isNew("epoch", epoch)) await onEpoch(complete);
    const due = epoch % everyEpochs === 0 || (epoch === 1 && afterFirstEpoch) || this.#unsaved;
    if (due || this.#isSaveDue() || await this.#isBest(trainer)) await this.#save(trainer);
    if (deviceLosses > 0) await this.#snapshot(trainer);
  }

  /** Whether the epoch that ended is the best so far. */
  async #isBest(trainer: Trainer): Promise<boolean> {
    if (!this.#folder || !this.options.checkpoint.atEnd) return false;
    if (trainer.history.at(-1)!.frechetDistance === undefined) return false;
    const snapshot = await this.#snapshot(trainer);
    // Where the folder cannot be read, the checkpoint's own message says so.
    return await this.#folder.checkpoints.isBest(snapshot).catch(() => true);
  }

  /** The state as it stands, read from the device once. */
  async #snapshot(trainer: Trainer): Promise<Snapshot> {
    if (this.#newest?.position.steps === trainer.steps) return this.#newest;
    return this.#newest = await trainer.snapshot();
  }

  /** Makes images, writes them and reports them; gives their path. */
  async #image(
    trainer: Trainer,
    { step, epoch }: { readonly step: number; readonly epoch: number },
    ofEpoch: boolean,
  ): Promise<string | undefined> {
    const { imageCount: count, imageColumns: columns, classes, onImage } = this.options;
    const labels = classes ? gridLabels(count, classes, columns) : undefined;
    const images = await trainer.sample({ count, labels });
    const path = await this.#folder?.image(images, { step, epoch, ofEpoch });
    // After a step's image comes that of the epoch which the step ends.
    if (this.#isNew("image", 2 * step + (ofEpoch ? 1 : 0))) {
      await onImage({ step, epoch, images, columns, path });
    }
    return path;
  }

  /** Whether an event is to be reported: whoever trains steps again does not report them again. */
  #isNew(what: "step" | "epoch" | "image", number: number): boolean {
    const isNew = number > this.#reported[what];
    if (isNew) this.#reported[what] = number;
    return isNew;
  }

  #isImageDue(step: number): boolean {
    return step % this.options.imageEverySteps === 0;
  }

  #isSaveDue(): boolean {
    return performance.now() - this.#savedAt >= this.options.checkpoint.everyMinutes * 60_000;
  }

  /** Writes a checkpoint. At the end of the run it is an error if that fails; before, a message. */
  async #save(trainer: Trainer, atEnd = false): Promise<void> {
    this.#savedAt = performance.now();
    if (!this.#folder || !this.options.checkpoint.atEnd) return;
    if (this.#saved.steps === trainer.steps) return;
    await this.#write(await this.#snapshot(trainer), atEnd);
  }

  async #write(snapshot: Snapshot, atEnd: boolean): Promise<void> {
    const { onMessage } = this.options;
    const { frechetDistance: distance, position: { epoch, at, steps } } = snapshot;
    const { isSystemError } = await import("./files/atomic.ts");
    try {
      // After an epoch's last step the position is the beginning of the next.
      const { path, best } = at === 0
        ? await this.#folder!.save(epoch - 1, undefined, snapshot)
        : await this.#folder!.save(epoch, steps, snapshot);
      this.#unsaved = false;
      this.#saved = { path, steps };
      const quality = distance === undefined
        ? ""
        : ` (Fréchet distance ${distance.toPrecision(4)}${best ? ", the best so far" : ""})`;
      onMessage(`wrote ${path}${quality}`);
    } catch (error) {
      this.#unsaved = true;
      if (atEnd || !isSystemError(error)) throw error;
      const { message } = error as Error;
      onMessage(`${message}. The run goes on, and tries again after this epoch or the next`);
    }
  }

  /** Makes a checkpoint of the newest state in memory: the one on the device is lost. */
  async #rescue(): Promise<void> {
    const snapshot = this.#newest;
    if (!snapshot || !this.#folder || !this.options.checkpoint.atEnd) return;
    if (snapshot.position.steps > this.#saved.steps) {
      await this.#write(snapshot, true).catch(this.#report);
    }
  }

  /** For an error beside another one, which is thrown anyway. */
  readonly #report = (error: Error) => this.options.onMessage(error.message);

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder?.[Symbol.asyncDispose]();
  }
}

/** The path of a folder, also of one that a browser gave. */
async function folderPath(folder: string | FolderHandle | undefined): Promise<string | undefined> {
  if (typeof folder !== "object") return folder;
  const { mount } = await import("./files/handles.ts");
  return await mount(folder);
}

/** Opens the folder of a run. What needs a file system is loaded when it is used. */
async function openFolder(
  outDir: string,
  options: ResolvedTrainOptions,
) {
  const { dataset: { height, width, channels }, checkpoint, onMessage } = options;
  const { imageCount: count, imageColumns: columns } = options;
  const { RunFolder } = await import("./files/run_folder.ts");
  const images = { count, height, width, channels, columns };
  return await RunFolder.open(outDir, { images, keep: checkpoint.keep, onMessage });
}

/** The first sentence of an error's message. */
function sentence({ message }: Error): string {
  return message.split(". ")[0];
}
