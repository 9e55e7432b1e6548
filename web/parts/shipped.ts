/**
 * The page without a GPU: samples of the trained generator in place of a run.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { get, make, paint, tell, toBytes } from "../dom.ts";

/** Sets up the part, which shows only when there is no GPU. */
export function shippedPart(client: Client): void {
  client.on("unavailable", async ({ text }) => {
    document.body.classList.add("no-gpu");
    const again = make("button", { type: "button", className: "primary" }, "Sixteen others");
    const notice = make(
      "div",
      { className: "notice" },
      make("h3", {}, "Your browser cannot train here"),
      make("p", {}, text),
      make(
        "p",
        {},
        "Meanwhile, these digits come from a generator that was trained before; your browser computes " +
          "them without a GPU. You can walk between them, too, or drop the file of another generator " +
          "on this page.",
      ),
      again,
    );
    document.querySelector(".panel")!.replaceChildren(notice);
    get("more").hidden = true;
    get("grid-caption").textContent = "Digits that no hand wrote";
    let seed = 0;
    const show = async () => {
      try {
        const { noise, image } = await client.ask("latent", { from: "shipped", seed: seed++ });
        const { images } = await client.ask("generate", { noise, from: "shipped" });
        const layout = { count: 16, columns: 4, gap: 8, pixels: 900 };
        paint(get<HTMLCanvasElement>("grid"), toBytes(images), image, layout);
      } catch (error) {
        tell((error as Error).message, true);
      }
    };
    again.addEventListener("click", show);
    await show();
  });
}
