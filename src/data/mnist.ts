/** MNIST and Fashion-MNIST. What finds and fetches them is loaded when it is used. */

import type { Dataset } from "./dataset.ts";
import type { MNISTSplit } from "./published.ts";

export type { MNISTSplit };

/** MNIST, or a data set that was published in its form: gray images with labels. */
export interface MNIST extends Dataset {
  /** [count], the classes 0 to 9. */
  readonly labels: Uint8Array;
  /** Names of the labels; empty for another set than the original. */
  readonly classes: readonly string[];
  /** Which part it is. */
  readonly split: MNISTSplit;
  /** A sentence that says where it came from and whether it is the original. */
  readonly source: string;
  /** Whether both files have the checksums of the original. */
  readonly verified: boolean;
}

/** Options of {@linkcode loadMNIST} and {@linkcode loadFashionMNIST}. */
export interface LoadMNISTOptions {
  /** Folder with the IDX files, raw or gzip. Default: the search that {@linkcode loadMNIST} describes. */
  readonly dir?: string;
  /** Default "train". */
  readonly split?: MNISTSplit;
  /**
   * Where downloaded files are kept, a folder for each data set: their files have the same names.
   * Default: `dcgan-webgpu/mnist` or `dcgan-webgpu/fashion-mnist` in the user's cache folder.
   */
  readonly cacheDir?: string;
  /** Whether the mirrors may be asked. Default true. */
  readonly download?: boolean;
  /** URLs of folders with the compressed files, tried in order. Default: two public ones. */
  readonly mirrors?: readonly string[];
  /**
   * Names another folder to search before the mirrors are asked. It is called at most once, and is
   * given a function for what the person should know. Default for Fashion-MNIST: where Debian's package
   * `dataset-fashion-mnist` puts it.
   */
  readonly fallback?: (report: (text: string) => void) => Promise<string | undefined>;
  /** Stops the search; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with a sentence when something takes long or goes wrong on the way. */
  readonly onMessage?: (text: string) => void;
}

/**
 * Loads MNIST: 60,000 images to train on or 10,000 to test with, 28 by 28, gray, with the digits
 * 0 to 9 as labels.
 *
 * With `dir`, the two files are read from there, and any data set in the form of MNIST will do
 * (KMNIST, EMNIST): `verified` says whether it is the original. Without it, each file is
 * looked for in the cache folder, then in the folder that `fallback` names, then at the mirrors,
 * and only the original is taken; what was downloaded goes to the cache folder. A mirror that sends
 * nothing for half a minute is given up.
 *
 * Permissions: read for the folders; without `dir` also env (where the user's caches are), net for
 * the mirrors and write for the cache folder. Any of the latter may be missing, with a message.
 *
 * Array buffers made: the files as they are stored, and what they hold, once. A compressed file of a
 * megabyte may hold a gigabyte.
 *
 * Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
 *
 * ```ts
 * import { loadMNIST } from "@dcgan/webgpu";
 *
 * const mnist = await loadMNIST({ split: "test" });
 * console.log(mnist.source, mnist.count); // 10000
 * ```
 *
 * @throws {DataError} when no usable file is found, naming all that was tried; when a file in `dir`
 * is damaged; when images and labels do not belong together.
 * @throws {RangeError} when `split` is neither "train" nor "test".
 */
export async function loadMNIST(options: LoadMNISTOptions = {}): Promise<MNIST> {
  const { loadPatiently, MNIST_SET } = await import("./find_mnist.ts");
  return await loadPatiently(MNIST_SET, options);
}

/**
 * Loads Fashion-MNIST: 60,000 images of clothes to train on or 10,000 to test with, 28 by 28, gray,
 * with ten kinds as labels. Otherwise as {@linkcode loadMNIST}: options, permissions, errors and all.
 *
 * Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
 * Learning Algorithms" (2017).
 *
 * ```ts
 * import { loadFashionMNIST } from "@dcgan/webgpu";
 *
 * const { labels, classes } = await loadFashionMNIST();
 * console.log(classes[labels[0]]); // Ankle boot
 * ```
 *
 * @throws {DataError} as {@linkcode loadMNIST}.
 * @throws {RangeError} when `split` is neither "train" nor "test".
 */
export async function loadFashionMNIST(options: LoadMNISTOptions = {}): Promise<MNIST> {
  const { FASHION_MNIST_SET, loadPatiently } = await import("./find_mnist.ts");
  return await loadPatiently(FASHION_MNIST_SET, options);
}
