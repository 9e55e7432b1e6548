/** What a run leaves behind in its folder. */

import { basename, join } from "npm:pathe@2.0.3";
import { CheckpointError, DataError } from "../errors.ts";
import { isSystemError, makeFolder, removeTemporary, writeFileAtomic } from "./atomic.ts";
import { CheckpointFolder, SUPERSEDED } from "./checkpoints.ts";
import { Curves } from "../formats/curves.ts";
import { plain, quote } from "../formats/json.ts";
import { ifThere, requireNoLinks } from "./kind.ts";
import { FolderLock, LOCK } from "./lock.ts";
import { evaluationIn, type MetricsRow } from "../formats/metrics.ts";
import { MetricsLog } from "../training/metrics_log.ts";
import { TensorBoardLog } from "../training/tensorboard_log.ts";
import { type ImageShape, listImages, writeGIF, writeGrid } from "./images.ts";
import { readRunRecord, RUN_RECORD, writeRunRecord } from "./run_record.ts";
import { eventFiles } from "./tensorboard.ts";
import type { EpochEvent, StepEvent } from "../training/events.ts";
import { withDefaults } from "../training/hyperparameters.ts";
import type { Snapshot } from "../training/position.ts";
import type { Trainer } from "../training/trainer.ts";
import { system } from "./system.ts";

/** The folder of checkpoints in that of a run. */
export const CHECKPOINTS = "training_checkpoints";

/** The checkpoints in the folder of a run. */
export function checkpointsOf(outDir: string, keep?: number): CheckpointFolder {
  return new CheckpointFolder(join(outDir, CHECKPOINTS), keep);
}

interface RunFolderOptions {
  /** Sizes of the images of one grid, and how many are in a row. */
  readonly images: ImageShape;
  /** How many of the newest checkpoints stay. Default 3. */
  readonly keep?: number;
  /** Called with what a person should know. */
  readonly onMessage: (text: string) => void;
}

const TENSORBOARD = "tensorboard";
const METRICS = "metrics.jsonl";
const CURVES = "losses.svg";

/** Files that are a run's, apart from its images, checkpoints and event files. */
const NAMES = [METRICS, CURVES, RUN_RECORD, "dcgan.gif"];

/**
 * What a run opens and writes to, so that a link would lead elsewhere. The other files are written under
 * another name and renamed, which replaces a link.
 */
const OPENED = [LOCK, METRICS, TENSORBOARD, CHECKPOINTS, join(CHECKPOINTS, SUPERSEDED)];

/** Seconds between flushes of the log. */
const FLUSH_SECONDS = 0.5;

/**
 * Images, checkpoints, logs, curves and the record of a run.
 *
 * `open` and `begin` throw when anything cannot be written: no work is lost yet. Later only a checkpoint
 * that cannot be written throws; for other files a message is emitted, and training goes on.
 */
export class RunFolder implements AsyncDisposable {
  /** The folder of checkpoints. */
  readonly checkpoints: CheckpointFolder;
  #metrics: MetricsLog | undefined;
  #tensorboard: TensorBoardLog | undefined;
  #curves = new Curves();
  #flushed = performance.now();
  /** What failed the last time it was written. */
  readonly #failing = new Set<string>();

  private constructor(
    readonly path: string,
    private readonly lock: FolderLock | undefined,
    private readonly options: RunFolderOptions,
  ) {
    this.checkpoints = checkpointsOf(path, options.keep);
  }

  /**
   * Makes the folder, so that a run fails early if it cannot be written to, and takes it for itself.
   *
   * @throws {CheckpointError} when another run is writing to it, or a link in it leads elsewhere.
   * @throws {Error} when it cannot be written to, naming the path, the reason and a way out.
   */
  static async open(path: string, options: RunFolderOptions): Promise<RunFolder> {
    await makeFolder(path);
    await requireNoLinks(path, OPENED);
    return new RunFolder(path, await FolderLock.take(path, options.onMessage), options);
  }

  /**
   * Makes room for a new run.
   *
   * @throws {CheckpointError} when the folder holds one already and `overwrite` is false.
   */
  async clear(overwrite: boolean): Promise<void> {
    const checkpoints = await this.checkpoints.list();
    const files = (await listImages(this.path)).map(({ path }) => path);
    for (const name of NAMES) {
      const path = join(this.path, name);
      if (await ifThere(system.lstat(path))) files.push(path);
    }
    const events = join(this.path, TENSORBOARD);
    files.push(...(await eventFiles(events)).map(({ path }) => path));
    const [first] = [...checkpoints, ...files];
    if (first !== undefined && !overwrite) {
      const [state, resume] = checkpoints.length
        ? ["", "resume it (resume: true, --resume), "]
        : [", stopped before its first checkpoint", ""];
      throw new CheckpointError(
        `${this.path} holds a run already (${basename(first)})${state}: ${resume}` +
          "overwrite it (overwrite: true, --force), or use another folder",
      );
    }
    await this.checkpoints.clear();
    // By name: a stranger's file beside them stays, and so does the folder that it is in.
    for (const file of files) await system.remove(file);
    await system.remove(events).catch(() => {});
  }

  /**
   * Why a trainer of this configuration cannot continue the run in the folder; undefined when it can,
   * or when the folder has no record.
   */
  async objection(here: Readonly<Record<string, unknown>>): Promise<string | undefined> {
    const record = await readRunRecord(this.path);
    const there = record && withDefaults(record.configuration);
    const differs = (key: string) => JSON.stringify(there?.[key]) !== JSON.stringify(here[key]);
    const key = there && Object.keys({ ...there, ...here }).find(differs);
    if (key === undefined) return undefined;
    return `${join(this.path, RUN_RECORD)} is the record of another run, with ${plain(key)} ` +
      `${quote(there?.[key])}, and this one has ${quote(here[key])}: resume into another folder ` +
      "(outDir; --resume FILE --out DIR), or move the record away if it is wrong";
  }

  /**
   * Begins the logs, or goes on with them after the trainer's step: when a run begins or resumes, and
   * again when another trainer takes the place of one that lost its device.
   */
  async begin(trainer: Trainer, command?: readonly string[]): Promise<void> {
    const { configuration, gpu, steps: fromStep, currentEpoch, betweenEpochs } = trainer;
    const { onMessage } = this.options;
    await this.#closeLogs();
    this.#curves = new Curves(configuration.objective as string);
    // What a process left that was killed while it wrote. Not before: where the folder was refused,
    // another one may be writing there.
    for (const dir of [this.path, this.checkpoints.path]) await removeTemporary(dir);
    const aside = betweenEpochs
      ? await this.checkpoints.supersede(currentEpoch - 1)
      : await this.checkpoints.supersede(currentEpoch, fromStep);
    if (aside.length) {
      const folder = join(this.checkpoints.path, SUPERSEDED);
      onMessage(`newer than what is resumed, and now in ${folder}: ${aside.join(", ")}`);
    }
    const seed = configuration.seed as number;
    const facts = {
      configuration,
      seed,
      adapter: gpu.info,
      kernels: gpu.tuning,
      fromStep,
      command,
    };
    await writeRunRecord(this.path, facts, onMessage);
    this.#metrics = await this.#openMetrics(fromStep);
    const folder = join(this.path, TENSORBOARD);
    this.#tensorboard = await TensorBoardLog.open(folder, { afterStep: fromStep });
  }

  /** A log that cannot be read must not stop a run: it is put aside. */
  async #openMetrics(afterStep: number): Promise<MetricsLog> {
    const path = join(this.path, METRICS);
    const onRow = (row: MetricsRow) => this.#curves.addRow(row);
    try {
      return await MetricsLog.open(path, { afterStep, onRow });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      const aside = `${path}.damaged`;
      await system.rename(path, aside);
      this.options.onMessage(`${error.message}; it is now ${aside}, and a new log begins`);
      return await MetricsLog.open(path, { afterStep });
    }
  }

  /** Logs a step. */
  async step(event: StepEvent): Promise<void> {
    const { step, generatorLoss, discriminatorLoss } = event;
    this.#metrics!.step(event);
    const losses = { "loss/generator": generatorLoss, "loss/discriminator": discriminatorLoss };
    this.#tensorboard!.scalars(step, losses);
    this.#curves.add(step, generatorLoss, discriminatorLoss);
    if (performance.now() - this.#flushed > 1000 * FLUSH_SECONDS) await this.#flush();
  }

  /** Logs an epoch and draws the curves again. */
  async epoch(event: EpochEvent): Promise<void> {
    const { step, epoch, image } = event;
    this.#metrics!.epoch(event);
    const evaluation = Object.entries(evaluationIn(event));
    if (evaluation.length) {
      const scalars = evaluation.map(([name, value]) => [`evaluation/${name}`, value]);
      this.#tensorboard!.scalars(step, Object.fromEntries(scalars));
    }
    if (image !== undefined) {
      await this.#tolerate("TensorBoard's image", async () => {
        this.#tensorboard!.image(step, "images", await system.readFile(image));
      });
    }
    this.#curves.markEpoch(step, epoch, event.frechetDistance);
    await this.#flush();
    await this.writeCurves();
  }

  /** Writes images on [-1, 1] and gives their path, unless they cannot be written. */
  image(
    images: Float32Array,
    { step, epoch, ofEpoch }: Readonly<{ step: number; epoch: number; ofEpoch: boolean }>,
  ): Promise<string | undefined> {
    const name = ofEpoch
      ? `epoch_${String(epoch).padStart(4, "0")}`
      : `step_${String(step).padStart(6, "0")}`;
    const path = join(this.path, `image_at_${name}.png`);
    return this.#tolerate("images", async () => {
      await writeGrid(path, images, this.options.images);
      return path;
    });
  }

  /** Writes a checkpoint; what was logged up to it is on the disk before. */
  async save(epoch: number, step: number | undefined, snapshot: Snapshot) {
    await this.#flush(true);
    return await this.checkpoints.save(epoch, step, snapshot);
  }

  /** Draws the curves of both losses as `losses.svg`. */
  async writeCurves(): Promise<void> {
    const svg = new TextEncoder().encode(this.#curves.svg());
    await this.#tolerate("curves", () => writeFileAtomic(join(this.path, CURVES), svg));
  }

  /** Writes `dcgan.gif` from the images up to here. */
  writeGIF(upTo: Readonly<{ step: number; epoch: number }>): Promise<string | undefined> {
    return this.#tolerate("the GIF", () => writeGIF(this.path, upTo)).catch((error) => {
      if (!(error instanceof DataError)) throw error;
      // No reason to stop a run.
      this.options.onMessage(`dcgan.gif is not written: ${error.message}`);
      return undefined;
    });
  }

  async #flush(sync = false): Promise<void> {
    await this.#withLogs((log) => log.flush({ sync }));
    this.#flushed = performance.now();
  }

  /** Writes and closes the logs. */
  async #closeLogs(): Promise<void> {
    await this.#withLogs((log) => log.close());
    this.#metrics = this.#tensorboard = undefined;
  }

  /** Does something with each log, even if it fails with the other. */
  async #withLogs(act: (log: MetricsLog | TensorBoardLog) => Promise<void>): Promise<void> {
    const errors: unknown[] = [];
    const logs = { "the log": this.#metrics, "TensorBoard's log": this.#tensorboard };
    for (const [what, log] of Object.entries(logs)) {
      if (!log) continue;
      await this.#tolerate(what, () => act(log), () => log.lost)
        .catch((error) => errors.push(error));
    }
    if (errors.length) throw errors[0];
  }

  /** Does what a run can do without. A failure is reported once, until it succeeds again. */
  async #tolerate<T>(
    what: string,
    body: () => Promise<T>,
    lost = () => 0,
  ): Promise<T | undefined> {
    try {
      const value = await body();
      if (this.#failing.delete(what)) {
        const without = lost() ? `, without ${lost()} entries that were too many to hold` : "";
        this.options.onMessage(`${what} can be written again${without}`);
      }
      return value;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (!this.#failing.has(what)) {
        this.options.onMessage(`${error.message}. The run goes on without`);
      }
      this.#failing.add(what);
      return undefined;
    }
  }

  /** Writes and closes the logs, and releases the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#closeLogs();
    } finally {
      await this.lock?.[Symbol.asyncDispose]();
    }
  }
}
