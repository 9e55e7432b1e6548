/** What the tests of training compare of a run, and how they watch its devices. */

import { Gpu, type TrainResult } from "../../mod.ts";
import { variableDigests } from "./digest.ts";

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

export const namesIn = (dir: string): string[] =>
  [...Deno.readDirSync(dir)].map(({ name }) => name).sort();

/** A function that requests devices, and those it gave. */
export function counted(): { readonly request: () => Promise<Gpu>; readonly given: Gpu[] } {
  const given: Gpu[] = [];
  const request = async () => {
    given.push(await Gpu.request());
    return given.at(-1)!;
  };
  return { request, given };
}
