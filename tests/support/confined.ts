/** What a command keeps of its permissions: printed at the end of its process, or sent by a worker. */

import { confine, DATA_HOSTS, PERMISSIONS } from "../../src/cli/permissions.ts";

const granted = (what: Deno.PermissionDescriptor) =>
  Deno.permissions.querySync(what).state === "granted";

/** Of the kinds without names, of the hosts, and of the variables. */
function kept() {
  const kinds = (["read", "write", "run", "ffi", "sys"] as const)
    .filter((name) => granted({ name }));
  const hosts = DATA_HOSTS.filter((host) => granted({ name: "net", host }));
  const names = new Set(Object.values(PERMISSIONS).flatMap(({ env }) => env));
  const env = [...names].filter((variable) => granted({ name: "env", variable }));
  return { kinds, hosts, env: env.sort() };
}

addEventListener("unload", () => console.error(JSON.stringify(kept())));
addEventListener("message", (event) => {
  confine((event as MessageEvent<string>).data);
  (self as unknown as Worker).postMessage(kept());
});
