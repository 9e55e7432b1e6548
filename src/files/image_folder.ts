/**
 * The images in a folder, and in its subfolders.
 *
 * @module
 */

import { basename, join } from "node:path";
import { DataError } from "../errors.ts";
import { plain } from "../formats/json.ts";
import { requireFile } from "./regular.ts";

/** The largest file that is read: far beyond a camera's. */
const MAX_FILE = 2 ** 29;

/** Labels are bytes. */
const MAX_CLASSES = 256;

interface Entry {
  /** As messages may show it. */
  readonly name: string;
  readonly path: string;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
}

/** Longer than paths are. */
const MOST_SHOWN = 1000;

/** A path as messages may show it: names in a folder can be commands to a terminal. */
const shown = (path: string) => plain(path, MOST_SHOWN);

/** The system's reason without the path that it repeats. */
const reasonOf = (error: unknown) => shown((error as Error).message.replace(/: \w+ '.*'$/s, ""));

const isPNGName = (name: string) => /\.png$/i.test(name);

/** What is in a folder, hidden files apart, links followed, by name in the order of code units. */
async function list(dir: string): Promise<Entry[]> {
  const found: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(dir)) found.push(entry);
  } catch (cause) {
    throw new DataError(
      `Cannot read the folder ${shown(dir)}: ${reasonOf(cause)}. ` +
        "Give a folder of PNG files that exists and may be read",
      { cause },
    );
  }
  const entries: Entry[] = [];
  for (const entry of found.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (entry.name.startsWith(".")) continue;
    const path = join(dir, entry.name);
    const kind = entry.isSymlink ? await follow(path) : entry;
    if (!kind) continue;
    const { isFile, isDirectory } = kind;
    entries.push({ name: shown(entry.name), path, isFile, isDirectory });
  }
  return entries;
}

/** What a link leads to; nothing for one that leads nowhere and is not called an image. */
async function follow(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    const { NotFound, FilesystemLoop } = Deno.errors;
    const leadsNowhere = cause instanceof NotFound || cause instanceof FilesystemLoop;
    if (leadsNowhere && !isPNGName(path)) return undefined;
    throw new DataError(
      `Cannot follow the link ${shown(path)}: ${reasonOf(cause)}. ` +
        "Repair it, or take it out of the folder",
      { cause },
    );
  }
}

/** All but folders, so that a pipe by such a name is refused, and not passed over. */
const isPNG = ({ path, isDirectory }: Entry) => !isDirectory && isPNGName(path);

/** A file and the label that its subfolder gives it. */
export interface LabelledFile {
  readonly path: string;
  readonly label: number;
}

/** What {@linkcode findImages} finds. */
export interface ImageFolderContents {
  readonly files: readonly LabelledFile[];
  /** Names of the subfolders in the order of the labels. */
  readonly classes: readonly string[];
  /** Paths of files that are no PNG by their names. */
  readonly skipped: readonly string[];
}

/**
 * The PNG files of a folder, or of its subfolders, by name.
 *
 * @throws {DataError} when there is none, or both the folder and a subfolder have some.
 */
export async function findImages(dir: string): Promise<ImageFolderContents> {
  const called = shown(dir);
  const entries = await list(dir);
  const here = entries.filter(isPNG);
  const files = here.map(({ path }) => ({ path, label: 0 }));
  const classes: string[] = [];
  const others = (entries: readonly Entry[]) =>
    entries.filter((entry) => entry.isFile && !isPNG(entry)).map(({ path }) => path);
  const skipped = others(entries);
  for (const folder of entries.filter((entry) => entry.isDirectory)) {
    const contents = await list(folder.path);
    skipped.push(...others(contents));
    const inside = contents.filter(isPNG);
    if (!inside.length) continue;
    if (here.length) {
      throw new DataError(
        `${called} holds images (${here[0].name}) and a folder of images (${folder.name}): ` +
          "put all of them into subfolders, one a class, or none",
      );
    }
    files.push(...inside.map(({ path }) => ({ path, label: classes.length })));
    classes.push(basename(folder.path));
  }
  if (classes.length > MAX_CLASSES) {
    throw new DataError(
      `${called} has ${classes.length} subfolders with images, labels tell ${MAX_CLASSES} apart: ` +
        "merge some, or put all images into one folder",
    );
  }
  if (!files.length) {
    const [other] = skipped.map((path) => shown(basename(path)));
    throw new DataError(
      `No PNG file in ${called} or its subfolders: ` +
        (other
          ? `${other} and the others are of another kind. Convert them to PNG`
          : "it is empty. Put the images there, or give another folder"),
    );
  }
  return { files, classes, skipped };
}

/**
 * The bytes of an image's file, at most 512 MiB.
 *
 * @throws {DataError} when it cannot be read, is larger, or is a pipe or a device.
 */
export async function readImage(path: string): Promise<Uint8Array> {
  try {
    const { size } = await requireFile(path);
    if (size <= MAX_FILE) return await Deno.readFile(path);
    throw new RangeError(`it has ${size} bytes, at most ${MAX_FILE} are read`);
  } catch (cause) {
    throw new DataError(
      `Cannot read ${shown(path)}: ${reasonOf(cause)}. ` +
        "Make it readable, or take it out of the folder",
      { cause },
    );
  }
}
