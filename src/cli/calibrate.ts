/**
 * `calibrate`: measures which kernels are fastest on this adapter, and prints the table.
 *
 * @module
 */

import { calibrate as measure, Gpu } from "../../mod.ts";
import { DCGAN } from "../training/dcgan.ts";
import { COMMON, describeCommand, type Flag, parseFlags, whole } from "./flags.ts";
import { kernelCacheDir } from "./kernel_cache.ts";

const FLAGS = {
  "batch-size": { value: "N", help: "images a step (256)", parse: whole(1) },
  json: COMMON.json,
  help: COMMON.help,
} satisfies Record<string, Flag>;

const HELP = describeCommand({
  command: "calibrate",
  what: "Measure which kernels are fastest on this adapter for the tutorial's network.",
  flags: FLAGS,
  examples: ["calibrate", "calibrate --batch-size 64", "calibrate --json"],
  more:
    "Training uses what was measured here. It measures what is missing, too, but not for longer than\n" +
    "a few seconds; this command takes the time it needs.",
});

/** Runs the command. Returns the exit code. */
export async function calibrate(args: readonly string[]): Promise<number> {
  const flags = parseFlags(FLAGS, args);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const batch = flags["batch-size"] ?? 256;
  using gpu = await Gpu.request();
  const adapter = gpu.info.description || gpu.info.vendor;
  if (!flags.json) console.log(`adapter  ${adapter} (${gpu.info.kind})\n`);
  const dataset = {
    images: new Uint8Array(28 * 28),
    labels: new Uint8Array(1),
    count: 1,
    height: 28,
    width: 28,
    channels: 1,
  };
  using model = new DCGAN(gpu, dataset, { seed: 0, generator: {}, discriminator: {}, adam: {} });
  const rows = await measure(gpu, model.gemms(batch), {
    cacheDir: kernelCacheDir((text) => console.error(text)),
    // On standard error, so that the table, or the JSON, is all that a program reads.
    onMessage: (text) => console.error(text),
    fresh: true,
    seconds: Infinity,
  });
  if (flags.json) {
    console.log(JSON.stringify({ adapter, kind: gpu.info.kind, batch, rows }));
    return 0;
  }
  if (!rows.length) {
    console.log("every op of this batch size is too small for the choice to matter");
    return 0;
  }
  const table = rows.map(({ key, choice, flops, milliseconds }) => [
    key,
    choice,
    ...Object.entries(milliseconds).map(([variant, ms]) =>
      `${variant} ${ms.toFixed(1)} ms, ${(flops / ms / 1e6).toFixed(0)} GFLOP/s`
    ),
  ]);
  const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column].length)));
  for (const [key, choice, ...times] of table) {
    console.log(`${key.padEnd(widths[0])}  ${choice.padEnd(widths[1])}  ${times.join("; ")}`);
  }
  return 0;
}
