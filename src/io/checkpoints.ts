/**
 * The folder of checkpoints of a run.
 *
 * @module
 */

import { basename, join } from "node:path";
import { CheckpointError } from "../errors.ts";
import { writeFileAtomic } from "./atomic.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "./safetensors.ts";

/** Version of what is in the metadata; files of a newer one are refused. */
const FORMAT = 1;

/** A checkpoint: tensors, and what they belong to. */
export interface Checkpoint<Position> {
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** Hyperparameters that a resumed run must share. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** The kernel choices that it was made with; other ones give other bits. */
  readonly kernels: string;
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
  const { tensors, configuration, kernels, position } = checkpoint;
  const metadata = {
    format: String(FORMAT),
    configuration: JSON.stringify(configuration),
    kernels,
    position: JSON.stringify(position, pack),
  };
  return encodeSafetensors({ tensors, metadata });
}

/** Reads a checkpoint file. @throws {CheckpointError} when it is damaged, foreign or newer. */
export async function readCheckpoint<P>(path: string): Promise<Checkpoint<P>> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (cause) {
    throw new CheckpointError(`Cannot open the checkpoint ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  const { format, configuration, kernels = "unknown", position } = metadata;
  if (format === undefined || configuration === undefined || position === undefined) {
    throw new CheckpointError(`${path} is a safetensors file, but not a checkpoint of a run`);
  }
  if (!(Number(format) <= FORMAT)) {
    throw new CheckpointError(
      `${path} has checkpoint format ${format}, this version reads up to ${FORMAT}: ` +
        "use a newer version of @dcgan/webgpu",
    );
  }
  try {
    return {
      tensors,
      configuration: JSON.parse(configuration),
      kernels,
      position: JSON.parse(position, unpack) as P,
    };
  } catch (cause) {
    throw new CheckpointError(`The metadata of ${path} is not JSON: the file is damaged`, {
      cause,
    });
  }
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
      `Cannot resume ${path}: it was made with ${key} ${a}, this run asks for ${b}. ` +
        `Use ${a}, or start anew in another folder`,
    );
  }
}

const NAME = /^ckpt-(\d{4,})(?:-step-(\d+))?\.safetensors$/;

/** Checkpoints of one run, `ckpt-0015.safetensors` after epoch 15. */
export class CheckpointFolder {
  /** @param keep how many to keep; older ones are removed. */
  constructor(readonly path: string, private readonly keep: number) {}

  /** Writes one; in the middle of an epoch its name has the step, too. */
  async save<P>(epoch: number, step: number | undefined, checkpoint: Checkpoint<P>) {
    await Deno.mkdir(this.path, { recursive: true });
    const number = String(epoch).padStart(4, "0");
    const name = step === undefined ? `ckpt-${number}` : `ckpt-${number}-step-${step}`;
    const path = join(this.path, `${name}.safetensors`);
    await writeFileAtomic(path, encodeCheckpoint(checkpoint));
    for (const old of (await this.list()).slice(0, -this.keep)) await Deno.remove(old);
    return path;
  }

  /**
   * Makes room for a new run.
   *
   * @throws {CheckpointError} when the folder holds one already and `overwrite` is false.
   */
  async begin(overwrite: boolean): Promise<void> {
    const old = await this.list();
    if (old.length && !overwrite) {
      throw new CheckpointError(
        `${this.path} holds a run already (${basename(old[old.length - 1])}): resume it, ` +
          "overwrite it, or use another folder",
      );
    }
    for (const path of old) await Deno.remove(path);
  }

  /** All checkpoints, the oldest first. */
  async list(): Promise<string[]> {
    const found: { path: string; epoch: number; step: number }[] = [];
    try {
      for await (const { name, isFile } of Deno.readDir(this.path)) {
        const match = isFile && NAME.exec(name);
        if (!match) continue;
        // Within epoch 3, step 500 comes before the end of the epoch.
        const step = match[2] === undefined ? Infinity : Number(match[2]);
        found.push({ path: join(this.path, name), epoch: Number(match[1]), step });
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return found.sort((a, b) => a.epoch - b.epoch || (a.step < b.step ? -1 : 1)).map((f) => f.path);
  }

  /**
   * The newest checkpoint that can be read; `skipped` hears of those that cannot.
   *
   * @throws {CheckpointError} when there is none.
   */
  async latest<P>(
    skipped: (error: CheckpointError) => void,
  ): Promise<{ path: string; checkpoint: Checkpoint<P> }> {
    const paths = await this.list();
    for (const path of paths.toReversed()) {
      try {
        return { path, checkpoint: await readCheckpoint<P>(path) };
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        skipped(error);
      }
    }
    const names = paths.map((p) => basename(p)).join(", ");
    throw new CheckpointError(
      `There is no checkpoint to resume in ${this.path}` +
        (names ? ` that can be read (tried ${names})` : "") + ": start without resuming",
    );
  }
}
