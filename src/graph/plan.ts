/**
 * Memory planning by liveness: tensors that are never alive together share a slot.
 *
 * Greedy by size for shared objects (Pisarchyk and Lee 2020, "Efficient memory management for deep
 * neural net inference"): largest first, each into the smallest slot that is free while it lives.
 */

import type { Lowered } from "./compile.ts";
import { type Place, Storage } from "./lower.ts";

/** The steps, from `first` to `last`, both included, that need something. */
export interface Life {
  readonly first: number;
  readonly last: number;
}

/** A block of memory and when it is needed. */
export interface Block extends Life {
  readonly bytes: number;
}

/** Which slot each block got, and how large the slots are. */
export interface Plan {
  readonly slotOf: readonly number[];
  readonly slotBytes: readonly number[];
}

/** Whether two blocks are alive at the same step. */
export function overlap(a: Block, b: Block): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** Assigns blocks to slots. */
export function plan(blocks: readonly Block[]): Plan {
  const slots: { bytes: number; tenants: Block[] }[] = [];
  const slotOf = new Array<number>(blocks.length);
  const order = blocks.map((_, i) => i)
    .sort((a, b) => blocks[b].bytes - blocks[a].bytes || blocks[a].first - blocks[b].first);
  for (const i of order) {
    const block = blocks[i];
    // Slots were opened in falling size, so the last that fits is the smallest.
    let slot = slots.findLastIndex(({ tenants }) => !tenants.some((t) => overlap(t, block)));
    if (slot < 0) slot = slots.push({ bytes: block.bytes, tenants: [] }) - 1;
    slots[slot].tenants.push(block);
    slotOf[i] = slot;
  }
  return { slotOf, slotBytes: slots.map(({ bytes }) => bytes) };
}

/** First and last step of everything that still needs a place. */
export function liveRanges(
  { steps, outputs, invariant }: Pick<Lowered, "steps" | "outputs" | "invariant">,
): Map<Place, Life> {
  const lives = new Map<Place, Life>();
  const touch = (place: Place, step: number) => {
    const key = place instanceof Storage ? place.root : place;
    if (key instanceof Storage && key.fixed) return;
    const { first } = lives.get(key) ?? { first: step };
    // What stays from run to run shares its place with nothing.
    const stays = first < invariant && step >= invariant;
    lives.set(key, stays ? { first: 0, last: steps.length } : { first, last: step });
  };
  steps.forEach((step, i) => {
    const used = step.kind === "copy" ? [step.from, step.to] : Object.values(step.bindings);
    for (const place of used) touch(place, i);
  });
  for (const storage of outputs.values()) touch(storage, steps.length);
  return lives;
}
