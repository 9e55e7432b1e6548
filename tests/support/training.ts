/** What the tests of training compare of a run, and how they watch its devices. */

import { Gpu, type Trainer, type TrainResult } from "../../mod.ts";
import { variableDigests } from "./digest.ts";

/** Buffers on a device, and their bytes. */
export const live = ({ context: { memory: { count, bytes } } }: Gpu) => ({ count, bytes });

/** Numbers of steps, from the first to the last. */
export const stepsTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

export function weightsOf(
  { generator, discriminator }: Pick<TrainResult, "generator" | "discriminator">,
): Promise<string[]> {
  return variableDigests([...generator.variables, ...discriminator.variables]);
}

/** An event, or an entry of a history, without what differs from run to run. */
export function timeless(event: object): Record<string, unknown> {
  const { seconds: _, time: __, ...rest } = event as Record<string, unknown>;
  return rest;
}

/** Arguments of `deno` that train a small run in a process of its own; folder, steps and how follow. */
export const WORKER: readonly string[] = [
  "run",
  "--quiet",
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--lock=deno.lock",
  "--frozen",
  "tests/support/train_worker.ts",
];

/** Collects the messages of a run. */
export function listen(): {
  readonly messages: string[];
  readonly onMessage: (text: string) => void;
} {
  const messages: string[] = [];
  return { messages, onMessage: (text) => void messages.push(text) };
}

/** Trains to the end; the steps that were emitted. */
export async function drain(trainer: Trainer): Promise<number[]> {
  const events = await Array.fromAsync(trainer);
  return events.flatMap((event) => event.type === "step" ? event.step : []);
}

/** The names in a folder, sorted. */
export const namesIn = (dir: string): string[] =>
  [...Deno.readDirSync(dir)].map(({ name }) => name).sort();

/** What a trainer can be asked for. */
export const ACTS: Readonly<Record<string, (trainer: Trainer) => Promise<unknown>>> = {
  step: (trainer) => trainer.step(),
  epoch: (trainer) => trainer.epoch(),
  iteration: (trainer) => trainer[Symbol.asyncIterator]().next(),
  sample: (trainer) => trainer.sample({ count: 4 }),
  evaluation: (trainer) => trainer.evaluate(),
  snapshot: (trainer) => trainer.snapshot(),
};

/** A function that requests devices, and those it gave. */
export function counted(): { readonly request: () => Promise<Gpu>; readonly given: Gpu[] } {
  const given: Gpu[] = [];
  const request = async () => {
    given.push(await Gpu.request());
    return given.at(-1)!;
  };
  return { request, given };
}
