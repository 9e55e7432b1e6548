/** Visits to the page, in a process of their own: playwright-core needs every permission. */

import { hasChromium } from "../support/browser/runtime.ts";
import { output } from "../support/process.ts";

Deno.test({
  name: "page: a visitor trains, pauses, returns, draws, saves and drops files in Chromium",
  ignore: !hasChromium(),
  async fn() {
    const visits = "test --allow-all --lock=tests/deno.lock --frozen tests/web/visits/page.ts";
    console.log(await output(visits.split(" ")));
  },
});
