/**
 * Files of a run, in and out.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { count, get, save, showRun, tell } from "../dom.ts";
import type { Questions } from "../protocol.ts";

/** Sets up the part. */
export function filesPart(client: Client): void {
  const status = get("files-status");
  const input = get<HTMLInputElement>("open");

  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-export]")) {
    const form = button.dataset.export as Questions["export"]["ask"]["form"];
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const { name, bytes } = await client.ask("export", { form });
        save(name, bytes, "application/octet-stream");
        status.textContent = `Saved ${name}, ${(bytes.length / 1e6).toFixed(1)} MB.`;
      } catch (error) {
        status.textContent = (error as Error).message;
      } finally {
        button.disabled = false;
      }
    });
  }

  async function open(file: File): Promise<void> {
    status.textContent = `Opening ${file.name} …`;
    try {
      const answer = await client.ask("open", { file });
      if ("step" in answer) {
        status.textContent = `Opened ${file.name}: the run stands at step ${count(answer.step)}.`;
        showRun();
      } else {
        status.textContent = `Opened the generator in ${file.name}. ${answer.why}.`;
        document.dispatchEvent(new CustomEvent("generator", { detail: file.name }));
        tell(answer.why);
      }
    } catch (error) {
      status.textContent = (error as Error).message;
      // Without a GPU this part of the page is hidden.
      if (status.offsetParent) status.scrollIntoView({ block: "center" });
      else tell((error as Error).message, true);
    }
  }
  input.addEventListener("change", async () => {
    if (input.files![0]) await open(input.files![0]);
    input.value = "";
  });
  client.on("ready", () => get("stored").textContent = "");
  client.on("stored", ({ step }) => get("stored").textContent = ` (kept: step ${count(step)})`);
  document.addEventListener("checkpoint", (event) => open((event as CustomEvent<File>).detail));
}
