/**
 * Starts the page: reads its address, and connects its parts to the worker.
 *
 * @module
 */

import { Client } from "./client.ts";
import { tell } from "./dom.ts";
import { chartsPart } from "./parts/charts.ts";
import { drawPart } from "./parts/draw.ts";
import { filesPart } from "./parts/files.ts";
import { hoodPart } from "./parts/hood.ts";
import { imagesPart } from "./parts/images.ts";
import { latentPart } from "./parts/latent.ts";
import { runPart } from "./parts/run.ts";
import { shippedPart } from "./parts/shipped.ts";
import { imagesOfYoursPart, settingsPart } from "./parts/yours.ts";
import { fromAddress } from "./settings.ts";

const client = new Client();
const parts = [
  ...[shippedPart, runPart, imagesPart, chartsPart, latentPart, drawPart],
  ...[settingsPart, imagesOfYoursPart, filesPart, hoodPart],
];
for (const part of parts) part(client);

const settings = fromAddress(location.search, (text) => tell(text, true));
client.order({ type: "hello", settings, bare: location.search === "" });
