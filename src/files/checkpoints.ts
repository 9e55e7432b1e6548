/** The folder of checkpoints of a run. */

import { basename, join } from "npm:pathe@2.0.3";
import { CheckpointError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "./atomic.ts";
import { plain } from "../formats/json.ts";
import { filesIn, kindOf, readFile } from "./kind.ts";
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  firstNonFinite,
} from "../training/checkpoint.ts";
import { system } from "./system.ts";

/**
 * Reads a checkpoint file. What its position says is left to {@linkcode requirePosition}.
 *
 * Array buffers made: the file and its values, at most twice the file's bytes.
 *
 * @throws {CheckpointError} when it cannot be opened, is damaged, foreign or newer.
 */
export async function readCheckpoint<P>(path: string): Promise<Checkpoint<P>> {
  const bytes = await readFile(path).catch((cause) => {
    throw new CheckpointError(`Cannot open the checkpoint ${path}: ${cause.message}`, { cause });
  });
  return decodeCheckpoint(bytes, path);
}

const NAME = /^ckpt-(\d{4,})(?:-step-(\d+))?\.safetensors$/;

/** How good a checkpoint is. The energy distance in files of version 0.1.0 says nothing here. */
interface Quality {
  /** Whether all numbers are finite. */
  readonly finite: boolean;
  /** Lower is better; NaN is unknown. */
  readonly distance: number;
  /** What the distance compares: one of something else says nothing beside it. */
  readonly compared?: string;
}

function qualityOf<P>({ frechetDistance, compared, tensors }: Checkpoint<P>): Quality {
  const finite = firstNonFinite(tensors) === undefined;
  return { finite, distance: finite ? frechetDistance ?? NaN : NaN, compared };
}

/** Folder for checkpoints newer than the one that a run resumed from. */
export const SUPERSEDED = "superseded";

/** Checkpoints of one run, `ckpt-0015.safetensors` after epoch 15. */
export class CheckpointFolder {
  /** Of those that can be read, by path. */
  readonly #qualities = new Map<string, Quality>();

  /**
   * @param keep how many of the newest to keep (3); the best and the newest of finite numbers stay,
   *   too, and others are removed
   */
  constructor(readonly path: string, private readonly keep = 3) {}

  /**
   * Writes one; in the middle of an epoch its name has the step, too.
   *
   * @returns its path, and whether it is the best of the folder
   */
  async save<P>(
    epoch: number,
    step: number | undefined,
    checkpoint: Checkpoint<P>,
  ): Promise<{ path: string; best: boolean }> {
    await makeFolder(this.path);
    const number = String(epoch).padStart(4, "0");
    const name = step === undefined ? `ckpt-${number}` : `ckpt-${number}-step-${step}`;
    const path = join(this.path, `${name}.safetensors`);
    await writeFileAtomic(path, encodeCheckpoint(checkpoint));
    this.#qualities.set(path, qualityOf(checkpoint));
    return { path, best: await this.#prune(path) === path };
  }

  /** Whether a checkpoint is better than all that are there and compare the same. */
  async isBest<P>(checkpoint: Checkpoint<P>): Promise<boolean> {
    const { distance, compared } = qualityOf(checkpoint);
    const others = (await this.#readable()).filter((one) => one.compared === compared);
    return others.every((one) => Number.isNaN(one.distance) || distance < one.distance);
  }

  /** Removes those that are neither new nor the best. Returns the path of the best. */
  async #prune(written: string): Promise<string | undefined> {
    const readable = await this.#readable();
    const finite = readable.filter((one) => one.finite);
    const known = finite.filter(({ distance }) => !Number.isNaN(distance));
    const alike = known.filter(({ compared }) => compared === known.at(-1)!.compared);
    const least = Math.min(...alike.map(({ distance }) => distance));
    const best = alike.findLast(({ distance }) => distance === least)?.path; // The newer of two.
    // In a run with `onNonFinite: "warn"`, the last finite checkpoint is the one to go back to.
    const kept = [best, written, finite.at(-1)?.path];
    for (const { path } of readable.slice(0, -this.keep)) {
      if (kept.includes(path)) continue;
      await system.remove(path);
      this.#qualities.delete(path);
    }
    return best;
  }

  /** Those that can be read, the oldest first. */
  async #readable(): Promise<(Quality & { readonly path: string })[]> {
    const qualities = this.#qualities;
    const paths = await this.list();
    for (const path of paths) {
      if (qualities.has(path)) continue;
      await readCheckpoint(path).then((read) => qualities.set(path, qualityOf(read)), (error) => {
        // It stays; a resume reports what is wrong with it.
        if (!(error instanceof CheckpointError)) throw error;
      });
    }
    return paths.flatMap((path) => qualities.has(path) ? { path, ...qualities.get(path)! } : []);
  }

  /**
   * Moves checkpoints aside that are newer than the one a run resumes from: a later resume would take
   * them for the newest.
   *
   * @param step in the middle of the epoch; omit it at the end
   * @returns their names, which they keep in the folder `superseded`
   */
  async supersede(epoch: number, step = Infinity): Promise<string[]> {
    const folder = join(this.path, SUPERSEDED);
    const newer = (await this.#entries()).filter((entry) =>
      entry.epoch > epoch || (entry.epoch === epoch && entry.step > step)
    );
    if (newer.length) await makeFolder(folder);
    const names = newer.map(({ path }) => basename(path));
    for (const name of names) await system.rename(join(this.path, name), join(folder, name));
    return names;
  }

  /** Removes them all, and those moved aside. */
  async clear(): Promise<void> {
    const aside = new CheckpointFolder(join(this.path, SUPERSEDED));
    for (const folder of [this, aside]) {
      for (const path of await folder.list()) await system.remove(path);
    }
  }

  /** All checkpoints, the oldest first. */
  async list(): Promise<string[]> {
    return (await this.#entries()).map(({ path }) => path);
  }

  /** `step` is infinite at the end of an epoch, which comes after all its steps. */
  async #entries(): Promise<{ path: string; epoch: number; step: number }[]> {
    if (await kindOf(this.path) === "file") {
      throw new CheckpointError(
        `${this.path} is a file, and should be the folder of checkpoints: move it away, or use ` +
          "another folder",
      );
    }
    const entries = (await filesIn(this.path, NAME)).map(({ path, match: [, epoch, step] }) => (
      { path, epoch: Number(epoch), step: Number(step ?? Infinity) }
    ));
    return entries.sort((a, b) => a.epoch - b.epoch || (a.step < b.step ? -1 : 1));
  }

  /**
   * The newest checkpoint that can be read, if there is one.
   *
   * @param skipped called for each newer one that cannot be read
   * @param require throws a {@linkcode CheckpointError} for one to skip
   */
  async newest<P>(
    skipped: (error: CheckpointError) => void,
    require: (checkpoint: Checkpoint<P>, path: string) => void = () => {},
  ): Promise<{ path: string; checkpoint: Checkpoint<P> } | undefined> {
    for (const path of (await this.list()).toReversed()) {
      try {
        const checkpoint = await readCheckpoint<P>(path);
        require(checkpoint, path);
        return { path, checkpoint };
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        skipped(error);
      }
    }
    return undefined;
  }

  /** As {@linkcode CheckpointFolder.newest}. @throws {CheckpointError} when none can be read */
  async latest<P>(
    skipped: (error: CheckpointError) => void,
    require?: (checkpoint: Checkpoint<P>, path: string) => void,
  ): Promise<{ path: string; checkpoint: Checkpoint<P> }> {
    const found = await this.newest(skipped, require);
    if (found) return found;
    const names = (await this.list()).map((path) => basename(path)).join(", ");
    throw new CheckpointError(
      `There is no checkpoint to resume in ${this.path}` +
        (names ? ` that can be read (tried ${plain(names, 400)})` : "") +
        ": start anew without resuming; overwrite what is there (overwrite: true, --force) or use " +
        "another folder",
    );
  }
}
