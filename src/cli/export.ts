/** `export`: a run's generator for other programs. */

import { basename, dirname, extname, join } from "node:path";
import { Generator, Gpu } from "../../mod.ts";
import { kindOf, requireNoLinks } from "../files/kind.ts";
import { requireForm } from "../files/model_files.ts";
import { CHECKPOINTS } from "../files/run_folder.ts";
import { MODEL_FILE, SHARD_FILE } from "../formats/tfjs_model.ts";
import { type Command, FLAGS, newCommand, UsageError } from "./flags.ts";
import { Report } from "./report.ts";
import { CHECKPOINT, checkpointPath } from "./trained.ts";
import { oneOf, path } from "./values.ts";

/** Where a form goes when nobody says: beside the run, or the file. */
function defaultPath(checkpoint: string, format: string): string {
  const folder = dirname(checkpoint);
  const beside = basename(folder) === CHECKPOINTS ? dirname(folder) : folder;
  return join(beside, format === "tfjs" ? "generator/" : `generator.${format}`);
}

export function addExport(program: Command): void {
  newCommand(program, "export", {
    what: "Write a trained generator as a file for other programs.",
    examples: [
      "export out --to generator.onnx",
      "export out --to web/generator",
      "export out/training_checkpoints/ckpt-0050.safetensors --format safetensors",
    ],
    more: `onnx         the model for ONNX Runtime and others: noise [N, noiseDim] to images
             [N, height, width, channels] on [-1, 1]; with classes also labels, int64 [N]
tfjs         a TensorFlow.js layers model, model.json and weights.bin, for tf.loadLayersModel;
             not for a generator with classes
safetensors  the weights alone, with Keras' names and layouts`,
  })
    .argument("<CHECKPOINT>", CHECKPOINT, path)
    .option("--to <PATH>", "ends in .onnx, .safetensors or model.json, or is a folder (tfjs)", path)
    .option(
      "--format <NAME>",
      "onnx, safetensors or tfjs; without --to, beside the checkpoint as generator.onnx, " +
        "generator.safetensors or generator (a folder)",
      oneOf("onnx", "safetensors", "tfjs"),
    )
    .option("--force", "overwrite what is there")
    .option(...FLAGS.quietPaths)
    .option(...FLAGS.json)
    .action(async (source, { to, format, force, ...flags }) => {
      if (to === undefined && format === undefined) {
        throw new UsageError("export needs --to PATH, or --format onnx, safetensors or tfjs");
      }
      const report = new Report(flags);
      const checkpoint = await checkpointPath(source);
      const path = to ?? defaultPath(checkpoint, format!);
      const form = await requireForm(path, "generator");
      const made = form === "folder" ? "tfjs" : form;
      if (format !== undefined && format !== made) {
        const end = `whose end (${extname(path) || "a folder"}) means ${made}`;
        throw new UsageError(
          `--format ${format} does not go with --to ${path}, ${end}: give one of them`,
        );
      }
      const folder = form === "folder" ? path : dirname(path);
      const inFolder = [MODEL_FILE, SHARD_FILE].map((name) => join(folder, name));
      const files = made === "tfjs" ? inFolder : [path];
      // Where nobody named a place, it is one in a run that may be someone else's.
      if (to === undefined) await requireNoLinks(dirname(path), [basename(path)]);
      for (const file of files) {
        if (file === checkpoint) {
          throw new RangeError(`Cannot export ${checkpoint} to itself: use another --to`);
        }
        if (force || await kindOf(file) === undefined) continue;
        throw new RangeError(`${file} exists: use --force to overwrite it, or another --to`);
      }

      using gpu = await Gpu.request();
      const generator = await Generator.load(gpu, checkpoint);
      await generator.save(path);
      report.note("read", checkpoint);
      for (const file of files) report.wrote(file);
      const { noiseDim, outputShape: [height, width, channels], parameterCount } = generator;
      const sizesOf = { noiseDim, height, width, channels, weights: parameterCount.total };
      const written = files.map((path) => ({ path, bytes: Deno.statSync(path).size }));
      report.result({ checkpoint, format: made, files: written, ...sizesOf });
    });
}
