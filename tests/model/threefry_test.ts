/** Random numbers of the host: those of `ops.random` are tested with published vectors. */

import assert from "node:assert/strict";
import { RandomSequence } from "../../src/model/threefry.ts";

Deno.test("threefry: normal numbers are Box and Muller's of two uniform ones", () => {
  const [normals, uniforms] = [new RandomSequence(3, 1), new RandomSequence(3, 1)];
  let [sum, squares] = [0, 0];
  const count = 20_000;
  for (let i = 0; i < count; i++) {
    const [u, v] = [uniforms.uniform(), uniforms.uniform()];
    const normal = normals.normal();
    assert.equal(normal, Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(v * 2 * Math.PI));
    sum += normal;
    squares += normal ** 2;
  }
  assert.ok(Math.abs(sum / count) < 0.03, `mean ${sum / count}`);
  assert.ok(Math.abs(squares / count - 1) < 0.04, `variance ${squares / count}`);
});
