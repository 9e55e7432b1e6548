/** Images that are moved by whole pixels, each by its own number. */

import { currentGraph } from "../graph/graph.ts";
import { type Op, show, type Tensor } from "../graph/tensor.ts";
import { add, mul, neg, sub } from "./arithmetic.ts";
import { gather } from "./gather.ts";
import { step } from "./math.ts";
import { reshape } from "./shape.ts";
import { constant } from "./state.ts";

interface Shift {
  readonly x: Tensor;
  readonly down: Tensor;
  readonly right: Tensor;
}

/** The gradient of a shift is the shift back. `gather`'s own rule would search all pixels for each. */
const translateOp: Op<Shift> = {
  name: "translate",
  instruction: "copy",
  gradientInputs: ({ attributes: { x } }) => [x],
  gradient: ({ attributes: { down, right } }, [dy]) => [dy && translate(dy, neg(down), neg(right))],
};

/** The numbers 0 to n - 1 along one of three axes. */
export function places(n: number, axis: number): Tensor {
  const numbers = Float32Array.from({ length: n }, (_, i) => i);
  return constant(numbers, [0, 1, 2].map((i) => i === axis ? n : 1));
}

/** 1 where begin <= place < begin + size, else 0; all are whole numbers. */
export function within(place: Tensor, begin: Tensor | number, size: number): Tensor {
  const at = sub(place, begin);
  return mul(step(add(at, 0.5)), step(sub(size - 0.5, at)));
}

/** Largest number of pixels of a batch: a float32 counts no further. */
const MOST_PIXELS = 2 ** 24;

/**
 * Images moved down and to the right, with zeros where they were.
 *
 * @param x [batch, height, width, channels]
 * @param down whole numbers [batch], negative for up
 * @param right whole numbers [batch], negative for left
 * @returns of x's shape
 * @throws {RangeError} when the batch has more than 2^24 pixels.
 */
export function translate(x: Tensor, down: Tensor, right: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape;
  if (batch * height * width > MOST_PIXELS) {
    throw new RangeError(
      `Cannot translate ${show(x.shape)}: a batch of at most ${MOST_PIXELS} pixels can be moved`,
    );
  }
  const row = sub(places(height, 1), reshape(down, [batch, 1, 1]));
  const column = sub(places(width, 2), reshape(right, [batch, 1, 1]));
  const from = add(mul(add(mul(places(batch, 0), height), row), width), column);
  const pixels = gather(reshape(x, [batch * height * width, channels]), from);
  const inside = mul(within(row, 0, height), within(column, 0, width));
  const value = mul(pixels, reshape(inside, [batch, height, width, 1]));
  const attributes = { x, down, right };
  return currentGraph().add(translateOp, [value], attributes, [{ shape: x.shape }]).outputs[0];
}
