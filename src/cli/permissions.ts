/**
 * What each command needs of Deno's permissions, in one place: the tasks of `deno.json`, the help of
 * each command and `docs/permissions.md` list the same, which a test compares.
 *
 * @module
 */

import { MNIST_MIRRORS } from "../data/mnist_download.ts";
import { CACHE_VARIABLES } from "../files/mnist_cache.ts";

/** The least that a command needs to do all that its help promises. */
export interface Permissions {
  /** Files that the person names, and caches. */
  readonly read: boolean;
  /** The same. */
  readonly write: boolean;
  /** Environment variables by name; those of other systems are among them. */
  readonly env: readonly string[];
  /** Hosts with their ports. */
  readonly net: readonly string[];
}

const NOTHING: Permissions = { read: false, write: false, env: [], net: [] };
const FILES: Permissions = { ...NOTHING, read: true, write: true };

/** Where data may be fetched from: the mirrors, over HTTPS only. */
export const DATA_HOSTS: readonly string[] = MNIST_MIRRORS.map((mirror) => {
  const { hostname, port } = new URL(mirror);
  return `${hostname}:${port || 443}`;
});

/** By command. Others (`help`, `--version`) need nothing. */
export const PERMISSIONS: Readonly<Record<string, Permissions>> = {
  train: { ...FILES, env: CACHE_VARIABLES, net: DATA_HOSTS },
  calibrate: { ...FILES, env: CACHE_VARIABLES },
  doctor: { ...FILES, env: [...CACHE_VARIABLES, "DENO_WEBGPU_BACKEND"] },
  sample: FILES,
  export: FILES,
  interpolate: FILES,
  summary: FILES,
  show: { ...NOTHING, read: true },
  gif: FILES,
};

/** As flags of `deno run`, names in order. */
export function permissionFlags({ read, write, env, net }: Permissions): string[] {
  return [
    ...(read ? ["--allow-read"] : []),
    ...(write ? ["--allow-write"] : []),
    ...(env.length ? [`--allow-env=${env.toSorted().join(",")}`] : []),
    ...(net.length ? [`--allow-net=${net.join(",")}`] : []),
  ];
}

/**
 * Gives up what a command does not need, before anything else runs: one task is granted the union of
 * what all need, and a person may have granted everything. The program cannot take it back without
 * asking the person.
 *
 * @param command its name; any other text stands for one that needs nothing
 */
export function confine(command: string | undefined): void {
  const known = command !== undefined && Object.hasOwn(PERMISSIONS, command);
  const { read, write, env, net } = known ? PERMISSIONS[command] : NOTHING;
  for (const name of ["run", "ffi", "sys"] as const) Deno.permissions.revokeSync({ name });
  if (!read) Deno.permissions.revokeSync({ name: "read" });
  if (!write) Deno.permissions.revokeSync({ name: "write" });
  if (!net.length) Deno.permissions.revokeSync({ name: "net" });
  // Deno takes back variables that were granted by name, but not single ones out of all.
  const variables = new Set(Object.values(PERMISSIONS).flatMap((needs) => needs.env));
  for (const variable of variables) {
    if (!env.includes(variable)) Deno.permissions.revokeSync({ name: "env", variable });
  }
}
