/** The images in a folder, and in its subfolders. */

import { basename, join } from "npm:pathe@2.0.3";
import { DataError } from "../errors.ts";
import { plain } from "../formats/json.ts";
import { reasonOf } from "./atomic.ts";
import { requireFile } from "./kind.ts";
import { type FileInfo, isReason } from "./file_system.ts";
import { system } from "./system.ts";

/** Most bytes of a file that is read: far more than a camera writes. */
const MAX_FILE = 2 ** 29;

/** A label is one byte. */
const MAX_CLASSES = 256;

/** What is in a folder. */
type Entry = Pick<FileInfo, "isFile" | "isDirectory"> & { readonly path: string };

/** A path for messages: a name may contain control sequences of a terminal. */
export const shown = (path: string): string => plain(path, 1000);

const shownName = ({ path }: Entry) => shown(basename(path));

function cannot(what: string, path: string, cause: unknown, remedy: string): DataError {
  const reason = shown(reasonOf(cause));
  return new DataError(`Cannot ${what} ${shown(path)}: ${reason}. ${remedy}`, { cause });
}

/** The contents of a folder without hidden files, links followed, sorted by name (code units). */
async function list(dir: string): Promise<Entry[]> {
  const found = await Array.fromAsync(system.readDir(dir)).catch((cause) => {
    const remedy = "Give a folder of PNG files that exists and may be read";
    throw cannot("read the folder", dir, cause, remedy);
  });
  const entries: Entry[] = [];
  for (const entry of found.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (entry.name.startsWith(".")) continue;
    const path = join(dir, entry.name);
    const kind = entry.isSymlink ? await follow(path) : entry;
    if (kind) entries.push({ path, isFile: kind.isFile, isDirectory: kind.isDirectory });
  }
  return entries;
}

/** What a link leads to; undefined if it leads nowhere and its name is not that of an image. */
async function follow(path: string): Promise<FileInfo | undefined> {
  try {
    return await system.stat(path);
  } catch (cause) {
    if (isReason(cause, "NotFound", "FilesystemLoop") && !isPNGName(path)) return undefined;
    throw cannot("follow the link", path, cause, "Repair it, or take it out of the folder");
  }
}

const isPNGName = (name: string) => /\.png$/i.test(name);

/** Also true for a pipe with such a name, which is then refused rather than ignored. */
const isPNG = ({ path, isDirectory }: Entry) => !isDirectory && isPNGName(path);

const isOther = (entry: Entry) => entry.isFile && !isPNG(entry);

/**
 * The PNG files of a folder, or of its subfolders, sorted by name, with labels by subfolder; the names
 * of the subfolders in the order of the labels; and the paths of files that are not called PNG.
 *
 * @throws {DataError} when no PNG file is found, or both the folder and a subfolder have some.
 */
export async function findImages(dir: string) {
  const entries = await list(dir);
  const here = entries.filter(isPNG);
  const others = entries.filter(isOther);
  const files = here.map(({ path }) => ({ path, label: 0 }));
  const classes: string[] = [];
  for (const folder of entries.filter(({ isDirectory }) => isDirectory)) {
    const contents = await list(folder.path);
    others.push(...contents.filter(isOther));
    const inside = contents.filter(isPNG);
    if (!inside.length) continue;
    if (here.length) {
      throw new DataError(
        `${shown(dir)} holds images (${shownName(here[0])}) and a folder of images ` +
          `(${
            shownName(folder)
          }): put all images into subfolders (one per class), or all directly ` +
          "into the folder",
      );
    }
    files.push(...inside.map(({ path }) => ({ path, label: classes.length })));
    classes.push(basename(folder.path));
  }
  if (classes.length > MAX_CLASSES) {
    throw new DataError(
      `${shown(dir)} has ${classes.length} subfolders with images, at most ${MAX_CLASSES} are ` +
        "supported: merge some, or put all images into one folder",
    );
  }
  if (!files.length) {
    const reason = others.length
      ? `its files (such as ${shownName(others[0])}) are not PNG. Convert them`
      : "it is empty. Put the images there, or give another folder";
    throw new DataError(`No PNG file in ${shown(dir)} or its subfolders: ${reason}`);
  }
  return { files, classes, skipped: others.map(({ path }) => path) };
}

/**
 * The bytes of an image's file, at most 512 MiB.
 *
 * @throws {DataError} when it cannot be read, is larger, or is a pipe or a device.
 */
export async function readImage(path: string): Promise<Uint8Array> {
  try {
    const { size } = await requireFile(path);
    if (size <= MAX_FILE) return await system.readFile(path);
    throw new RangeError(`it has ${size} bytes, at most ${MAX_FILE} are read`);
  } catch (cause) {
    throw cannot("read", path, cause, "Make it readable, or take it out of the folder");
  }
}
