/**
 * Short digests to compare tensors by. A failing comparison names the tensor at once; printing a
 * million numbers would take minutes.
 */

import { createHash } from "node:crypto";
import type { Trainer, Variable } from "../../mod.ts";

export function digest(data: ArrayBufferView<ArrayBuffer>): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

export function digestsOf(
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: ArrayBufferView<ArrayBuffer> }>,
): Record<string, string> {
  return Object.fromEntries(
    [...tensors].map(([name, { shape, data }]) => [name, `${shape.join("x")} ${digest(data)}`]),
  );
}

export async function stateDigests(trainer: Trainer): Promise<Record<string, string>> {
  return digestsOf((await trainer.snapshot()).tensors);
}

export async function variableDigests(variables: readonly Variable[]): Promise<string[]> {
  return await Promise.all(
    variables.map(async (variable) => `${variable.name} ${digest(await variable.read())}`),
  );
}
