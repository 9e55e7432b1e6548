/**
 * The memory of a program: a place for each storage and texture of its steps.
 *
 * @module
 */

import type { Resource } from "../gpu/commands.ts";
import type { GpuContext } from "../gpu/context.ts";
import {
  ALIGNMENT,
  type Buffer,
  type BufferView,
  roundUp,
  type Texture,
  TEXTURE_WIDTH,
  textureRows,
} from "../gpu/memory.ts";
import type { Lowered } from "./compile.ts";
import { Storage, TextureCopy } from "./lower.ts";
import { type Block, liveRanges, plan } from "./plan.ts";

/** Allocated memory. Inputs and what keeps its value have buffers of their own; the rest shares. */
export class Allocation {
  /** Bytes of the buffers and textures that are shared. */
  readonly plannedBytes: number;
  /** Bytes that the same tensors would take without sharing. */
  readonly tensorBytes: number;
  readonly #owned: (Buffer | Texture)[] = [];
  readonly #shared = new Map<Storage | TextureCopy, Buffer | Texture>();

  /**
   * Allocates what has no place yet. Nothing stays allocated when it throws.
   *
   * @throws {OutOfMemoryError} naming what was too large.
   */
  constructor(private readonly context: GpuContext, lowered: Lowered, label: string) {
    try {
      for (const storage of lowered.inputs.values()) this.#fix(storage);
      const lives = liveRanges(lowered);
      for (const storage of [...lives.keys()].filter((k) => k instanceof Storage)) {
        if (!storage.initial) continue;
        context.write(this.#fix(storage), storage.initial);
        lives.delete(storage);
      }
      const { memory } = context;
      const buffers = this.#share(
        [...lives].filter((entry): entry is [Storage, Life] => entry[0] instanceof Storage),
        (storage) => storage,
        (bytes) => roundUp(bytes, ALIGNMENT),
        (bytes, slot) => memory.buffer(bytes, `${label} slot ${slot}`),
      );
      const textures = this.#share(
        [...lives].filter((entry): entry is [TextureCopy, Life] => entry[0] instanceof TextureCopy),
        ({ storage }) => storage,
        (bytes) => textureRows(bytes) * TEXTURE_WIDTH * 16,
        (bytes, slot) => memory.texture(textureRows(bytes), `${label} texture ${slot}`),
      );
      this.plannedBytes = buffers.plannedBytes + textures.plannedBytes;
      this.tensorBytes = buffers.tensorBytes + textures.tensorBytes;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The buffer range or texture of an operand. */
  resolve(operand: Storage): BufferView;
  resolve(operand: Storage | TextureCopy): Resource;
  resolve(operand: Storage | TextureCopy): Resource {
    if (operand instanceof TextureCopy) return this.#shared.get(operand) as Texture;
    if (operand.fixed) return operand.fixed;
    const bytes = roundUp(operand.bytes, ALIGNMENT);
    if (operand.part) {
      const { buffer, offset } = this.resolve(operand.part.of);
      return { buffer, offset: offset + operand.part.offset, bytes };
    }
    return { buffer: this.#shared.get(operand) as Buffer, offset: 0, bytes };
  }

  /** Frees everything. */
  [Symbol.dispose](): void {
    for (const resource of this.#owned.splice(0)) this.context.memory.free(resource);
  }

  #own<T extends Buffer | Texture>(resource: T): T {
    this.#owned.push(resource);
    return resource;
  }

  /** Gives a storage a buffer of its own. */
  #fix(storage: Storage): BufferView {
    const buffer = this.#own(this.context.memory.buffer(storage.bytes, storage.label));
    return storage.fixed = { buffer, offset: 0, bytes: buffer.bytes };
  }

  /** Plans and allocates one pool. */
  #share<K extends Storage | TextureCopy>(
    lives: readonly [K, Life][],
    storageOf: (key: K) => Storage,
    sizeOf: (bytes: number) => number,
    allocate: (bytes: number, slot: string) => Buffer | Texture,
  ): { plannedBytes: number; tensorBytes: number } {
    const blocks = lives.map(([key, life]): Block => ({
      ...life,
      bytes: sizeOf(storageOf(key).bytes),
    }));
    const { slotOf, slotBytes } = plan(blocks);
    const slots = slotBytes.map((bytes, slot) => {
      // A slot is as large as the largest storage in it, so messages name that one.
      const largest = lives.map(([key]) => storageOf(key)).filter((_, i) => slotOf[i] === slot)
        .reduce((a, b) => b.bytes > a.bytes ? b : a);
      return this.#own(allocate(bytes, `${slot} (${largest.label})`));
    });
    lives.forEach(([key], i) => this.#shared.set(key, slots[slotOf[i]]));
    return {
      plannedBytes: slotBytes.reduce((a, b) => a + b, 0),
      tensorBytes: blocks.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }
}

type Life = Omit<Block, "bytes">;
