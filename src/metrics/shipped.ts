/** The classifiers that ship with the library; `scripts/classifiers.ts` makes them. */

import { decodeBase64 } from "../formats/base64.ts";
import type { Source } from "../formats/source.ts";

/** A module of `classifiers/` is loaded when it is used; in the npm package there are files instead. */
const decoded = (module: { readonly default: string }): Source => decodeBase64(module.default);

/** Each with the SHA-256 of the images of its data set: to train on, and to test with. */
const SHIPPED: readonly {
  readonly images: readonly string[];
  readonly open: () => Source | Promise<Source>;
}[] = [
  {
    images: [
      "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
      "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    ],
    open: () => import("./classifiers/mnist.ts").then(decoded),
  },
  {
    images: [
      "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
      "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    ],
    open: () => import("./classifiers/fashion-mnist.ts").then(decoded),
  },
];

/** The file of the classifier for images of this SHA-256, if one ships. */
export async function shippedFor(sha256: string): Promise<Source | undefined> {
  return await SHIPPED.find(({ images }) => images.includes(sha256))?.open();
}
