/** The images in a folder, and in its subfolders. */

import { basename, extname, join } from "npm:pathe@2.0.3";
import type { SkippedFile } from "../data/decode.ts";
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

/** A path for messages: a name may contain control sequences of a terminal. */
export const shown = (path: string): string => plain(path, 1000);

/** Whether a file is called an image that can be read. */
export const isImageName = (name: string): boolean => /\.(?:png|jpe?g|webp)$/i.test(name);

/** Image files, and what else is there. */
export interface FoundImages {
  /** Sorted by name, with labels by subfolder. */
  readonly files: readonly { readonly path: string; readonly label: number }[];
  /** Names of the subfolders in the order of the labels. */
  readonly classes: readonly string[];
  readonly skipped: readonly SkippedFile[];
  /** The bytes of one. @throws {DataError} when it cannot be read. */
  readonly read: (path: string) => Promise<Uint8Array>;
}

/** Something in a folder or an archive: `folder` is its subfolder, if it is in one. */
export interface Candidate {
  readonly path: string;
  readonly folder?: string;
}

function skip(path: string, reason: string, remedy: string): SkippedFile {
  return { path, reason, message: `${shown(path)} is skipped: ${reason}. ${remedy}` };
}

/** What is skipped for its name. */
export function skipName(path: string): SkippedFile {
  const ending = shown(extname(path)).toLowerCase();
  const reason = ending ? `called ${ending}` : "called nothing that ends in .png, .jpg or .webp";
  return skip(path, reason, "Convert it to PNG, JPEG or WebP, if it is an image");
}

/** What lies deeper than subfolders. */
export const skipFolder = (path: string): SkippedFile =>
  skip(path, "a folder inside of a subfolder", "Put its images into the subfolder");

/**
 * Labels for images by their subfolders.
 *
 * @param place the folder or archive, for messages
 * @throws {DataError} when the place has no images, has images beside subfolders of images, or has too
 *   many subfolders.
 */
export function labelled(
  place: string,
  images: readonly Candidate[],
  skipped: readonly SkippedFile[],
): Omit<FoundImages, "read"> {
  const [beside] = images.filter(({ folder }) => folder === undefined);
  const [inside] = images.filter(({ folder }) => folder !== undefined);
  if (beside && inside) {
    throw new DataError(
      `${shown(place)} holds images (${shown(basename(beside.path))}) and a folder of images ` +
        `(${shown(inside.folder!)}): put all images into subfolders (one per class), or all ` +
        "directly into the folder",
    );
  }
  if (!images.length) {
    const reason = skipped.length
      ? `its files (such as ${shown(basename(skipped[0].path))}) are others. Convert them`
      : "it is empty. Put the images there, or give another folder";
    throw new DataError(
      `No PNG, JPEG or WebP file in ${shown(place)} or its subfolders: ${reason}`,
    );
  }
  const classes = inside ? [...new Set(images.map(({ folder }) => folder!))] : [];
  if (classes.length > MAX_CLASSES) {
    throw new DataError(
      `${shown(place)} has ${classes.length} subfolders with images, at most ${MAX_CLASSES} are ` +
        "supported: merge some, or put all images into one folder",
    );
  }
  const labels = new Map(classes.map((name, label) => [name, label]));
  const files = images.map(({ path, folder }) => ({ path, label: labels.get(folder!) ?? 0 }));
  return { files, classes, skipped };
}

function cannot(what: string, path: string, cause: unknown, remedy: string): DataError {
  const reason = shown(reasonOf(cause));
  return new DataError(`Cannot ${what} ${shown(path)}: ${reason}. ${remedy}`, { cause });
}

/** What is in a folder. */
type Entry = Pick<FileInfo, "isFile" | "isDirectory"> & { readonly path: string };

/** The contents of a folder without hidden files, links followed, sorted by name (code units). */
async function list(dir: string, skipped: SkippedFile[]): Promise<Entry[]> {
  const found = await Array.fromAsync(system.readDir(dir)).catch((cause) => {
    const remedy = "Give a folder of PNG, JPEG or WebP files that exists and may be read";
    throw cannot("read the folder", dir, cause, remedy);
  });
  const entries: Entry[] = [];
  for (const entry of found.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (entry.name.startsWith(".")) continue;
    const path = join(dir, entry.name);
    const kind = entry.isSymlink ? await follow(path) : entry;
    if (kind) entries.push({ path, isFile: kind.isFile, isDirectory: kind.isDirectory });
    else skipped.push(skip(path, "a link that leads nowhere", "Repair it"));
  }
  return entries;
}

/** What a link leads to; undefined if it leads nowhere. */
async function follow(path: string): Promise<FileInfo | undefined> {
  try {
    return await system.stat(path);
  } catch (cause) {
    if (isReason(cause, "NotFound", "FilesystemLoop")) return undefined;
    throw cannot("follow the link", path, cause, "Repair it, or take it out of the folder");
  }
}

/** Also true for a pipe with such a name, which is then refused rather than ignored. */
const isImage = ({ path, isDirectory }: Entry) => !isDirectory && isImageName(path);

/**
 * The images of a folder, or of its subfolders.
 *
 * @throws {DataError} when a folder cannot be read, and as {@linkcode labelled}.
 */
export async function findImages(dir: string): Promise<FoundImages> {
  const skipped: SkippedFile[] = [];
  const entries = await list(dir, skipped);
  const isOther = (entry: Entry) => entry.isFile && !isImage(entry);
  const images: Candidate[] = entries.filter(isImage);
  skipped.push(...entries.filter(isOther).map(({ path }) => skipName(path)));
  for (const { path } of entries.filter(({ isDirectory }) => isDirectory)) {
    const contents = await list(path, skipped);
    images.push(...contents.filter(isImage).map((entry) => ({ ...entry, folder: basename(path) })));
    skipped.push(...contents.filter(isOther).map(({ path }) => skipName(path)));
    skipped.push(
      ...contents.filter((entry) => entry.isDirectory).map(({ path }) => skipFolder(path)),
    );
  }
  return { ...labelled(dir, images, skipped), read: readImage };
}

/**
 * The bytes of an image's file, at most 512 MiB.
 *
 * @throws {DataError} when it cannot be read, is larger, or is a pipe or a device.
 */
async function readImage(path: string): Promise<Uint8Array> {
  return await readLimited(path, MAX_FILE, "Make it readable, or take it out of the folder");
}

/** The bytes of a file of at most so many. @throws {DataError} as {@linkcode readImage} */
export async function readLimited(
  path: string,
  most: number,
  remedy: string,
): Promise<Uint8Array> {
  try {
    const { size } = await requireFile(path);
    if (size <= most) return await system.readFile(path);
    throw new RangeError(`it has ${size} bytes, at most ${most} are read`);
  } catch (cause) {
    throw cannot("read", path, cause, remedy);
  }
}
