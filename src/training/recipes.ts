/** Recipes: sets of hyperparameters by name. */

import type { Hyperparameters } from "./hyperparameters.ts";

/** Name of a recipe. */
export type RecipeName = "tutorial" | "fast" | "r3gan";

/** All recipes. What one does not name has the tutorial's value. */
export const RECIPES: Readonly<Record<RecipeName, Hyperparameters>> = {
  /** The TensorFlow tutorial's. */
  tutorial: {},
  /** The tutorial's objective with R1 (Mescheder et al. 2018): the best of those in `docs/quality.md`. */
  fast: {
    batchSize: 64,
    learningRate: 1e-3,
    beta1: 0,
    beta2: 0.99,
    dropout: 0,
    r1: 0.5,
    ema: 0.997,
  },
  /** R3GAN's objective, penalties and lack of normalization (Huang et al. 2025) on these networks. */
  r3gan: {
    batchSize: 64,
    learningRate: 5e-4,
    beta1: 0,
    beta2: 0.99,
    dropout: 0,
    objective: "relativistic",
    r1: 1,
    r2: 1,
    normalization: "none",
    ema: 0.997,
  },
};

/**
 * Options with a recipe's hyperparameters where they name none.
 *
 * @throws {RangeError} when the recipe is unknown.
 */
export function withRecipe<O extends Hyperparameters & { readonly recipe?: RecipeName }>(
  options: O,
): O {
  const { recipe = "tutorial" } = options;
  if (!Object.hasOwn(RECIPES, recipe)) {
    const known = Object.keys(RECIPES).map((name) => `"${name}"`).join(" or ");
    throw new RangeError(`recipe must be ${known}, got ${JSON.stringify(recipe)}`);
  }
  return { ...RECIPES[recipe], ...given(options) };
}

/** Drops what is undefined, so that a preset's, a recipe's or the library's value stays. */
export function given<O extends object>(options: O): O {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as O;
}
