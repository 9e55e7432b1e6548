/** Flags of `train`: each becomes the option of its name, as it was typed. */

import assert from "node:assert/strict";
import { newProgram } from "../../src/cli/flags.ts";
import { chosen, optionsIn, PRESETS, presetWidths } from "../../src/cli/train_flags.ts";
import { renamed, trainFlags } from "../../src/cli/train_flags.ts";
import { HYPERPARAMETERS } from "../../src/training/hyperparameters.ts";
import { RECIPES } from "../../src/training/recipes.ts";

const flagsOf = (line: string) => {
  const program = newProgram().configureOutput({ writeOut() {}, writeErr() {} });
  return trainFlags(program).parse(renamed(line.split(" ")), { from: "user" }).opts();
};

const optionsOf = (line: string) => optionsIn(flagsOf(line));

Deno.test("train: each flag becomes the option of its name", () => {
  assert.deepEqual(
    optionsOf(
      "--epochs 2 --max-steps 7 --batch-size 8 --seed 5 --noise-dim 6 --dropout 0.25 " +
        "--generator-widths 8,4,2 --discriminator-widths 2,4 --learning-rate 1e-3 --beta1 0.5 " +
        "--beta2 0.75 --images 9 --image-every 3 --non-finite warn",
    ),
    {
      ...{ epochs: 2, maxSteps: 7, batchSize: 8, seed: 5, noiseDim: 6, dropout: 0.25 },
      ...{ generatorWidths: [8, 4, 2], discriminatorWidths: [2, 4] },
      ...{ learningRate: 1e-3, beta1: 0.5, beta2: 0.75 },
      ...{ imageCount: 9, imageEverySteps: 3, onNonFinite: "warn" },
    },
  );
  assert.deepEqual(
    optionsOf("--pictures 9 --picture-every=3"),
    optionsOf("--images 9 --image-every=3"),
  );
  assert.deepEqual(optionsOf("--dropout 0"), { dropout: 0 });
  assert.deepEqual(
    optionsOf(
      "--objective wgan-gp --r1 1 --r2 2.5 --gradient-penalty 5 --label-smoothing 0.1 --ema 0.99 " +
        "--conditional --augment cutout,color --discriminator-steps 5 --decay-steps 100 " +
        "--discriminator-learning-rate 4e-4 --normalization none",
    ),
    {
      ...{ objective: "wgan-gp", r1: 1, r2: 2.5, gradientPenalty: 5, labelSmoothing: 0.1 },
      ...{ ema: 0.99, conditional: true, augment: ["cutout", "color"], discriminatorSteps: 5 },
      ...{ decaySteps: 100, discriminatorLearningRate: 4e-4, normalization: "none" },
    },
  );
});

Deno.test("train: every hyperparameter has a flag", () => {
  const program = newProgram();
  const flags = trainFlags(program).options.map((option) => option.attributeName());
  for (const name of HYPERPARAMETERS) assert.ok(flags.includes(name), name);
});

Deno.test("train: a recipe wins over a preset, and a flag over both", () => {
  const chosenBy = (line: string) => {
    const flags = flagsOf(line);
    return chosen(flags.preset ? PRESETS[flags.preset] : {}, flags);
  };
  const { batchSize, beta1, epochs, ema, learningRate } = chosenBy(
    "--preset quick --recipe fast --learning-rate 0.5",
  );
  assert.deepEqual([batchSize, beta1, ema], [RECIPES.fast.batchSize, RECIPES.fast.beta1, 0.997]);
  assert.deepEqual([epochs, learningRate], [PRESETS.quick.epochs, 0.5]);
  assert.equal(chosenBy("--preset quick --recipe tutorial").beta1, 0.5);
});

Deno.test("train: the recipe of a resumed run says all that a recipe says", () => {
  const before = { ...RECIPES.r3gan, seed: 7, noiseDim: 6 };
  assert.deepEqual(chosen(before, flagsOf("--resume")), before);
  assert.deepEqual(chosen(before, flagsOf("--resume --recipe r3gan")), before);
  assert.deepEqual(chosen(before, flagsOf("--resume --recipe tutorial --beta1 0.5")), {
    ...{ batchSize: 256, learningRate: 1e-4, beta1: 0.5, beta2: 0.999, dropout: 0.3 },
    ...{ objective: "nonsaturating", r1: 0, r2: 0, normalization: "batch", ema: 0 },
    ...{ seed: 7, noiseDim: 6 },
  });
});

Deno.test("train: the quick preset's networks fit the images", () => {
  const widths = (side: number) => presetWidths("quick", { height: side, width: side });
  assert.deepEqual(widths(28), {
    generatorWidths: [128, 64, 32],
    discriminatorWidths: [32, 64],
  });
  assert.deepEqual(widths(64).generatorWidths, [256, 128, 64, 32]);
  assert.deepEqual(presetWidths("tutorial", { height: 64, width: 64 }), {});
});

Deno.test("train: rates have their ranges", () => {
  for (const flag of ["--dropout", "--beta1", "--beta2"]) {
    for (const value of ["1", "-0.1", "x"]) {
      assert.throws(() => optionsOf(`${flag} ${value}`), /of at least 0 and below 1/);
    }
  }
  assert.throws(() => optionsOf("--learning-rate -1"), /a number of at least 0/);
});
