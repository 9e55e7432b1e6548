/**
 * The readers under test: each reads the files of a folder, checks that what it gives is as it
 * promises, and lets through what it throws.
 */

import { deepStrictEqual as equal } from "node:assert/strict";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { cachedRows } from "../../../src/files/kernel_cache.ts";
import { CANDIDATES } from "../../../src/ops/gemm/calibrate.ts";
import { decompressIDX, parseIDX } from "../../../src/data/idx.ts";
import { decodeImage } from "../../../src/data/decode.ts";
import { loadImages } from "../../../src/data/images.ts";
import { CheckpointError } from "../../../src/errors.ts";
import { CheckpointFolder, readCheckpoint } from "../../../src/files/checkpoints.ts";
import {
  type Checkpoint,
  encodeCheckpoint,
  requireSameConfiguration,
  requireState,
} from "../../../src/training/checkpoint.ts";
import { decodeClassifier } from "../../../src/metrics/classifier.ts";
import type { MetricsRow } from "../../../src/formats/metrics.ts";
import { MetricsLog, readMetrics } from "../../../src/training/metrics_log.ts";
import { imageHeader } from "../../../src/formats/image_header.ts";
import { requireImage } from "../../../src/formats/image.ts";
import { decodePNG, encodePNG } from "../../../src/formats/png.ts";
import { readRunRecord, writeRunRecord } from "../../../src/files/run_record.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../src/formats/safetensors.ts";
import { generatorArchitecture, generatorSizes } from "../../../src/model/generator.ts";
import { readWeights } from "../../../src/files/model_files.ts";
import { requireSameModel } from "../../../src/model/topology.ts";
import { weightData } from "../../../src/model/weights.ts";
import { type Position, requirePosition } from "../../../src/training/position.ts";
import { RunFolder } from "../../../src/files/run_folder.ts";
import { concat, word } from "./bytes.ts";
import { chunksIn, headerOf, inflatedSize, isKind } from "./png.ts";
import type { Files } from "./victim.ts";

/** What was read is not as the reader promises. */
export class Broken extends Error {}

function expect(right: boolean, what: string): void {
  if (!right) throw new Broken(what);
}

/** Runs checks in which nothing may be thrown. */
async function promised(body: () => void | Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    throw new Broken((error as Error).stack);
  }
}

/** Goes on where a checkpoint is refused in a message to be shown; other errors are mistakes. */
function mayRefuse(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    // deno-lint-ignore no-control-regex
    expect(/^[^\x00-\x1f\x7f-\x9f]{0,1999}$/.test(error.message), `message ${error.message}`);
  }
}

/** Images of the data set that the checkpoints claim to be of. */
export const COUNT = 100;
/** The configuration of a run that would resume from them. */
export const CONFIGURATION = { dataset: [COUNT, 28, 28, 1], batchSize: 16, seed: 1 };
/** The state of that run, as far as the checkpoints have it. */
const STATE = new Map([["random", { shape: [2], dtype: "u32" as const }]]);
/** A file beside the folder of a case, which no reader may open. */
export const OUTSIDE = "outside.bin";
/** Whose measurements a kernel cache keeps. */
export const IDENTITY = "adapter | Deno | version";

const isObject = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (n: number) => Number.isSafeInteger(n) && n >= 0;
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

type File = ReturnType<typeof decodeSafetensors>;

/** NaN by their bits, which the file keeps. */
function bits({ tensors, metadata }: File) {
  const words = Array.from(tensors, ([name, { dtype, shape, data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [name, dtype, shape, bytes.toHex()];
  });
  // In their order in the header, in which names that are numbers come first.
  words.sort((a, b) => a[0] < b[0] ? -1 : 1);
  return [words, Object.entries(metadata)];
}

/** Calls `measured` when it has read. */
type Reader = (folder: string, files: Files, measured: () => void) => Promise<void>;

export const readers = {
  async idx(folder, { file }, measured) {
    const path = join(folder, "file");
    const raw = await decompressIDX(file, path);
    const { dims, data } = parseIDX(raw, path);
    measured();
    expect(dims.length >= 1 && dims.length <= 4, `rank ${dims.length}`);
    expect(sizeOf(dims) === data.length, `${dims} for ${data.length} values`);
    const again = concat(Uint8Array.of(0, 0, 8, dims.length), ...dims.map(word));
    expect(raw.subarray(0, again.length).toHex() === again.toHex(), "another header");
  },

  async safetensors(folder, { file }, measured) {
    const path = join(folder, "file.safetensors");
    const read = decodeSafetensors(file, path);
    measured();
    let bytes = 0;
    for (const [name, { dtype, shape, data }] of read.tensors) {
      expect(shape.every(isCount), `${name} of ${shape}`);
      expect(sizeOf(shape) === data.length, `${name}: ${shape} with ${data.length} values`);
      expect(data instanceof (dtype === "F32" ? Float32Array : Uint32Array), `${name}: ${dtype}`);
      expect(data.buffer !== file.buffer, `${name} is a view of the file`);
      bytes += data.byteLength;
    }
    // Neither holes nor overlaps, nor anything behind.
    const header = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    expect(8 + header + bytes === file.length, `${bytes} bytes of values in ${file.length}`);
    await promised(() => {
      equal(bits(decodeSafetensors(encodeSafetensors(read), path)), bits(read));
    });
  },

  async checkpoint(folder, files, measured) {
    const [[name, file]] = Object.entries(files);
    const path = join(folder, name);
    const read = await readCheckpoint<Position>(path);
    const { configuration, position, frechetDistance: distance, kernels, version } = read;
    expect(isObject(configuration), `the configuration is ${JSON.stringify(configuration)}`);
    const { metadata } = decodeSafetensors(file, path);
    expect(metadata.format === "1", `format ${metadata.format}`);
    const same = Number(metadata.frechetDistance) === distance ||
      `${distance}` === metadata.frechetDistance;
    expect(
      distance === undefined || (typeof distance === "number" && same),
      `distance ${distance}`,
    );
    expect(metadata.frechetDistance?.trim() !== "", "no distance");
    expect(typeof kernels === "string" && typeof version === "string", "no text");
    mayRefuse(() => requireSameConfiguration(path, configuration, CONFIGURATION));
    mayRefuse(() => requireState(read.tensors, STATE, path));
    requirePosition(position, COUNT, path);
    measured();
    expect([position.steps, position.at, position.sums.steps].every(isCount), "no counts");
    for (const entry of position.history) {
      const { epoch, step, steps, generatorLoss, discriminatorLoss, seconds } = entry;
      const numbers = [generatorLoss, discriminatorLoss, seconds];
      const right = numbers.every((n) => typeof n === "number");
      expect(right && [epoch, step, steps].every(isCount), `history ${JSON.stringify(entry)}`);
    }
    await promised(async () => {
      const found = await new CheckpointFolder(folder).latest<Position>(() => {});
      equal(found.path, path);
      Deno.writeFileSync(path, encodeCheckpoint(read));
      const plain = ({ tensors: _, ...rest }: Checkpoint<Position>) => JSON.stringify(rest);
      equal(plain(await readCheckpoint(path)), plain(read));
    });
  },

  /** As `Generator.load`, without the device. */
  async weights(folder, files, measured) {
    const name = "model.json" in files ? "model.json" : Object.keys(files)[0];
    const file = await readWeights(join(folder, name), "generator");
    if (name === "model.json") {
      const { weightsManifest } = JSON.parse(new TextDecoder().decode(files[name]));
      const paths: string[] = weightsManifest.flatMap(({ paths }: { paths: string[] }) => paths);
      expect(paths.every((path) => path === "a.bin" || path === "b.bin"), `read ${paths}`);
      expect(new Set(paths).size === paths.length, `read ${paths}`);
    }
    for (const [tensor, { shape, data }] of file.tensors) {
      expect(sizeOf(shape) === data.length, `${tensor}: ${shape}`);
    }
    const model = generatorArchitecture(generatorSizes(file));
    requireSameModel(file, model);
    for (const { name, layer } of model.layers) {
      for (const weight of layer.weights) {
        const data = weightData(file, `${name}/${weight.name}`, weight.shape);
        expect(data.every(Number.isFinite), `${name} is not finite`);
      }
    }
    measured();
  },

  async png(folder, files, measured) {
    const path = join(folder, "file.png");
    const file = files["file.png"];
    const image = decodePNG(file, path);
    measured();
    const header = headerOf(file);
    expect(isKind(header), `color type ${header.color} with ${header.depth} bits`);
    const chunks = chunksIn(file);
    const named = (type: string) => chunks.filter((chunk) => chunk.type === type);
    expect(named("IHDR").length === 1, "not one header");
    expect(![...named("IHDR"), ...named("IDAT")].some(({ damaged }) => damaged), "checksum");
    expect(header.color !== 3 || named("PLTE")[0].data.length <= 768, "palette");
    const rows = inflateSync(concat(...named("IDAT").map(({ data }) => data))).length;
    expect(rows === inflatedSize(header), `${rows} bytes of rows, not ${inflatedSize(header)}`);
    await promised(() => {
      requireImage(image, [1, 2, 3, 4]);
      const again = decodePNG(encodePNG(image), path);
      equal({ ...again, data: again.data.toHex() }, { ...image, data: image.data.toHex() });
    });
  },

  async photo(folder, { photo }, measured) {
    const image = await decodeImage(photo, join(folder, "photo"));
    measured();
    const { width, height, orientation } = imageHeader(photo)!;
    const size = orientation < 5 ? [width, height] : [height, width];
    expect(`${size}` === `${[image.width, image.height]}`, `not ${size}`);
    await promised(() => requireImage(image, [1, 4]));
  },

  async images(folder, _, measured) {
    // Taken from the number of files, so that both kinds of loading are tried.
    const scaled = [...Deno.readDirSync(folder)].length % 2 === 1;
    const options = scaled ? { size: [8, 12], channels: 3 } as const : {};
    const read = await loadImages(folder, options);
    const { images, labels, count, height, width, channels, classes, files } = read;
    measured();
    for (const path of scaled ? [] : files) {
      const header = headerOf(Deno.readFileSync(path));
      expect(header.width === width && header.height === height, `${path} has another size`);
      const kind = header.color === 0 || header.color === 4 ? 1 : 3;
      expect(kind <= channels, `${path} is of another kind`);
    }
    expect(images.length === count * height * width * channels, "sizes");
    expect(labels.length === (classes.length ? count : 0), "labels");
    expect(files.length === count && files.every((path) => path.startsWith(folder)), "files");
  },

  classifier(folder, { file }, measured) {
    const path = join(folder, "file");
    const { facts: { image, classes, dataset, accuracy, images, made } } = decodeClassifier(
      file,
      path,
    );
    measured();
    expect(image.length === 3 && image.every((n) => isCount(n) && n >= 1 && n <= 4096), "image");
    expect(isCount(classes) && classes >= 1 && classes <= 256, `classes ${classes}`);
    expect(typeof dataset === "string" && typeof made === "string", "no text");
    expect(typeof accuracy === "number" && accuracy >= 0 && accuracy <= 1, `${accuracy}`);
    expect(images.every((each) => typeof each === "string"), "images");
    return Promise.resolve();
  },

  async metrics(folder, _, measured) {
    const path = join(folder, "metrics.jsonl");
    const rows: MetricsRow[] = [];
    for await (const row of readMetrics(path)) rows.push(row);
    measured();
    const steps = rows.filter((row) => row.type === "step").map(({ step }) => step);
    expect(steps.every((step, i) => i === 0 || step > steps[i - 1]), `steps ${steps}`);
    await promised(async () => {
      // Going on with it keeps what was read, and the next line can be read, too.
      const last = Math.max(1, ...rows.map(({ step }) => step));
      const epoch = Math.max(1, ...rows.map(({ epoch }) => epoch));
      const kept: MetricsRow[] = [];
      const log = await MetricsLog.open(path, { afterStep: last, onRow: (row) => kept.push(row) });
      equal(kept, rows);
      const isLast = last === Number.MAX_SAFE_INTEGER;
      const losses = { generatorLoss: 1, discriminatorLoss: NaN };
      if (!isLast) log.step({ step: last + 1, epoch, images: 1, ...losses });
      await log.close();
      equal((await Array.fromAsync(readMetrics(path))).length, rows.length + (isLast ? 0 : 1));
    });
  },

  async run(folder, files, measured) {
    const messages: string[] = [];
    const onMessage = (text: string) => void messages.push(text);
    const record = await readRunRecord(folder, onMessage);
    measured();
    await promised(async () => {
      if (record) {
        equal(messages, []);
        expect(isObject(record.configuration), "no configuration");
        expect(record.sessions.every(isObject), "sessions that are none");
      }
      for (const text of messages) {
        expect(text.includes(folder) && text.length < 2000, `message ${text.slice(0, 2500)}`);
      }
      const images = { count: 1, height: 28, width: 28, channels: 1, columns: 1 };
      await using own = await RunFolder.open(folder, { images, onMessage });
      await own.objection(CONFIGURATION);
      const facts = { configuration: {}, seed: 1, adapter: {}, kernels: {}, fromStep: 5 };
      const path = await writeRunRecord(folder, facts, onMessage);
      const { sessions } = (await readRunRecord(folder, onMessage))!;
      equal(sessions.length, (record?.sessions.length ?? 0) + 1);
      // Indented, which is more than there was, but not much more.
      const { size } = Deno.statSync(path);
      expect(size <= 4000 + 20 * files["run.json"].length, `wrote ${size} bytes`);
    });
  },

  kernels(_, { file }, measured) {
    const text = new TextDecoder().decode(file);
    for (const kind of ["software", "gpu"] as const) {
      const rows = cachedRows(text, IDENTITY, kind);
      measured();
      for (const row of rows) {
        expect(CANDIDATES[kind].includes(row.choice), `choice ${row.choice}`);
        const times = Object.values(row.milliseconds);
        expect(times.every((time) => typeof time === "number"), `times ${times}`);
        expect(Object.keys(row).length === 4, `keys ${Object.keys(row)}`);
      }
      const again = cachedRows(JSON.stringify({ identity: IDENTITY, rows }), IDENTITY, kind);
      expect(JSON.stringify(again) === JSON.stringify(rows), "another round trip");
    }
    return Promise.resolve();
  },
} satisfies Record<string, Reader>;

export type ReaderName = keyof typeof readers;
