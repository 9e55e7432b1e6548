/** The folder that keeps classifiers of the user's own data sets. */

import { join } from "npm:pathe@2.0.3";
import { sha256 } from "../formats/sha256.ts";
import { VERSION } from "../version.ts";
import { readFile } from "./kind.ts";
import { defaultCacheDir, store } from "./mnist_cache.ts";

/** A place for one classifier. Without a cache folder it finds nothing and keeps nothing. */
export interface ClassifierCache {
  readonly path: string;
  readonly read: () => Promise<Uint8Array<ArrayBuffer> | undefined>;
  readonly write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
}

/**
 * The place for the classifier of a data set: a file named by its images, labels, and this version.
 *
 * @param report called with a sentence when it cannot be kept
 */
export async function classifierCache(
  images: Uint8Array,
  labels: Uint8Array,
  report: (text: string) => void,
): Promise<ClassifierCache> {
  const identity = `${await sha256(images)} ${await sha256(labels)} ${VERSION}`;
  const name = `${(await sha256(new TextEncoder().encode(identity))).slice(0, 16)}.safetensors`;
  const notKept = ({ message }: Error) => report(`the classifier is not kept: ${message}`);
  let dir: string;
  try {
    dir = defaultCacheDir("classifiers");
  } catch (error) {
    const nothing = () => Promise.resolve(undefined);
    const report = () => Promise.resolve(notKept(error as Error));
    return { path: name, read: nothing, write: report };
  }
  const path = join(dir, name);
  return {
    path,
    read: () => readFile(path).catch(() => undefined),
    write: async (bytes) => {
      try {
        await store(dir, name, bytes);
      } catch (error) {
        notKept(error as Error);
      }
    },
  };
}
