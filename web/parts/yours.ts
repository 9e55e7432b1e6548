/**
 * A person's own images and settings, and the ways to break the training.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { count, get, make, percent, showRun, tell } from "../dom.ts";
import type { Skipped } from "../protocol.ts";
import {
  type BreakName,
  BREAKS,
  FIELDS,
  type Settings,
  settingsOf,
  showValue,
  type SizeName,
  SIZES,
  toAddress,
  withFields,
} from "../settings.ts";

/** Sets up the form of settings, and the ways to break the training. */
export function settingsPart(client: Client): void {
  const form = get<HTMLFormElement>("settings");
  const size = get<HTMLSelectElement>("size");
  size.append(
    ...Object.entries(SIZES).map(([value, { label }]) => make("option", { value }, label)),
  );
  const inputs = FIELDS.map(({ key, label, hint }) => {
    const input = make("input", { name: key, type: "text", autocomplete: "off" });
    const row = make("label", { className: "field" }, label, input, make("small", {}, hint));
    get("fields").append(row);
    return input;
  });
  const show = (settings: Settings) => {
    size.value = settings.size;
    FIELDS.forEach(({ name }, i) => inputs[i].value = showValue(settings[name]));
  };
  let current: Settings | undefined;
  const typed = () =>
    withFields(
      // What has no field is as in the run of a file that was opened.
      current?.size === size.value && !current.broken
        ? current
        : settingsOf(size.value as SizeName),
      inputs.map(({ name, value }) => [name, value] as const),
      (text) => tell(text, true),
    );
  const begin = (settings: Settings) => {
    client.order({ type: "begin", settings });
    showRun();
  };

  size.addEventListener("change", () => {
    const seed = inputs[0].value;
    show(settingsOf(size.value as SizeName));
    inputs[0].value = seed;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin(typed());
  });
  get("copy").addEventListener("click", async () => {
    const link = new URL(toAddress(typed()) || "?", location.href.split(/[?#]/)[0]).href;
    await navigator.clipboard.writeText(link).then(
      () => tell("The link is copied"),
      () => tell(`The link: ${link}`),
    );
  });
  client.on("ready", ({ run }) => {
    current = run.settings;
    show(current);
    history.replaceState(null, "", toAddress(run.settings) || location.pathname);
    for (const item of document.querySelectorAll<HTMLElement>("[data-break]")) {
      item.classList.toggle("chosen", item.dataset.break === run.settings.broken);
    }
  });

  get("breaks").append(
    ...Object.entries(BREAKS).map(([name, { title, text }]) => {
      const button = make("button", { type: "button" }, "Try it");
      button.addEventListener("click", () => {
        begin(settingsOf(size.value as SizeName, name as BreakName));
        client.order({ type: "train", delay: 0 });
      });
      const item = make("li", {}, make("h3", {}, title), make("p", {}, text), button);
      item.dataset.break = name;
      return item;
    }),
  );
}

/** Files that are read at once. */
const BATCH = 100;

/** Sets up the choice of a person's own images. */
export function imagesOfYoursPart(client: Client): void {
  const [drop, status, cancel] = ["drop", "data-status", "cancel"].map((id) => get(id));
  const skipped = get<HTMLDetailsElement>("skipped");
  let settings: Settings | undefined;
  let canceled = false;

  async function take(files: readonly File[]): Promise<void> {
    if (files.length === 1 && files[0].name.endsWith(".safetensors")) {
      return void document.dispatchEvent(new CustomEvent("checkpoint", { detail: files[0] }));
    }
    canceled = false;
    cancel.hidden = false;
    skipped.hidden = true;
    const size = Number(get<HTMLSelectElement>("image-size").value);
    const color = get<HTMLInputElement>("color").checked;
    const all: Skipped[] = [];
    let images = 0;
    try {
      for (let at = 0; at < files.length && !canceled; at += BATCH) {
        status.textContent = `Reading ${count(files.length)} files: ${
          percent(at / files.length)
        } …`;
        const some = files.slice(at, at + BATCH);
        const answer = await client.ask("images", { files: some, first: at === 0, size, color });
        images = answer.count;
        all.push(...answer.skipped);
        if (!answer.full) continue;
        const rest = files.length - at - some.length;
        if (rest) all.push({ name: `${count(rest)} files`, reason: `${count(images)} are enough` });
        break;
      }
      showSkipped(all);
      if (canceled) status.textContent = "Canceled: the data is as it was.";
      else if (!images) status.textContent = "None of these files is an image.";
      else if (settings) client.order({ type: "begin", settings, data: "read" });
    } catch (error) {
      status.textContent = (error as Error).message;
    } finally {
      cancel.hidden = true;
    }
  }

  function showSkipped(list: readonly Skipped[]): void {
    skipped.hidden = !list.length;
    skipped.querySelector("summary")!.textContent = list.length === 1
      ? "1 file was skipped"
      : `${count(list.length)} files were skipped`;
    // A list of thousands says no more than one of fifty.
    const items = list.slice(0, 50).map(({ name, reason }) => make("li", {}, `${name}: ${reason}`));
    if (list.length > 50) items.push(make("li", {}, `and ${count(list.length - 50)} more`));
    skipped.querySelector("ul")!.replaceChildren(...items);
  }

  for (const id of ["files", "folder"]) {
    const input = get<HTMLInputElement>(id);
    input.addEventListener("change", async () => {
      if (input.files!.length) await take([...input.files!]);
      input.value = "";
    });
  }
  cancel.addEventListener("click", () => canceled = true);
  get("digits").addEventListener("click", () => {
    if (settings) client.order({ type: "begin", settings, data: "mnist" });
  });

  // The whole page takes what is dropped, so that a missed target does not open the file instead.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  for (const end of ["dragleave", "drop"]) {
    document.addEventListener(end, () => drop.classList.remove("over"));
  }
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    if (!event.dataTransfer?.types.includes("Files")) return;
    status.textContent = "Looking for files …";
    await take(await filesOf(event.dataTransfer));
  });

  client.on("ready", ({ run }) => {
    settings = run.settings;
    const { name, count: images, image: { width, height, channels } } = run.data;
    const own = name.startsWith("your ");
    get("digits").hidden = !own;
    status.textContent = `The data: ${name}${own ? "" : ` (${count(images)} images)`}, ` +
      `${width} × ${height}, ${channels === 1 ? "gray" : "in color"}.`;
  });
}

/** All files that were dropped, those in folders, too. */
async function filesOf(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
  if (entries.every((entry) => !entry)) return [...transfer.files];
  return (await Promise.all(entries.map((entry) => entry ? filesBelow(entry) : []))).flat();
}

async function filesBelow(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const { promise, resolve } = Promise.withResolvers<File[]>();
    (entry as FileSystemFileEntry).file((file) => resolve([file]), () => resolve([]));
    return await promise;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const files: File[] = [];
  for (;;) {
    // It gives a hundred at a time, and none at the end.
    const { promise, resolve } = Promise.withResolvers<FileSystemEntry[]>();
    reader.readEntries(resolve, () => resolve([]));
    const some = await promise;
    if (!some.length) return files;
    files.push(...(await Promise.all(some.map(filesBelow))).flat());
  }
}
