/** Flags of `train`: each becomes the option of its name, as it was typed. */

import assert from "node:assert/strict";
import { newProgram } from "../../src/cli/flags.ts";
import { optionsIn, renamed, trainFlags } from "../../src/cli/train_flags.ts";

const optionsOf = (line: string) => {
  const program = newProgram().configureOutput({ writeOut() {}, writeErr() {} });
  return optionsIn(trainFlags(program).parse(renamed(line.split(" ")), { from: "user" }).opts());
};

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
});

Deno.test("train: rates have their ranges", () => {
  for (const flag of ["--dropout", "--beta1", "--beta2"]) {
    for (const value of ["1", "-0.1", "x"]) {
      assert.throws(() => optionsOf(`${flag} ${value}`), /of at least 0 and below 1/);
    }
  }
  assert.throws(() => optionsOf("--learning-rate -1"), /a number of at least 0/);
});
