/**
 * What each command needs of Deno's permissions: the tasks of `deno.json`, the help of each command and
 * `docs/permissions.md` list the same, which a test compares.
 *
 * @module
 */

import { MNIST_MIRRORS } from "../data/mnist_files.ts";
import { CACHE_VARIABLES } from "../files/mnist_cache.ts";

/** The least that a command needs to do all that its help promises. */
export interface Permissions {
  /** For files that the person names, and for caches. */
  readonly files: readonly ("read" | "write")[];
  /** Environment variables, those of other systems among them. */
  readonly env: readonly string[];
  /** Hosts with their ports. */
  readonly net: readonly string[];
}

/** What `help`, `--version` and unknown commands need. */
export const NOTHING: Permissions = { files: [], env: [], net: [] };
const FILES: Permissions = { ...NOTHING, files: ["read", "write"] };

/** Where data may be fetched from: the mirrors, over HTTPS only. */
export const DATA_HOSTS: readonly string[] = MNIST_MIRRORS.map((mirror) => {
  const { hostname, port } = new URL(mirror);
  return `${hostname}:${port || 443}`;
});

export const PERMISSIONS: Readonly<Record<string, Permissions>> = {
  train: { ...FILES, env: CACHE_VARIABLES, net: DATA_HOSTS },
  calibrate: { ...FILES, env: CACHE_VARIABLES },
  doctor: { ...FILES, env: [...CACHE_VARIABLES, "DENO_WEBGPU_BACKEND"] },
  sample: FILES,
  export: FILES,
  interpolate: FILES,
  summary: FILES,
  show: { ...NOTHING, files: ["read"] },
  gif: FILES,
};

/** As flags of `deno run`, names in order. */
export function permissionFlags({ files, env, net }: Permissions): string[] {
  return [
    ...files.map((kind) => `--allow-${kind}`),
    ...(env.length ? [`--allow-env=${env.toSorted().join(",")}`] : []),
    ...(net.length ? [`--allow-net=${net.join(",")}`] : []),
  ];
}

/**
 * Gives up what a command does not need, before anything else runs: one task is granted the union of
 * what all need, and a person may have granted everything. The program cannot take it back without
 * asking the person.
 */
export function confine(command = "help"): void {
  const needs = Object.hasOwn(PERMISSIONS, command) ? PERMISSIONS[command] : NOTHING;
  const kept: readonly string[] = [...needs.files, ...(needs.net.length ? ["net"] : [])];
  for (const name of ["read", "write", "net", "run", "ffi", "sys"] as const) {
    if (!kept.includes(name)) Deno.permissions.revokeSync({ name });
  }
  // Deno takes back variables that were granted by name, but not single ones out of all.
  for (const variable of Object.values(PERMISSIONS).flatMap(({ env }) => env)) {
    if (!needs.env.includes(variable)) Deno.permissions.revokeSync({ name: "env", variable });
  }
}
