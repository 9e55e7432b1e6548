/**
 * What each command needs of Deno's permissions, in one place: the tasks of `deno.json`, the help of
 * each command and `docs/permissions.md` say the same, which a test compares.
 *
 * @module
 */

import { CACHE_VARIABLES } from "../files/mnist_cache.ts";
import { MNIST_MIRRORS } from "../data/mnist_download.ts";
import { TERMINAL_VARIABLES } from "./terminal_image.ts";

/** The least that a command needs to do all that its help promises. */
export interface Permissions {
  /** Files that the person names, and what is kept in caches. */
  readonly read: boolean;
  /** The same. */
  readonly write: boolean;
  /** Environment variables by name; those of other systems are among them. */
  readonly env: readonly string[];
  /** Hosts with their ports. */
  readonly net: readonly string[];
}

const NONE: Permissions = { read: false, write: false, env: [], net: [] };
const FILES: Permissions = { ...NONE, read: true, write: true };

/** Where data may be fetched from: the mirrors, over HTTPS only. */
export const DATA_HOSTS: readonly string[] = MNIST_MIRRORS.map((mirror) => {
  const { hostname, port } = new URL(mirror);
  return `${hostname}:${port || 443}`;
});

/** By command. What is none of them (`help`, `--version`) needs nothing. */
export const PERMISSIONS: Readonly<Record<string, Permissions>> = {
  train: { ...FILES, env: CACHE_VARIABLES, net: DATA_HOSTS },
  calibrate: { ...FILES, env: CACHE_VARIABLES },
  doctor: { ...FILES, env: [...CACHE_VARIABLES, "DENO_DIR", "DENO_WEBGPU_BACKEND"] },
  sample: FILES,
  export: FILES,
  interpolate: FILES,
  summary: FILES,
  show: { ...NONE, read: true, env: TERMINAL_VARIABLES },
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
 * what all need, and a person may have granted everything. What was given up cannot be had again
 * without a question to the person.
 *
 * @param command its name; any other text stands for one that needs nothing
 */
export function confine(command: string | undefined): void {
  const known = command !== undefined && Object.hasOwn(PERMISSIONS, command);
  const { read, write, env, net } = known ? PERMISSIONS[command] : NONE;
  for (const name of ["run", "ffi", "sys"] as const) Deno.permissions.revokeSync({ name });
  if (!read) Deno.permissions.revokeSync({ name: "read" });
  if (!write) Deno.permissions.revokeSync({ name: "write" });
  if (!net.length) Deno.permissions.revokeSync({ name: "net" });
  // Of variables that were granted by name; out of all, single ones cannot be taken.
  const variables = new Set(Object.values(PERMISSIONS).flatMap((needs) => needs.env));
  for (const variable of variables) {
    if (!env.includes(variable)) Deno.permissions.revokeSync({ name: "env", variable });
  }
}
