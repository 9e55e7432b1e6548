/**
 * `export`: a run's generator for other programs.
 *
 * @module
 */

import { basename, dirname, extname, join } from "node:path";
import { Generator, Gpu } from "../../mod.ts";
import { requireNoLinks } from "../files/links.ts";
import { MODEL_FILE, SHARD_FILE } from "../formats/tfjs_model.ts";
import { type Form, requireForm } from "../files/model_files.ts";
import { checkpointPath } from "./checkpoint_path.ts";
import {
  COMMON,
  describeCommand,
  type Flag,
  oneOf,
  parseCommandLine,
  UsageError,
} from "./flags.ts";
import { Report } from "./report.ts";
import { CHECKPOINT } from "./trained.ts";
import { exists, userPath } from "./user_path.ts";

const FLAGS = {
  to: {
    value: "PATH",
    help: "where to; its end says in which form: .onnx, .safetensors,\n" +
      "model.json or a folder (tfjs)",
  },
  format: {
    value: "NAME",
    help: "onnx, safetensors or tfjs; without --to, beside the\n" +
      "checkpoint as generator.onnx, generator.safetensors or\ngenerator (a folder)",
    parse: oneOf("onnx", "safetensors", "tfjs"),
  },
  force: { help: "overwrite what is there" },
  ...COMMON,
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "export",
  what: "Write a trained generator as a file for other programs.",
  args: [CHECKPOINT],
  flags: FLAGS,
  examples: [
    "export out --to generator.onnx",
    "export out --to web/generator",
    "export out/training_checkpoints/ckpt-0050.safetensors --format safetensors",
  ],
  more: `onnx         the model for ONNX Runtime and others: noise [N, noiseDim] to images
             [N, height, width, channels] on [-1, 1]
tfjs         a TensorFlow.js layers model, model.json and weights.bin, for tf.loadLayersModel
safetensors  the weights alone, with Keras' names and layouts`,
});

/** Where a form goes when nobody says: beside the run, or the file. */
function defaultPath(checkpoint: string, format: string): string {
  let folder = dirname(checkpoint);
  if (basename(folder) === "training_checkpoints") folder = dirname(folder);
  return join(folder, format === "tfjs" ? "generator/" : `generator.${format}`);
}

/** The files that saving to a path writes, the one that one opens first. */
function filesOf(path: string, form: Form): string[] {
  if (form === "folder") return [join(path, MODEL_FILE), join(path, SHARD_FILE)];
  if (form === "tfjs") return [path, join(dirname(path), SHARD_FILE)];
  return [path];
}

/** What `--format` demands of the end of `--to`, where both are given. */
function requireSameFormat(format: string, to: string, form: Form): void {
  const asked = form === "folder" ? "tfjs" : form;
  if (format === asked) return;
  throw new UsageError(
    `--format ${format} does not go with --to ${to}, whose end (${
      extname(to) || "a folder"
    }) means ${asked}: give one of them`,
  );
}

/** Runs the command. Returns the exit code. */
export async function exportModel(argv: readonly string[]): Promise<number> {
  const { flags, args: [source] } = parseCommandLine(FLAGS, [CHECKPOINT], argv);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const { to, format } = flags;
  if (to === undefined && format === undefined) {
    throw new UsageError("export needs --to PATH, or --format onnx, safetensors or tfjs");
  }
  const report = new Report(flags);
  const checkpoint = await checkpointPath(
    userPath(source),
    (error) => console.error(`skipped: ${error.message}`),
  );
  const path = to === undefined ? defaultPath(checkpoint, format!) : userPath(to);
  const form = await requireForm(path, "generator");
  if (format !== undefined) requireSameFormat(format, to ?? path, form);
  const files = filesOf(path, form);
  // Where nobody named a place, it is one in a run that may be someone else's.
  if (to === undefined) await requireNoLinks(dirname(path), [basename(path)]);
  for (const file of files) {
    if (file === checkpoint) {
      throw new RangeError(`Cannot export ${checkpoint} to itself: use another --to`);
    }
    if (flags.force || !await exists(file)) continue;
    throw new RangeError(`${file} exists: use --force to overwrite it, or another --to`);
  }

  using gpu = await Gpu.request();
  const generator = await Generator.load(gpu, checkpoint);
  await generator.save(path);
  const sizes = await Promise.all(files.map(async (file) => (await Deno.stat(file)).size));
  report.note("read", checkpoint);
  for (const file of files) report.wrote(file);
  const [height, width, channels] = generator.outputShape;
  report.result({
    checkpoint,
    format: form === "folder" ? "tfjs" : form,
    files: files.map((path, i) => ({ path, bytes: sizes[i] })),
    noiseDim: generator.noiseDim,
    height,
    width,
    channels,
    weights: generator.parameterCount.total,
  });
  return 0;
}
