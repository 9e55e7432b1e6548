/**
 * What a step costs, how long each kernel takes, and the layers of both networks.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { count, get, make } from "../dom.ts";

/** Kernels that the table has; the others take next to no time. */
const ROWS = 12;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Sets up the part. */
export function hoodPart(client: Client): void {
  const button = get<HTMLButtonElement>("profile");
  const status = get("profile-status");
  const table = get<HTMLTableElement>("kernels");

  client.on("ready", ({ run }) => {
    get("adapter").textContent = run.adapter;
    [get("summary-g").textContent, get("summary-d").textContent] = run.summaries;
    for (const id of ["dispatches", "flops", "planned"]) {
      get(id).textContent = "after the first step";
    }
    table.hidden = true;
    status.textContent = "";
  });
  client.on("cost", ({ cost }) => {
    get("dispatches").textContent = count(cost.dispatches);
    get("flops").textContent = `${(cost.flops / 1e9).toFixed(2)} billion operations`;
    get("planned").textContent = `${megabytes(cost.plannedBytes)}, shared by tensors of ` +
      megabytes(cost.tensorBytes);
  });

  button.addEventListener("click", async () => {
    button.disabled = true;
    status.textContent = "Timing …";
    try {
      const { kernels } = await client.ask("profile", {});
      const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
      const rows = kernels.slice(0, ROWS).map(({ kernel, dispatches, milliseconds }) => {
        const bar = make("span", { className: "bar" });
        bar.style.width = `${100 * milliseconds / (kernels[0].milliseconds || 1)}%`;
        return make(
          "tr",
          {},
          make("th", { scope: "row" }, kernel),
          make("td", {}, count(dispatches)),
          make("td", {}, milliseconds.toFixed(2)),
          make("td", {}, bar),
        );
      });
      table.tBodies[0].replaceChildren(...rows);
      table.hidden = false;
      status.textContent = `${total.toFixed(1)} ms in all.`;
    } catch (error) {
      status.textContent = /timestamp-query/.test((error as Error).message)
        ? "This browser lets no page measure single kernels (WebGPU’s timestamp-query is missing)."
        : (error as Error).message;
    } finally {
      button.disabled = false;
    }
  });
}
