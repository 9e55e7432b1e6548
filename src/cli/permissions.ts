/** What each command needs of Deno's permissions. A test compares tasks, help and documentation. */

import { FASHION_MNIST_SET, MNIST_SET } from "../data/published.ts";
import { CACHE_VARIABLES } from "../files/mnist_cache.ts";

/** The least that a command needs to do all that its help promises. */
export interface Permissions {
  readonly files: readonly ("read" | "write")[];
  /** Environment variables, those of other systems among them. */
  readonly env: readonly string[];
  /** Hosts with their ports. */
  readonly net: readonly string[];
}

const NOTHING: Permissions = { files: [], env: [], net: [] };
const FILES: Permissions = { ...NOTHING, files: ["read", "write"] };

/** Where data may be fetched from. */
export const MIRRORS = [...MNIST_SET.mirrors, ...FASHION_MNIST_SET.mirrors];

/** The mirrors' hosts, over HTTPS only. */
export const DATA_HOSTS: readonly string[] = [
  ...new Set(MIRRORS.map((mirror) => {
    const { hostname, port } = new URL(mirror);
    return `${hostname}:${port || 443}`;
  })),
];

export const PERMISSIONS: Readonly<Record<string, Permissions>> = {
  train: { ...FILES, env: CACHE_VARIABLES, net: DATA_HOSTS },
  calibrate: { ...FILES, env: CACHE_VARIABLES },
  doctor: { ...FILES, env: [...CACHE_VARIABLES, "DENO_WEBGPU_BACKEND"] },
  evaluate: { ...FILES, env: CACHE_VARIABLES, net: DATA_HOSTS },
  sample: FILES,
  export: FILES,
  interpolate: FILES,
  summary: FILES,
  show: { ...NOTHING, files: ["read"] },
  gif: FILES,
};

export const isCommand = (name: string): boolean => Object.hasOwn(PERMISSIONS, name);

/** What a command needs; `help`, `--version` and unknown commands need nothing. */
export const needsOf = (name = "help"): Permissions =>
  isCommand(name) ? PERMISSIONS[name] : NOTHING;

/** As flags of `deno run`, names in order. */
export function permissionFlags({ files, env, net }: Permissions): string[] {
  return [
    ...files.map((kind) => `--allow-${kind}`),
    ...(env.length ? [`--allow-env=${env.toSorted().join(",")}`] : []),
    ...(net.length ? [`--allow-net=${net.join(",")}`] : []),
  ];
}

/**
 * Gives up what a command does not need, before anything else runs: one task has what all commands
 * need, and a person may have granted everything. The program cannot take it back without asking.
 */
export function confine(command?: string): void {
  const { files, env, net } = needsOf(command);
  const kept: readonly string[] = [...files, ...(net.length ? ["net"] : [])];
  for (const name of ["read", "write", "net", "run", "ffi", "sys"] as const) {
    if (!kept.includes(name)) Deno.permissions.revokeSync({ name });
  }
  // Deno takes back variables that were granted by name, but not single ones out of all.
  for (const variable of Object.values(PERMISSIONS).flatMap(({ env }) => env)) {
    if (!env.includes(variable)) Deno.permissions.revokeSync({ name: "env", variable });
  }
}
