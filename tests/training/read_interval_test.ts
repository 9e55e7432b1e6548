/** How often losses are read, with a clock that the test turns. */

import assert from "node:assert/strict";
import { ReadInterval } from "../../src/training/read_interval.ts";

Deno.test("read interval: it grows while reads are close together, and shrinks while they are far apart", () => {
  const { now } = performance;
  let time = 0;
  performance.now = () => time;
  try {
    const interval = new ReadInterval();
    const after = (milliseconds: number) => {
      time += milliseconds;
      interval.adapt();
      return interval.steps;
    };
    assert.equal(interval.steps, 1);
    assert.equal(after(5000), 2, "the first step compiles everything");
    assert.deepEqual([10, 10, 10].map(after), [4, 8, 16]);
    assert.deepEqual([300, 1200].map(after), [16, 16]);
    assert.deepEqual([1201, 1201, 1201, 1201].map(after), [8, 4, 2, 2]);
    assert.equal(Array.from({ length: 9 }, () => after(1)).at(-1), 64);
  } finally {
    performance.now = now;
  }
});
