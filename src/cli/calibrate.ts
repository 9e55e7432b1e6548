/**
 * `calibrate`: measures which kernels are fastest on this adapter, and prints the table.
 *
 * @module
 */

import { calibrate, Gpu } from "../../mod.ts";
import { encodeJSON } from "../formats/json.ts";
import { DCGAN } from "../training/dcgan.ts";
import { type Command, newCommand } from "./flags.ts";
import { kernelCacheDir } from "./kernel_cache.ts";
import { whole } from "./values.ts";

/** Adds the command. */
export function addCalibrate(program: Command): void {
  newCommand(program, "calibrate", {
    summary: "measure which kernels are fastest on this adapter",
    what: "Measure which kernels are fastest on this adapter for the tutorial's network.",
    examples: ["calibrate", "calibrate --batch-size 64", "calibrate --json"],
    more: "Training uses what was measured here. It measures what is missing, too, but for no\n" +
      "longer than a few seconds; this command takes the time it needs.",
  })
    .option("--batch-size <N>", "images a step (256)", whole(1))
    .option("--json", "print the result as JSON")
    .action(async ({ batchSize: batch = 256, json }) => {
      using gpu = await Gpu.request();
      const adapter = gpu.info.description || gpu.info.vendor;
      if (!json) console.log(`adapter  ${adapter} (${gpu.info.kind})\n`);
      const dataset = {
        images: new Uint8Array(28 * 28),
        count: 1,
        height: 28,
        width: 28,
        channels: 1,
      };
      using model = new DCGAN(gpu, dataset, {
        seed: 0,
        generator: {},
        discriminator: {},
        adam: {},
      });
      // On standard error, so that the table, or the JSON, is all that a program reads.
      const onMessage = (text: string) => console.error(text);
      const rows = await calibrate(gpu, model.gemms(batch), {
        cacheDir: kernelCacheDir(onMessage),
        onMessage,
        fresh: true,
        seconds: Infinity,
      });
      if (json) return console.log(encodeJSON({ adapter, kind: gpu.info.kind, batch, rows }));
      if (!rows.length) {
        return console.log("every op of this batch size is too small for the choice to matter");
      }
      const [keys, choices] = (["key", "choice"] as const)
        .map((column) => Math.max(...rows.map((row) => row[column].length)));
      for (const { key, choice, flops, milliseconds } of rows) {
        const times = Object.entries(milliseconds).map(([variant, ms]) =>
          `${variant} ${ms.toFixed(1)} ms, ${(flops / ms / 1e6).toFixed(0)} GFLOP/s`
        );
        console.log(`${key.padEnd(keys)}  ${choice.padEnd(choices)}  ${times.join("; ")}`);
      }
    });
}
