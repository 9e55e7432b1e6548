/** The plan alone, and replayed: steps over slots that remember which value they hold. */

import { deepEqual, equal, ok } from "node:assert/strict";
import { grad, ops, type Tensor, type Tuning } from "../../mod.ts";
import { lower, type Lowered } from "../../src/graph/compile.ts";
import { record } from "../../src/graph/graph.ts";
import { type Place, type Step, Storage, storageOf, TextureCopy } from "../../src/graph/lower.ts";
import { type Block, liveRanges, plan } from "../../src/graph/plan.ts";
import { Variable } from "../../src/graph/variable.ts";
import { chosen, grow, leavesFor, recordedState, VARIABLES } from "../support/fuzz/graphs.ts";
import { specsOf } from "../support/gradcheck.ts";
import { TestRandom } from "../support/random.ts";

Deno.test("blocks alive at the same step never share a slot", () => {
  const random = new TestRandom("blocks");
  for (let round = 0; round < 300; round++) {
    const steps = 1 + random.below(30);
    const blocks: Block[] = Array.from({ length: random.below(40) }, () => {
      const first = random.below(steps);
      const bytes = 256 * (1 + random.below(random.pick([2, 50])));
      return { bytes, first, last: first + random.below(steps - first) };
    });
    const { slotOf, slotBytes } = plan(blocks);
    equal(slotOf.length, blocks.length);
    blocks.forEach(({ bytes, first, last }, i) => {
      ok(slotBytes[slotOf[i]] >= bytes);
      const tenants = blocks.filter((_, j) => j !== i && slotOf[j] === slotOf[i]);
      ok(tenants.every((b) => b.last < first || last < b.first), `slot ${slotOf[i]} is shared`);
    });
    deepEqual(new Set(slotOf), new Set(slotBytes.keys()), "a slot that nobody uses");
  }
});

Deno.test("a chain of blocks takes turns in two slots", () => {
  const blocks = Array.from({ length: 10 }, (_, i) => ({ bytes: 256, first: i, last: i + 1 }));
  equal(plan(blocks).slotBytes.length, 2);
  deepEqual(plan([]), { slotOf: [], slotBytes: [] });
});

/** A place outside the plan: a variable's, an input's. */
const elsewhere = () => {
  const buffer = { raw: undefined as never, bytes: 4096, version: 0 };
  return { buffer, offset: 0, bytes: 4096 };
};

function randomLowered(seed: string): Lowered {
  const random = new TestRandom(seed);
  const inputs = leavesFor(random);
  const variables = Array.from({ length: VARIABLES }, (_, i) => {
    return new Variable(undefined as never, elsewhere(), inputs.a.shape, "f32", `v${i}`, true);
  });
  const recording = record(specsOf({ inputs }), (leaves) => {
    const outputs = chosen(grow<Tensor>(ops, leaves, random, 50, recordedState(variables)), random);
    const noise = ops.dropout(outputs.y0, 0.5);
    const loss = ops.mean(ops.add(ops.sum(outputs.y1), ops.mul(noise, noise)));
    const [da, db, dv] = grad(loss, [leaves.a, leaves.b, variables[0]]);
    return { ...outputs, da, db, dv };
  });
  const tuning: Tuning = {
    gemm: random.pick(["texture", "tiled", "direct"]),
    parallelism: random.pick([64, 4096]),
  };
  const lowered = lower(recording, tuning);
  for (const storage of lowered.inputs.values()) storage.fixed = elsewhere();
  return lowered;
}

/** What a step reads and writes; of storages, the whole that they are a part of. */
function accesses(step: Step): { reads: Place[]; writes: Place[] } {
  const whole = (place: Place) => place instanceof Storage ? place.root : place;
  if (step.kind === "copy") return { reads: [whole(step.from)], writes: [whole(step.to)] };
  const used = (reads: boolean) =>
    Object.entries(step.bindings)
      .filter(([name]) => (step.kernel.bindings.get(name)!.access === "read") === reads)
      .map(([, place]) => whole(place));
  return { reads: used(true), writes: used(false) };
}

/**
 * Runs the steps over slots that remember whose they are, a second time without those that are the
 * same in every run; throws where a value was lost.
 */
function replay(lowered: Lowered, lives = liveRanges(lowered)): void {
  const planned = [...lives.keys()].filter((p) => p instanceof TextureCopy || !p.initial);
  const slots = new Map<Place, string>();
  for (const Kind of [Storage, TextureCopy]) {
    const places = planned.filter((p) => p instanceof Kind);
    const blocks = places.map((p) => ({ bytes: storageOf(p).bytes, ...lives.get(p)! }));
    const { slotOf, slotBytes } = plan(blocks);
    places.forEach((p, i) => {
      ok(slotBytes[slotOf[i]] >= blocks[i].bytes);
      slots.set(p, `${Kind.name} ${slotOf[i]}`);
    });
  }

  const owners = new Map<string, Place>();
  const nameOf = (p: Place) => p instanceof TextureCopy ? `texture of ${p.storage.label}` : p.label;
  const expectOwner = (place: Place, where: string) => {
    const slot = slots.get(place);
    if (!slot || (place instanceof Storage && place.label.endsWith("unused"))) return;
    const owner = owners.get(slot);
    ok(owner === place, `${where} reads ${nameOf(place)} but finds ${owner && nameOf(owner)}`);
  };
  for (const step of [...lowered.steps, ...lowered.steps.slice(lowered.invariant)]) {
    const { reads, writes } = accesses(step);
    const here = new Map<string, Place>();
    for (const place of [...reads, ...writes]) {
      const slot = slots.get(place);
      if (!slot) continue;
      ok((here.get(slot) ?? place) === place, `${step.label} finds two operands in ${slot}`);
      here.set(slot, place);
    }
    for (const place of reads) {
      expectOwner(place, step.label);
      ok(!writes.includes(place), `${step.label} reads what it writes, ${nameOf(place)}`);
    }
    for (const place of writes) {
      const slot = slots.get(place);
      if (slot) owners.set(slot, place);
    }
  }
  for (const [name, storage] of lowered.outputs) expectOwner(storage.root, `output ${name}`);
}

Deno.test("no value of a random graph is overwritten while it is needed", () => {
  let steps = 0;
  for (let seed = 0; seed < 250; seed++) {
    const lowered = randomLowered(`lowered ${seed}`);
    steps += lowered.steps.length;
    replay(lowered);
  }
  ok(steps > 5000, `only ${steps} steps were tried`);
});

Deno.test("a value that is released one step too early is seen", () => {
  let seen = 0;
  for (let seed = 0; seed < 20; seed++) {
    const lowered = randomLowered(`lowered ${seed}`);
    const lives = liveRanges(lowered);
    for (const [place, { first, last }] of lives) {
      lives.set(place, { first, last: Math.max(first, last - 1) });
    }
    try {
      replay(lowered, lives);
    } catch {
      seen++;
    }
  }
  ok(seen > 10, `seen in ${seen} of 20 graphs`);
});
