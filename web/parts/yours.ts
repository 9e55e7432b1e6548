/**
 * A person's own images and settings, and the ways to break the training.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { count, get, make, showRun, tell } from "../dom.ts";
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
  const typed = () =>
    withFields(
      settingsOf(size.value as SizeName),
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
    show(run.settings);
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

/** Sets up the choice of a person's own images. */
export function imagesOfYoursPart(client: Client): void {
  const [drop, status, cancel] = ["drop", "data-status", "cancel"].map((id) => get(id));
  const skipped = get<HTMLDetailsElement>("skipped");
  let settings: Settings | undefined;

  async function take(files: readonly File[]): Promise<void> {
    if (!files.length) return;
    if (files.length === 1 && files[0].name.endsWith(".safetensors")) {
      return void document.dispatchEvent(new CustomEvent("checkpoint", { detail: files[0] }));
    }
    cancel.hidden = false;
    skipped.hidden = true;
    status.textContent = `Reading ${count(files.length)} files …`;
    try {
      const answer = await client.ask("images", {
        files,
        size: Number(get<HTMLSelectElement>("image-size").value),
        color: get<HTMLInputElement>("color").checked,
      });
      showSkipped(answer.skipped);
      if (answer.canceled) status.textContent = "Canceled: the data is as it was.";
      else if (!answer.count) status.textContent = "None of these files is an image.";
      else if (settings) client.order({ type: "begin", settings });
    } catch (error) {
      status.textContent = (error as Error).message;
    } finally {
      cancel.hidden = true;
    }
  }

  function showSkipped(list: readonly { name: string; reason: string }[]): void {
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
      await take([...input.files!]);
      input.value = "";
    });
  }
  cancel.addEventListener("click", () => client.order({ type: "cancel" }));
  get("digits").addEventListener("click", () => {
    if (settings) client.order({ type: "begin", settings, mnist: true });
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
    if (event.dataTransfer) await take(await filesOf(event.dataTransfer));
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
  const files: File[] = [];
  async function walk(entry: FileSystemEntry): Promise<void> {
    if (entry.isFile) {
      const { promise, resolve } = Promise.withResolvers<File | undefined>();
      (entry as FileSystemFileEntry).file(resolve, () => resolve(undefined));
      const file = await promise;
      return void (file && files.push(file));
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // It gives a hundred at a time, and none at the end.
      const { promise, resolve } = Promise.withResolvers<FileSystemEntry[]>();
      reader.readEntries(resolve, () => resolve([]));
      const some = await promise;
      if (!some.length) return;
      for (const each of some) await walk(each);
    }
  }
  for (const entry of entries) if (entry) await walk(entry);
  return files;
}
