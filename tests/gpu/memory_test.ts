import assert from "node:assert/strict";
import { gpu } from "../support/compute.ts";

Deno.test("memory: buffers and textures count with the bytes that they hold", () => {
  const { memory } = gpu.context;
  const before = [memory.count, memory.bytes];
  const buffer = memory.buffer(1000, "a");
  const texture = memory.texture(3, "b");
  assert.equal(buffer.bytes, 1024, "a multiple of 256");
  assert.equal(texture.bytes, 3 * 4096 * 16, "rows of 4096 texels of four floats");
  assert.deepEqual(
    [memory.count, memory.bytes],
    [before[0] + 2, before[1] + buffer.bytes + texture.bytes],
  );
  for (const resource of [buffer, texture]) memory.free(resource);
  memory.free(texture);
  assert.deepEqual([memory.count, memory.bytes], before, "what is freed twice counts once");
});
