/** `calibrate`: measures which kernels are fastest on this adapter, and prints the table. */

import { calibrate, Gpu } from "../../mod.ts";
import { allowCacheVariables, defaultCacheDir } from "../files/mnist_cache.ts";
import { DCGAN } from "../training/dcgan.ts";
import { type Command, FLAGS, newCommand } from "./flags.ts";
import { Report } from "./report.ts";

/** Where measurements of kernels are kept, beside MNIST; reports why if there is no such folder. */
export function kernelCacheDir(report: (text: string) => void): string | undefined {
  try {
    return defaultCacheDir("kernels");
  } catch (error) {
    const denied = error instanceof Deno.errors.NotCapable;
    const remedy = denied ? `. Run with ${allowCacheVariables()}` : "";
    report(`measurements of kernels are not kept: ${(error as Error).message}${remedy}`);
  }
}

/** The tutorial's networks under training on so many images of MNIST's size. */
export function tutorialModel(gpu: Gpu, count: number): DCGAN {
  const images = Uint8Array.from({ length: count * 784 }, (_, i) => i % 251);
  return new DCGAN(gpu, { images, count, height: 28, width: 28, channels: 1 }, {});
}

export function addCalibrate(program: Command): void {
  newCommand(program, "calibrate", {
    what: "Measure which kernels are fastest on this adapter for the tutorial's network.",
    examples: ["calibrate", "calibrate --batch-size 64", "calibrate --json"],
    more: `Training uses what was measured here. It measures what is missing, too, but for no
longer than a few seconds; this command takes the time it needs.`,
  })
    .option(...FLAGS.batchSize)
    .option(...FLAGS.json)
    .action(async ({ batchSize: batch = 256, json }) => {
      using gpu = await Gpu.request();
      const adapter = gpu.info.description || gpu.info.vendor;
      const report = new Report({ json });
      report.text(`adapter  ${adapter} (${gpu.info.kind})\n`);
      using model = tutorialModel(gpu, 1);
      // On standard error, so that the table, or the JSON, is all that a program reads.
      const onMessage = console.error;
      const options = { cacheDir: kernelCacheDir(onMessage), fresh: true, seconds: Infinity };
      const rows = await calibrate(gpu, model.program(batch).gemms, { ...options, onMessage });
      report.result({ adapter, kind: gpu.info.kind, batch, rows });
      if (!rows.length) {
        return report.text("every op of this batch size is too small for the choice to matter");
      }
      const widest = (texts: readonly string[]) => Math.max(...texts.map(({ length }) => length));
      const keys = widest(rows.map(({ key }) => key));
      const choices = widest(rows.map(({ choice }) => choice));
      for (const { key, choice, flops, milliseconds } of rows) {
        const times = Object.entries(milliseconds).map(([variant, ms]) =>
          `${variant} ${ms.toFixed(1)} ms, ${(flops / ms / 1e6).toFixed(0)} GFLOP/s`
        );
        report.text(`${key.padEnd(keys)}  ${choice.padEnd(choices)}  ${times.join("; ")}`);
      }
    });
}
