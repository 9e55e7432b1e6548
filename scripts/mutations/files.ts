/**
 * Faults in what is read and written.
 *
 * @module
 */

import { type Fault, faultsOf } from "./fault.ts";

const CHECKPOINTS = ["train", "fuzz_text"];

export const FILES: readonly Fault[] = [
  ...faultsOf("src/data/idx.ts", ["idx", "fuzz_bytes"], {
    "sizes are little-endian": [
      "view.getUint32(4 + 4 * axis)",
      "view.getUint32(4 + 4 * axis, true)",
    ],
    "bytes behind the values are passed over": ["if (found !== expected)", "if (found < expected)"],
    "the header's size decides what is allocated": [
      "if (size > most) {",
      "if (size > MAX_BYTES) {",
    ],
  }),
  ...faultsOf("src/formats/safetensors.ts", ["safetensors", "fuzz_text"], {
    "the header's length is big-endian": [
      "setBigUint64(0, BigInt(headerLength), true)",
      "setBigUint64(0, BigInt(headerLength), false)",
    ],
    "tensors may overlap": ["if (entry.begin !== at)", "if (entry.begin > at)"],
    "tensors may leave holes": ["if (entry.begin !== at)", "if (entry.begin < at)"],
    "a tensor may hold more than its shape": [
      "if (end - begin !== size)",
      "if (end - begin < size)",
    ],
    "bytes behind the last tensor are passed over": [
      "if (start + at !== bytes.length)",
      "if (start + at > bytes.length)",
    ],
    "metadata need not be text": ['if (typeof v !== "string") return', "if (v === null) return"],
  }),
  ...faultsOf("src/formats/checksums.ts", ["train", "fuzz_text"], {
    "checksums are not compared": [
      "if (expected.get(name) !== sum)",
      "if (expected.get(name) === null)",
    ],
    "a tensor without a checksum is taken": [
      "if (!expected.has(name)) refuse(`${what} has no checksum`);",
      "if (!expected.has(name)) continue;",
    ],
  }),
  ...faultsOf("src/files/checkpoints.ts", CHECKPOINTS, {
    "of one epoch the older one is the newest": [
      "a.step < b.step ? -1 : 1",
      "a.step < b.step ? 1 : -1",
    ],
    "the worst checkpoint is kept": ["distance(a) < distance(b)", "distance(a) > distance(b)"],
    "one checkpoint too few is kept": [
      "readable.slice(0, -this.keep)",
      "readable.slice(0, 1 - this.keep)",
    ],
    "a resumed checkpoint supersedes itself": ["entry.step > step)", "entry.step >= step)"],
    "a damaged checkpoint ends the search": ["skipped(error);", "throw error;"],
    "a format to come is read": ["|| Number(format) > FORMAT", ""],
  }),
  ...faultsOf("src/files/checkpoints.ts", ["trainer"], {
    "a tensor of another shape is taken": ["!sameShape(tensor.shape, shape) || ", ""],
    "an unknown tensor is passed over": ["if (state.has(name)) continue;", "continue;"],
  }),
  ...faultsOf("src/files/checkpoints.ts", ["non_finite"], {
    "finite checkpoints give way to those that are not": [
      "const kept = [best, written, finite.at(-1)];",
      "const kept = [best, written];",
    ],
    "the best checkpoint need not be finite": [
      "const measured = finite.filter",
      "const measured = readable.filter",
    ],
  }),
  ...faultsOf("src/files/atomic.ts", ["disk"], {
    "a file may take its name before it is on the disk": ["  await file.sync();\n", ""],
    "what is still being written is removed": [
      "< LEFT_OVER_MILLISECONDS) continue;",
      "< 0) continue;",
    ],
  }),
  ...faultsOf("src/files/atomic.ts", ["disk", "train", "resume"], {
    "files are written in place": [
      "await writeAndFlush(temporary, bytes);\n    await Deno.rename(temporary, path);",
      "await Deno.writeFile(path, bytes);",
    ],
    "what is left of a failed write stays": [
      "await Deno.remove(temporary).catch(() => {}); // It may never have come to be.",
      "",
    ],
    "what a killed process left stays": [
      "if (isFile && TEMPORARY.test(name)) await Deno.remove(join(folder, name));",
      "",
    ],
  }),
  ...faultsOf("src/files/append.ts", ["disk", "metrics"], {
    "half an entry stays after a failed write": [
      "await this.#cut().catch(() => {});\n      this.#held",
      "this.#held",
    ],
  }),
  ...faultsOf("src/files/lock.ts", ["lock"], {
    "two runs write to one folder": ["if (!taken) {", "if (taken === undefined) {"],
    "a lock that was removed is of worth": [
      "if (!await isStillAt(path, file)) {",
      "if (file === undefined) {",
    ],
  }),
  ...faultsOf("src/files/metrics.ts", ["metrics", "train"], {
    "a resumed log keeps one step too many": [
      "if (line.row.step > afterStep) break;",
      "if (line.row.step > afterStep + 1) break;",
    ],
    "a line that was cut off is an error": ["if (!ended) return undefined; // The", "// The"],
    "steps may be missing": [
      "if (step !== this.order.step + 1)",
      "if (step < this.order.step + 1)",
    ],
  }),
  ...faultsOf("src/formats/tfrecord.ts", ["tensorboard"], {
    "the checksum is rotated the wrong way": ["crc >>> 15 | crc << 17", "crc >>> 17 | crc << 15"],
  }),
  ...faultsOf("src/formats/tfevent.ts", ["tensorboard"], {
    "height and width are exchanged": [
      "varint(1, height), varint(2, width)",
      "varint(1, width), varint(2, height)",
    ],
  }),
  ...faultsOf("src/files/tensorboard.ts", ["tensorboard"], {
    "a resumed run drops a step": ["log.#add(afterStep + 1,", "log.#add(afterStep,"],
  }),
  ...faultsOf("src/formats/onnx.ts", ["onnx"], {
    "another version of the operators": ["const OPSET = 17;", "const OPSET = 1;"],
  }),
  ...faultsOf("src/model/onnx.ts", ["onnx"], {
    "the larger half of the padding is before": ["Math.floor(total / 2)", "Math.ceil(total / 2)"],
    "kernels are turned the wrong way": [
      "const order = [3, 2, 0, 1];",
      "const order = [3, 2, 1, 0];",
    ],
  }),
  ...faultsOf("src/formats/tfjs_model.ts", ["tfjs_model", "hostile_files"], {
    "any number of shards is looked for": [
      "if (seen.size + paths.length > MOST_SHARDS)",
      "if (seen.size + paths.length > Infinity)",
    ],
    "weights are big-endian": [
      "shard.setFloat32(at, value, true)",
      "shard.setFloat32(at, value, false)",
    ],
  }),
  ...faultsOf("src/formats/png.ts", ["image", "pictures_data", "hostile_files", "fuzz_bytes"], {
    "bits are taken from the other end": ["8 - depth - bit % 8", "bit % 8"],
    "a transparent colour is opaque": ["let opaque = 0;", "let opaque = 255;"],
  }),
  ...faultsOf("src/training/hyperparameters.ts", ["hostile_run"], {
    "hyperparameters of a file may be anything": ["if (is(value)) continue;", "continue;"],
  }),
  ...faultsOf("src/files/regular.ts", ["not_files"], {
    "a pipe is read": [
      "if (!info.isFile && !info.isDirectory) throw",
      "if (info.isBlockDevice) throw",
    ],
  }),
  ...faultsOf("src/files/links.ts", ["hostile_run"], {
    "a run writes through links": ["return (await Deno.lstat(path)).isSymlink;", "return false;"],
  }),
  ...faultsOf("src/formats/png_chunks.ts", ["hostile_files", "fuzz_bytes"], {
    "checksums are not compared": ["if (found === expected) return;", "if (found !== 0) return;"],
    "any number of pixels is read": [
      "if (width * height > MAX_PIXELS)",
      "if (width * height > Infinity)",
    ],
  }),
  ...faultsOf("src/formats/gif.ts", ["image"], {
    "frames are not the tutorial's": ["Math.round(2 * Math.sqrt(i))", "Math.round(Math.sqrt(i))"],
  }),
  ...faultsOf("src/formats/grid.ts", ["image"], {
    "rows are as high as columns are wide": [
      "Math.floor(i / columns) * stepY",
      "Math.floor(i / columns) * stepX",
    ],
  }),
  ...faultsOf("src/data/fit.ts", ["pictures_data"], {
    "what lies under transparency shines through": [
      "+ background * (1 - alpha)",
      "+ 255 * (1 - alpha)",
    ],
    "pictures shrink without smoothing": ["Math.max(1, scale)", "1"],
  }),
];
