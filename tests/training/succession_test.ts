/** One device after the other: who replaces a lost one, when, and what waits for it. */

import assert from "node:assert/strict";
import { DeviceLostError } from "../../mod.ts";
import type { DeviceErrors } from "../../src/gpu/errors.ts";
import { Succession } from "../../src/training/succession.ts";

/** Something to work for, whose devices are numbers and are replaced when the test says so. */
class Estate {
  device = 0;
  isBusy = false;
  readonly replaced: PromiseWithResolvers<void>[] = [];
  readonly succession = new Succession({
    device: () => this.device as unknown as DeviceErrors,
    isBusy: () => this.isBusy,
    requireUsable: () => {},
    replace: async () => {
      const turn = Promise.withResolvers<void>();
      this.replaced.push(turn);
      await turn.promise;
      this.device++;
    },
  });

  /** Work that fails on the first device once its turn comes, and gives the number of any other. */
  work(turn: Promise<unknown> = Promise.resolve(), guest = false): Promise<number> {
    return this.succession.survive(async () => {
      const { device } = this;
      await turn;
      if (device === 0) throw new DeviceLostError("lost");
      return device;
    }, guest);
  }
}

/** Until everything that can go on has gone on. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

Deno.test("succession: all that wait for a lost device are given the same next one", async () => {
  const estate = new Estate();
  const late = Promise.withResolvers<void>();
  const calls = [estate.work(), estate.work(undefined, true), estate.work(late.promise, true)];
  await settle();
  assert.equal(estate.replaced.length, 1);
  estate.replaced[0].resolve();
  await settle();
  late.resolve(); // This one learns of the loss when the next device is there.
  assert.deepEqual(await Promise.all(calls), [1, 1, 1]);
  assert.equal(estate.replaced.length, 1);
});

Deno.test("succession: beside a call that trains, it is that one that replaces the device", async () => {
  const estate = new Estate();
  estate.isBusy = true;
  const learnt = Promise.withResolvers<void>();
  const training = estate.work(learnt.promise);
  const guest = estate.work(undefined, true);
  await settle();
  assert.equal(estate.replaced.length, 0, "the steps under way are not given up yet");
  learnt.resolve();
  await settle();
  assert.equal(estate.replaced.length, 1);
  estate.replaced[0].resolve();
  assert.deepEqual(await Promise.all([training, guest]), [1, 1]);
});

Deno.test("succession: where the call that trains is over, who waited for it replaces the device", async () => {
  const estate = new Estate();
  estate.isBusy = true;
  const guest = estate.work(undefined, true);
  await settle();
  assert.equal(estate.replaced.length, 0);
  estate.isBusy = false;
  estate.succession.next();
  await settle();
  estate.replaced[0].resolve();
  assert.equal(await guest, 1);
});

Deno.test("succession: nothing is begun before the new device stands where the old one was", async () => {
  const estate = new Estate();
  const first = estate.work();
  await settle();
  let begun = 0;
  const begin = () => {
    begun++;
    return Promise.resolve(estate.device);
  };
  const others = [true, false].map((guest) => estate.succession.survive(begin, guest));
  await settle();
  assert.equal(begun, 0);
  estate.replaced[0].resolve();
  assert.deepEqual(await Promise.all([first, ...others]), [1, 1, 1]);
});

Deno.test("succession: what is thrown where no device takes its place is thrown to all; other errors are", async () => {
  const estate = new Estate();
  const calls = [estate.work(), estate.work()];
  await settle();
  estate.replaced[0].reject(new DeviceLostError("for good"));
  for (const outcome of await Promise.allSettled(calls)) {
    assert.equal(outcome.status, "rejected");
    assert.match(outcome.reason.message, /for good/);
  }
  const other = estate.succession.survive(() => Promise.reject(new RangeError("another")));
  await assert.rejects(other, RangeError);
  assert.equal(estate.replaced.length, 1);
});
