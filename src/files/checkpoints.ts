/**
 * The folder of checkpoints of a run.
 *
 * @module
 */

import { basename, join } from "node:path";
import { CheckpointError } from "../errors.ts";
import { type DType, sameShape, type Shape, show } from "../graph/tensor.ts";
import { makeFolder, writeFileAtomic } from "./atomic.ts";
import { requireChecksums, withChecksums } from "../formats/checksums.ts";
import { parseJSON, plain, quote } from "../formats/json.ts";
import { readFile } from "./regular.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "../formats/safetensors.ts";

/** Version of what is in the metadata; files of a newer one are refused. */
const FORMAT = 1;

/** A checkpoint: tensors, and what they belong to. */
export interface Checkpoint<Position> {
  /** All state by name: weights, moments, statistics, random state. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** Hyperparameters that a resumed run must share. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** The kernel choices that it was made with; other ones give other bits. */
  readonly kernels: string;
  /** Version of the library that made it. */
  readonly version: string;
  /** How far generated images were from real ones, if that was measured: lower is better. */
  readonly distance?: number;
  /** Where the run stands. */
  readonly position: Position;
}

/** JSON has neither NaN nor infinities: here they are strings. */
function pack(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** Undoes {@linkcode pack}. Version 0.1.0 let all of them become null. */
function unpack(_key: string, value: unknown): unknown {
  if (value === null) return NaN;
  return ["NaN", "Infinity", "-Infinity"].includes(value as string) ? Number(value) : value;
}

/** Bytes of a checkpoint file. */
export function encodeCheckpoint<P>(checkpoint: Checkpoint<P>): Uint8Array<ArrayBuffer> {
  const { tensors, configuration, kernels, version, distance, position } = checkpoint;
  const metadata = {
    format: String(FORMAT),
    version,
    configuration: JSON.stringify(configuration),
    kernels,
    position: JSON.stringify(position, pack),
    ...(distance === undefined ? {} : { distance: String(distance) }),
  };
  return encodeSafetensors(withChecksums({ tensors, metadata }));
}

/**
 * Reads a checkpoint file. What its position says is left to {@linkcode requirePosition}.
 *
 * Array buffers made: the file and its values, at most twice the file's bytes.
 *
 * @throws {CheckpointError} when it is damaged, foreign or newer.
 */
export async function readCheckpoint<P>(path: string): Promise<Checkpoint<P>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new CheckpointError(`Cannot open the checkpoint ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  const file = decodeSafetensors(bytes, path);
  const { tensors, metadata } = file;
  const { format, configuration, kernels = "unknown", version = "0.1.0", position } = metadata;
  if (format === undefined || configuration === undefined || position === undefined) {
    throw new CheckpointError(`${path} is a safetensors file, but not a checkpoint of a run`);
  }
  if (!/^[1-9]\d*$/.test(format) || Number(format) > FORMAT) {
    throw new CheckpointError(
      `${path} has checkpoint format ${quote(format)}, this version reads up to ${FORMAT}: ` +
        "use a newer version of @dcgan/webgpu",
    );
  }
  requireChecksums(file, path);
  return {
    tensors,
    configuration: configurationOf(parse(configuration, path), path),
    kernels,
    version,
    distance: distanceOf(metadata.distance, path),
    position: parse(position, path, unpack) as P,
  };
}

function parse(
  text: string,
  path: string,
  reviver?: (key: string, value: unknown) => unknown,
): unknown {
  try {
    return parseJSON(text, { reviver });
  } catch (cause) {
    throw new CheckpointError(
      `The metadata of ${path} ${(cause as Error).message}: the file is damaged. ` +
        "Use another checkpoint",
      { cause },
    );
  }
}

function configurationOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new CheckpointError(
    `The configuration in ${path} is ${quote(value)}, no object: the file is damaged`,
  );
}

/** It decides which checkpoint is the best one, so nothing else may be taken for a number. */
function distanceOf(text: string | undefined, path: string): number | undefined {
  if (text === undefined) return undefined;
  const distance = Number(text);
  if (text.trim() === "" || (Number.isNaN(distance) && text !== "NaN")) {
    throw new CheckpointError(`The distance in ${path} is ${quote(text)}: the file is damaged`);
  }
  return distance;
}

/**
 * Refuses to continue a run with other hyperparameters.
 *
 * @throws {CheckpointError} naming the first that differs, with both values.
 */
export function requireSameConfiguration(
  path: string,
  saved: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): void {
  for (const key of new Set([...Object.keys(saved), ...Object.keys(now)])) {
    const [a, b] = [JSON.stringify(saved[key]), JSON.stringify(now[key])];
    if (a === b) continue;
    throw new CheckpointError(
      `Cannot resume ${path}: it was made with ${plain(key)} ${plain(`${a}`)}, this run asks for ` +
        `${b}. Use ${plain(`${a}`)}, or start anew in another folder`,
    );
  }
}

/**
 * Refuses tensors that are not all the state of a run, and nothing else.
 *
 * @param state what there should be, by name
 * @param file what messages call the source
 * @throws {CheckpointError} when one is missing, unknown, or of another shape or type.
 */
export function requireState(
  tensors: ReadonlyMap<string, SafeTensor>,
  state: ReadonlyMap<string, { readonly shape: Shape; readonly dtype: DType }>,
  file: string,
): void {
  const another = "it is of another network or damaged, use another checkpoint";
  for (const [name, { shape, dtype }] of state) {
    const tensor = tensors.get(name);
    if (!tensor) throw new CheckpointError(`${file} has no tensor ${name}: ${another}`);
    if (!sameShape(tensor.shape, shape) || tensor.dtype !== dtype.toUpperCase()) {
      throw new CheckpointError(
        `In ${file}, ${name} is ${tensor.dtype} ${plain(show(tensor.shape))}; ` +
          `this network needs ${dtype.toUpperCase()} ${show(shape)}`,
      );
    }
  }
  for (const name of tensors.keys()) {
    if (state.has(name)) continue;
    throw new CheckpointError(`${file} has an unknown tensor ${plain(name)}: ${another}`);
  }
}

/** The first tensor with a number that is NaN or infinite. */
function firstNonFinite(tensors: ReadonlyMap<string, SafeTensor>): string | undefined {
  for (const [name, { dtype, data }] of tensors) {
    if (dtype === "F32" && !(data as Float32Array).every(Number.isFinite)) return name;
  }
  return undefined;
}

/**
 * Refuses a state that cannot be trained any further.
 *
 * @throws {CheckpointError} when a number in it is NaN or infinite.
 */
export function requireFinite(tensors: ReadonlyMap<string, SafeTensor>, path: string): void {
  const name = firstNonFinite(tensors);
  if (name === undefined) return;
  throw new CheckpointError(
    `${path} holds numbers that are not finite (in ${
      plain(name)
    }): training cannot go on from it. ` +
      'Resume an older checkpoint, or let it go on regardless (onNonFinite "warn", --non-finite warn)',
  );
}

const NAME = /^ckpt-(\d{4,})(?:-step-(\d+))?\.safetensors$/;

/** A checkpoint in its folder. */
interface Entry {
  readonly path: string;
  readonly epoch: number;
  /** Infinite at the end of an epoch, which comes after all its steps. */
  readonly step: number;
}

function entryOf(folder: string, name: string): Entry | undefined {
  const match = NAME.exec(name);
  if (!match) return undefined;
  const step = match[2] === undefined ? Infinity : Number(match[2]);
  return { path: join(folder, name), epoch: Number(match[1]), step };
}

function factsOf<P>({ distance = NaN, tensors }: Checkpoint<P>) {
  return { distance, finite: firstNonFinite(tensors) === undefined };
}

const byAge = (a: Entry, b: Entry) => a.epoch - b.epoch || (a.step < b.step ? -1 : 1);

/** Where checkpoints go that a run was taken back from. */
export const SUPERSEDED = "superseded";

/** Checkpoints of one run, `ckpt-0015.safetensors` after epoch 15. */
export class CheckpointFolder {
  /** Distances of checkpoints that can be read; others are never removed. */
  /** Of each checkpoint: its distance, and whether all of its numbers are finite. */
  readonly #facts = new Map<string, { readonly distance: number; readonly finite: boolean }>();

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
    this.#facts.set(path, factsOf(checkpoint));
    return { path, best: await this.#prune(path) === path };
  }

  /** Removes what is neither new nor the best, and says which one is the best. */
  async #prune(written: string): Promise<string | undefined> {
    const readable: string[] = [];
    for (const path of await this.list()) {
      if (!this.#facts.has(path)) {
        try {
          this.#facts.set(path, factsOf(await readCheckpoint(path)));
        } catch (error) {
          if (!(error instanceof CheckpointError)) throw error;
          continue; // Not ours to judge; a resume says what is wrong with it.
        }
      }
      readable.push(path);
    }
    const distance = (path: string) => this.#facts.get(path)!.distance;
    const finite = readable.filter((path) => this.#facts.get(path)!.finite);
    const measured = finite.filter((path) => !Number.isNaN(distance(path)));
    const best = measured.reduce<string | undefined>(
      // The newer one of two that are equally good.
      (a, b) => a !== undefined && distance(a) < distance(b) ? a : b,
      undefined,
    );
    // Where a run went on with numbers that are not finite, what was before is worth the most.
    const kept = [best, written, finite.at(-1)];
    for (const path of readable.slice(0, -this.keep)) {
      if (kept.includes(path)) continue;
      await Deno.remove(path);
      this.#facts.delete(path);
    }
    return best;
  }

  /**
   * Puts aside what is newer than the place that a run goes on from: it would be taken for the newest
   * of what is trained from now on, and count among those that stay.
   *
   * @param step in the middle of the epoch; none at its end
   * @returns The folder in which they are, and their old paths.
   */
  async supersede(epoch: number, step = Infinity): Promise<{ folder: string; paths: string[] }> {
    const folder = join(this.path, SUPERSEDED);
    const newer = (await this.#entries()).filter((entry) =>
      entry.epoch > epoch || (entry.epoch === epoch && entry.step > step)
    );
    if (newer.length) await makeFolder(folder);
    for (const { path } of newer) await Deno.rename(path, join(folder, basename(path)));
    return { folder, paths: newer.map(({ path }) => path) };
  }

  /** Removes them all, those put aside, too. */
  async clear(): Promise<void> {
    for (const path of await this.list()) await Deno.remove(path);
    const aside = new CheckpointFolder(join(this.path, SUPERSEDED));
    for (const path of await aside.list()) await Deno.remove(path);
  }

  /** All checkpoints, the oldest first. */
  async list(): Promise<string[]> {
    return (await this.#entries()).map(({ path }) => path);
  }

  async #entries(): Promise<Entry[]> {
    const entries: Entry[] = [];
    try {
      for await (const { name, isFile } of Deno.readDir(this.path)) {
        const entry = isFile && entryOf(this.path, name);
        if (entry) entries.push(entry);
      }
    } catch (cause) {
      if (cause instanceof Deno.errors.NotADirectory) {
        throw new CheckpointError(
          `${this.path} is a file, and should be the folder of checkpoints: move it away, or use ` +
            "another folder",
          { cause },
        );
      }
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
    return entries.sort(byAge);
  }

  /**
   * The newest checkpoint that can be read; `skipped` hears of those that cannot.
   *
   * @throws {CheckpointError} when there is none.
   */
  async latest<P>(
    skipped: (error: CheckpointError) => void,
    require: (checkpoint: Checkpoint<P>, path: string) => void = () => {},
  ): Promise<{ path: string; checkpoint: Checkpoint<P> }> {
    const paths = await this.list();
    for (const path of paths.toReversed()) {
      try {
        const checkpoint = await readCheckpoint<P>(path);
        require(checkpoint, path);
        return { path, checkpoint };
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        skipped(error);
      }
    }
    const names = paths.map((p) => basename(p)).join(", ");
    throw new CheckpointError(
      `There is no checkpoint to resume in ${this.path}` +
        (names ? ` that can be read (tried ${plain(names, 400)})` : "") +
        ": start without resuming",
    );
  }
}
