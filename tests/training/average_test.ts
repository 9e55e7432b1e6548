/** The average of the generator's weights in a run: what shows it, checkpoints, resuming. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Generator, Trainer } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { variableDigests } from "../support/digest.ts";
import { gpu, SMALL, test, train } from "../support/small.ts";
import { live } from "../support/training.ts";

const AVERAGED = { ...SMALL, ema: 0.9 } as const;

test("average: checkpoints hold it, and who loads one gets it", async (outDir) => {
  using run = await train({ ...AVERAGED, outDir });
  const { tensors } = await readCheckpoint(run.checkpoint!);
  const names = [...tensors.keys()];
  const own = names.filter((name) => name.startsWith("generator/"));
  assert.deepEqual(
    names.filter((name) => name.startsWith("average/")),
    own.map((name) => name.replace("generator/", "average/")),
  );
  const loaded = await Generator.load(gpu, run.checkpoint!);
  const ofFile = await variableDigests(loaded.variables);
  assert.deepEqual(ofFile, await variableDigests(run.generator.variables));
  const noise = seedNoise(4, 10, 1);
  assert.deepEqual(await generate(gpu, loaded, noise), await generate(gpu, run.generator, noise));
  for (const name of own) {
    const differs = tensors.get(name)!.data.some((value, i) =>
      value !== tensors.get(name.replace("generator/", "average/"))!.data[i]
    );
    assert.ok(differs, `${name} is the same in the average`);
  }
});

test("average: a run that was stopped and resumed has the same bits", async (outDir) => {
  using whole = await train({ ...AVERAGED, outDir: join(outDir, "whole") });
  const cut = join(outDir, "cut");
  (await train({ ...AVERAGED, outDir: cut, maxSteps: 7 }))[Symbol.dispose]();
  using resumed = await train({ ...AVERAGED, outDir: cut, resume: true });
  assert.deepEqual(
    await variableDigests(resumed.generator.variables),
    await variableDigests(whole.generator.variables),
  );
});

test("average: a trainer samples and saves it, and keeps the generator apart", async () => {
  const before = live(gpu);
  {
    using trainer = await Trainer.create(AVERAGED);
    await trainer.epoch();
    const average = trainer.average!;
    assert.notEqual(average, trainer.generator);
    const images = await trainer.sample({ count: 4, seed: 1 });
    const noise = seedNoise(4, 10, 1);
    assert.deepEqual(images, await generate(gpu, average, noise));
    assert.notDeepEqual(images, await generate(gpu, trainer.generator, noise));
    const { tensors } = await trainer.snapshot();
    const name = "batch_normalization/moving_mean";
    const saved = tensors.get(`average/${name}`)!.data;
    assert.deepEqual(saved, await average.variables.find((v) => v.name === name)!.read());
    using plain = await Trainer.create(SMALL);
    assert.equal(plain.average, undefined);
    await assert.rejects(
      plain.restore(await trainer.snapshot()),
      /made with ema 0.9, this run asks for 0\. Use 0.9/,
    );
  }
  assert.deepEqual(live(gpu), before);
});
