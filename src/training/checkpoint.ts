/** What a checkpoint holds, and its bytes. */

import { CheckpointError } from "../errors.ts";
import { requireChecksums, withChecksums } from "../formats/checksums.ts";
import { decodeNumber, encodeJSON, isObject, parseJSON, plain, quote } from "../formats/json.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "../formats/safetensors.ts";
import { type DType, sameShape, type Shape, show } from "../graph/tensor.ts";
import { negativeVariance } from "../model/weights.ts";

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
  readonly frechetDistance?: number;
  /** How many images that compares, and through which network: others give another distance. */
  readonly compared?: string;
  /** Where the run stands. */
  readonly position: Position;
}

/** Early files of version 0.1.0 have null for a number that is not finite. */
const reviveNumber = (_key: string, value: unknown) => value === null ? NaN : decodeNumber(value);

/** Bytes of a checkpoint file. */
export function encodeCheckpoint<P>(checkpoint: Checkpoint<P>): Uint8Array<ArrayBuffer> {
  const { tensors, configuration, kernels, version, position } = checkpoint;
  const { frechetDistance, compared } = checkpoint;
  const metadata = {
    format: String(FORMAT),
    version,
    configuration: encodeJSON(configuration),
    kernels,
    position: encodeJSON(position),
    ...(frechetDistance === undefined ? {} : { frechetDistance: String(frechetDistance) }),
    ...(compared === undefined ? {} : { compared }),
  };
  return encodeSafetensors(withChecksums({ tensors, metadata }));
}

/**
 * Decodes a checkpoint file. What its position says is left to {@linkcode requirePosition}.
 *
 * Array buffers made: the values, at most the file's bytes.
 *
 * @param path what messages call the file
 * @throws {CheckpointError} when it is damaged, foreign or newer.
 */
export function decodeCheckpoint<P>(bytes: Uint8Array, path: string): Checkpoint<P> {
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
  const damaged = (what: string, cause?: unknown) =>
    new CheckpointError(`${what}: the file is damaged. Use another checkpoint`, { cause });
  const parse = (text: string, reviver: (key: string, value: unknown) => unknown): unknown => {
    try {
      return parseJSON(text, { reviver });
    } catch (cause) {
      throw damaged(`The metadata of ${path} ${(cause as Error).message}`, cause);
    }
  };
  const options = parse(configuration, (_key, value) => decodeNumber(value));
  if (!isObject(options)) {
    throw damaged(`The configuration in ${path} is ${quote(options)}, no object`);
  }
  // It decides which checkpoint is the best one, so nothing else may be taken for a number.
  const { frechetDistance: distance, compared } = metadata;
  if (distance?.trim() === "" || (Number.isNaN(Number(distance ?? 0)) && distance !== "NaN")) {
    throw damaged(`The Fréchet distance in ${path} is ${quote(distance)}`);
  }
  return {
    tensors,
    configuration: options,
    kernels,
    version,
    frechetDistance: distance === undefined ? undefined : Number(distance),
    compared,
    position: parse(position, reviveNumber) as P,
  };
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
 * @throws {CheckpointError} when one is missing, unknown, of another shape or type, or a negative
 *   variance.
 */
export function requireState(
  tensors: ReadonlyMap<string, SafeTensor>,
  state: ReadonlyMap<string, { readonly shape: Shape; readonly dtype: DType }>,
  file: string,
): void {
  const refuse: (what: string) => never = (what) => {
    throw new CheckpointError(what);
  };
  const another = "it is of another network or damaged, use another checkpoint";
  for (const [name, { shape, dtype }] of state) {
    const tensor = tensors.get(name);
    if (!tensor) refuse(`${file} has no tensor ${name}: ${another}`);
    const type = dtype.toUpperCase();
    if (!sameShape(tensor.shape, shape) || tensor.dtype !== type) {
      const is = `${tensor.dtype} ${plain(show(tensor.shape))}`;
      refuse(`In ${file}, ${name} is ${is}; this network needs ${type} ${show(shape)}`);
    }
    const at = negativeVariance(name, tensor.data);
    if (at < 0) continue;
    refuse(
      `In ${file}, ${name} ${show(shape)} holds ${tensor.data[at]} at ${at}: a variance is at ` +
        "least 0. Use another checkpoint",
    );
  }
  for (const name of tensors.keys()) {
    if (!state.has(name)) refuse(`${file} has an unknown tensor ${plain(name)}: ${another}`);
  }
}

/** The first tensor with a number that is NaN or infinite. */
export function firstNonFinite(tensors: ReadonlyMap<string, SafeTensor>): string | undefined {
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
    `${path} holds numbers that are not finite (in ${plain(name)}): training cannot go on from ` +
      "it. Resume an older checkpoint, or let it go on regardless " +
      '(onNonFinite "warn", --non-finite warn)',
  );
}
