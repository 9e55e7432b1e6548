/** DiffAugment: each kind against its formula, and how its random numbers are distributed. */

import assert from "node:assert/strict";
import { ops, type Tensor } from "../../mod.ts";
import { augment, type Augmentation, augmentBy, type Draw } from "../../src/model/augment.ts";
import { assertClose } from "../support/close.ts";
import { gpu } from "../support/compute.ts";
import { check, type OpCase } from "../support/gradcheck.ts";
import type { Algebra } from "../support/reference.ts";

type Shaped = { readonly shape: readonly number[] };

const BATCH = 3;

/** Numbers for one call: uniform ones of [0, 1) in the order of their use, and whole ones. */
interface Numbers {
  readonly uniform: readonly (readonly number[])[];
  readonly whole: readonly (readonly number[])[];
}

const drawing = ({ uniform, whole }: Numbers): Draw => {
  const [left, wholes] = [[...uniform], [...whole]];
  return {
    uniform: (a, b) => ops.constant(left.shift()!.map((u) => a + (b - a) * u), [BATCH]),
    whole: (n) => {
      const values = wholes.shift()!;
      assert.ok(values.every((value) => value < n));
      return ops.constant(values, [BATCH]);
    },
  };
};

async function compare(
  kind: Augmentation,
  shape: readonly number[],
  numbers: Numbers,
  formula: <T extends Shaped>(o: Algebra<T>, x: T) => T,
): Promise<void> {
  const compute: OpCase["compute"] = (o, { x }) =>
    (o as unknown) === ops
      ? augmentBy(x as unknown as Tensor, [kind], drawing(numbers)) as never
      : formula(o, x);
  await check(gpu, { name: `${kind} ${shape}`, inputs: { x: { shape } }, compute, terms: 99 });
}

for (const channels of [1, 3]) {
  const shape = [BATCH, 5, 6, channels];

  Deno.test(`augment: color of ${channels} channels is its formula, with its gradient`, async () => {
    const [b, s, c] = [[0.1, 0.5, 0.9], [0, 0.3, 0.95], [0.8, 0.2, 0.45]];
    await compare(
      "color",
      shape,
      { uniform: channels > 1 ? [b, s, c] : [b, c], whole: [] },
      (o, x) => {
        const of = (values: number[]) => o.constant(values, [BATCH, 1, 1, 1]);
        let y = o.add(x, of(b.map((u) => u - 0.5)));
        if (channels > 1) {
          const gray = o.mean(y, 3, true);
          y = o.add(gray, o.mul(o.sub(y, gray), of(s.map((u) => 2 * u))));
        }
        const mean = o.mean(y, [1, 2, 3], true);
        return o.add(mean, o.mul(o.sub(y, mean), of(c.map((u) => u + 0.5))));
      },
    );
  });

  Deno.test(`augment: translation of ${channels} channels moves pixels, and gradients back`, () => {
    // An eighth of 5 and 6 pixels is 1: numbers from 0 to 2 are shifts from -1 to 1.
    const [down, right] = [[0, 2, 1], [2, 1, 0]];
    return compare("translation", shape, { uniform: [], whole: [down, right] }, (o, x) => {
      const padded = o.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]);
      const moved = down.map((d, n) =>
        o.slice(padded, [n, 2 - d, 2 - right[n], 0], [1, 5, 6, channels])
      );
      return o.concat(moved, 0);
    });
  });

  Deno.test(`augment: cutout of ${channels} channels sets half of each side to 0`, () => {
    // Boxes of 3 x 3, around rows 0 to 4 and columns 0 to 5.
    const centers = [[0, 2, 4], [5, 0, 3]];
    return compare("cutout", shape, { uniform: [], whole: centers }, (o, x) => {
      const mask: number[] = [];
      for (let n = 0; n < BATCH; n++) {
        for (let i = 0; i < 5; i++) {
          for (let j = 0; j < 6; j++) {
            const inside = Math.abs(i - centers[0][n]) <= 1 && Math.abs(j - centers[1][n]) <= 1;
            mask.push(inside ? 0 : 1);
          }
        }
      }
      return o.mul(x, o.constant(mask, [BATCH, 5, 6, 1]));
    });
  });
}

const COUNT = 4096;

/** Many copies of an image, each changed, with the numbers of a run's random state. */
async function changed(kinds: readonly Augmentation[], image: readonly number[], side: number) {
  const state = gpu.variable([2], [7, 0], { dtype: "u32", trainable: false });
  using program = gpu.compile({ image: [1, side, side, 1] }, ({ image }) => {
    const x = ops.broadcastTo(image, [COUNT, side, side, 1]);
    return { first: augment(x, kinds, state), second: augment(x, kinds, state) };
  });
  program.run({ image });
  const { first, second } = await program.read();
  assert.notDeepEqual(first, second, "real and generated images get numbers of their own");
  assert.equal((await state.read())[1], 1);
  const size = side * side;
  return Array.from({ length: COUNT }, (_, n) => first.subarray(n * size, (n + 1) * size));
}

/** Fails unless values are equally often one of so many; the chi-square test at 1 in 10,000. */
function assertUniform(values: readonly number[], kinds: readonly number[], what: string): void {
  const counts = kinds.map((kind) => values.filter((value) => value === kind).length);
  assert.equal(counts.reduce((a, b) => a + b), values.length, `${what}: other values`);
  const expected = values.length / kinds.length;
  const chiSquare = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  const freedom = kinds.length - 1;
  // Wilson and Hilferty's approximation; 3.72 is the normal quantile.
  const limit = freedom * (1 - 2 / (9 * freedom) + 3.72 * Math.sqrt(2 / (9 * freedom))) ** 3;
  assert.ok(chiSquare < limit, `${what}: ${counts}, chi-square ${chiSquare} of at most ${limit}`);
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

Deno.test("augment: shifts are equally often each of those up to an eighth of the side", async () => {
  const side = 16; // An eighth are 2 pixels.
  const images = await changed(["translation"], range(1, side * side), side);
  const shifts = images.map((image) => {
    const from = image[8 * side + 8] - 1; // Which pixel came to row and column 8.
    return [8 - Math.floor(from / side), 8 - from % side];
  });
  assertUniform(shifts.map(([down]) => down), range(-2, 2), "down");
  assertUniform(shifts.map(([, right]) => right), range(-2, 2), "right");
  const pairs = shifts.map(([down, right]) => 5 * (down + 2) + right + 2);
  assertUniform(pairs, range(0, 24), "both, independently");
});

Deno.test("augment: boxes are equally often at each place, also beyond the edges", async () => {
  const side = 6;
  const images = await changed(["cutout"], range(1, side * side), side);
  // Boxes of 3 x 3; of one whose center lies at the edge a row or column is cut off.
  const kept = [0, 1, 2, 3, 4, 5].map((center) =>
    [center - 1, center, center + 1].filter((i) => i >= 0 && i < side).length
  );
  const centers = images.map((image) => {
    const zeros = [...image.keys()].filter((i) => image[i] === 0);
    const [rows, columns] = [zeros.map((i) => Math.floor(i / side)), zeros.map((i) => i % side)]
      .map((places) => [...new Set(places)].sort((a, b) => a - b));
    assert.equal(zeros.length, rows.length * columns.length, "a box");
    return [rows, columns].map((places) => {
      const center = places[0] === 0 && places.length < 3 ? 0 : places[0] + 1;
      assert.equal(places.length, kept[center]);
      return center;
    });
  });
  assertUniform(centers.map(([row]) => row), range(0, 5), "rows");
  assertUniform(centers.map(([row, column]) => 6 * row + column), range(0, 35), "rows and columns");
});

Deno.test("augment: brightness and contrast are uniform in their ranges", async () => {
  const images = await changed(["color"], [-1, 1, 1, -1], 2); // mean 0
  const brightness = images.map((image) => image.reduce((sum, value) => sum + value / 4, 0));
  const contrast = images.map((image) => (image[1] - image[0]) / 2);
  const tenths = (values: number[]) => values.map((value) => Math.floor(value * 10));
  assertUniform(tenths(brightness.map((value) => value + 0.5)), range(0, 9), "brightness");
  assertUniform(tenths(contrast.map((value) => value - 0.5)), range(0, 9), "contrast");
});

Deno.test("augment: without a kind, images are what they were, and nothing is drawn", async () => {
  const state = gpu.variable([2], [7, 3], { dtype: "u32", trainable: false });
  using program = gpu.compile({ x: [2, 2, 2, 1] }, ({ x }) => ({ y: augment(x, [], state) }));
  const x = range(1, 8);
  program.run({ x });
  assertClose((await program.read()).y, x, { what: "images" });
  assert.equal((await state.read())[1], 3);
});
