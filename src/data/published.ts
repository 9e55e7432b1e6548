/** The data sets that this library finds and verifies: the names and checksums of their files. */

/** Which part of a data set: 60,000 images to train on, or 10,000 to test with. */
export type MNISTSplit = "train" | "test";

/** One file as published: name, bytes and hexadecimal SHA-256, all uncompressed. */
export interface PublishedFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** MNIST, or a data set that was published in its form. */
export interface Published {
  readonly name: string;
  /** Its folder below the cache's. */
  readonly cache: string;
  /** Names of the labels 0 to 9. */
  readonly classes: readonly string[];
  readonly files: Readonly<Record<MNISTSplit, Record<"images" | "labels", PublishedFile>>>;
  /** URLs of folders with the compressed files. */
  readonly mirrors: readonly string[];
  /** Where a system's package puts them. */
  readonly installed?: string;
}

/** The four files, which all sets of this form name alike, from their checksums. */
function files(
  [trainImages, trainLabels, testImages, testLabels]: readonly string[],
): Published["files"] {
  return {
    train: {
      images: { name: "train-images-idx3-ubyte", size: 47_040_016, sha256: trainImages },
      labels: { name: "train-labels-idx1-ubyte", size: 60_008, sha256: trainLabels },
    },
    test: {
      images: { name: "t10k-images-idx3-ubyte", size: 7_840_016, sha256: testImages },
      labels: { name: "t10k-labels-idx1-ubyte", size: 10_008, sha256: testLabels },
    },
  };
}

/**
 * LeCun, Cortes and Burges, "The MNIST database of handwritten digits". The checksums were computed
 * from copies with the MD5 sums that are known for them uncompressed (train images:
 * 6bbc9ace898e44ae57da46a324031adb).
 */
export const MNIST_SET: Published = {
  name: "MNIST",
  cache: "mnist",
  classes: Array.from("0123456789"),
  files: files([
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  ]),
  mirrors: [
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
  ],
};

/**
 * Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
 * Algorithms" (2017). The checksums were computed from the files of Debian's `dataset-fashion-mnist`,
 * which lack only the names and times in the headers of gzip: with these in their place, all four have
 * the MD5 sums that the set's README publishes (train images: 8d4fb7e6c68d591d4c3dfef9ec88bf0d).
 */
export const FASHION_MNIST_SET: Published = {
  name: "Fashion-MNIST",
  cache: "fashion-mnist",
  classes: [
    ...["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"],
    ...["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  ],
  files: files([
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
  ]),
  // The copy that Keras loads, and the authors' own.
  mirrors: [
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
  ],
  installed: "/usr/share/datasets/fashion-mnist",
};
