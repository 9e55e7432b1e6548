/** `planRun`: which steps are timed, and what counts as memory. */

import { deepEqual, equal, ok } from "node:assert/strict";
import { planRun } from "../../src/cli/dry_run.ts";
import { Evaluator } from "../../src/metrics/evaluator.ts";
import { SMALL, tinyBlobs } from "../support/small.ts";

const plan = (options: Partial<Parameters<typeof planRun>[0]> = {}) =>
  planRun({ ...SMALL, imageCount: 1, evaluateEvery: Infinity, ...options });

Deno.test("dry run: a smaller batch is compiled before the steps that are timed", async () => {
  const timed = async (...options: Parameters<typeof plan>) => (await plan(...options)).timedSteps;
  // Five steps an epoch, the last of six images.
  deepEqual([await timed({ epochs: 2 }), await timed({ epochs: 9 })], [5, 10]);
  equal(await timed({ epochs: 1 }), 0);
  equal(await timed({ epochs: 3, discriminatorSteps: 2 }), 5);
  equal(await timed({ epochs: 1, dataset: tinyBlobs(80) }), 4);
});

Deno.test("dry run: memory is that of images and evaluations, too, which are not timed", async () => {
  const { measure } = Evaluator.prototype;
  let measured = 0;
  Evaluator.prototype.measure = function (...options) {
    measured++;
    return measure.apply(this, options);
  };
  try {
    const few = await plan();
    const more = await plan({ imageCount: 256 });
    equal(measured, 0);
    const evaluated = await plan({ evaluateEvery: 1, evaluateCount: 70 });
    equal(measured, 1);
    equal(evaluated.timedSteps, 10);
    ok(few.deviceBytes < more.deviceBytes && few.deviceBytes < evaluated.deviceBytes);
  } finally {
    Evaluator.prototype.measure = measure;
  }
});
