/** The images in a ZIP file, as in a folder. Nothing is unpacked to a disk. */

import { type UnzipFileInfo, unzipSync } from "npm:fflate@0.8.3";
import { DataError } from "../errors.ts";
import { plain } from "../formats/json.ts";
import { MAX_BYTES } from "../data/idx.ts";
import type { SkippedFile } from "../data/decode.ts";
import { type Candidate, type FoundImages, isImageName, labelled } from "./image_folder.ts";
import { kindOf } from "./kind.ts";
import { readLimited, shown, skipFolder, skipName } from "./image_folder.ts";

/** Images are compressed already; an archive that grows more than this when unpacked is a bomb. */
const MOST_INFLATION = 20;

/** Whether a path leads to an archive. */
export const isZip = async (path: string): Promise<boolean> =>
  /\.zip$/i.test(path) && await kindOf(path) === "file";

const order = (name: string) => name.replaceAll("/", "\0");

/**
 * Reads the images of a ZIP file, or of its folders; one folder around all of them does not count.
 *
 * Array buffers made: the file's bytes, and at most 20 times as many, 2^31 - 1 in all, for what is in it.
 *
 * @throws {DataError} when it cannot be read, is damaged or says that it holds more than that; when two
 *   files have one name; and as {@linkcode labelled}.
 */
export async function findInZip(path: string): Promise<FoundImages> {
  const zip = await readLimited(path, MAX_BYTES, "Unpack it, and give the folder");
  const place = shown(path);
  const most = Math.min(MAX_BYTES, MOST_INFLATION * zip.length);
  let total = 0;
  let count = 0;
  const others: string[] = [];
  const isKept = ({ name, originalSize }: UnzipFileInfo) => {
    // Folders, hidden files, and what macOS adds.
    if (/(?:^|\/)(?:\.|__MACOSX(?:\/|$))|\/$/.test(name)) return false;
    if (!isImageName(name)) others.push(name);
    else {
      count++;
      total += originalSize;
    }
    if (total <= most) return isImageName(name);
    throw new DataError(
      `its images have more than ${most} bytes unpacked, of ${zip.length}: it is damaged or hostile, ` +
        "or too large. Unpack it where you trust it, and give the folder",
    );
  };
  let unpacked: Record<string, Uint8Array>;
  try {
    unpacked = unzipSync(zip, { filter: isKept });
  } catch (cause) {
    const reason = plain((cause as Error).message, 400);
    throw new DataError(`${place} cannot be read as a ZIP file: ${reason}`, { cause });
  }
  // As in folders, whose names are compared before those of the files in them.
  const names = Object.keys(unpacked).sort((a, b) => order(a) < order(b) ? -1 : 1);
  if (names.length < count) {
    throw new DataError(`${place} has two files of one name: unpack it, and give the folder`);
  }
  // A folder around everything has no meaning.
  const [top] = (names[0] ?? "").split("/");
  const around = names.every((name) => name.startsWith(`${top}/`)) ? top.length + 1 : 0;
  const whole = (name: string) => `${path}/${name}`;
  const skipped: SkippedFile[] = others.sort().map((name) => skipName(whole(name)));
  const images: Candidate[] = [];
  for (const name of names) {
    const [folder, ...rest] = name.slice(around).split("/");
    if (rest.length > 1) skipped.push(skipFolder(whole(name)));
    else images.push({ path: whole(name), folder: rest.length ? folder : undefined });
  }
  const read = (image: string) => Promise.resolve(unpacked[image.slice(path.length + 1)]);
  return { ...labelled(path, images, skipped), read };
}
