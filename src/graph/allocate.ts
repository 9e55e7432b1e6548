/** The memory of a program: a place for each storage and texture of its steps. */

import type { Resource } from "../gpu/commands.ts";
import type { GpuContext } from "../gpu/context.ts";
import {
  ALIGNMENT,
  type Buffer,
  type BufferView,
  roundUp,
  type Texture,
  textureBytes,
  textureRows,
} from "../gpu/memory.ts";
import type { Lowered } from "./compile.ts";
import { type Place, Storage, storageOf, TextureCopy } from "./lower.ts";
import { type Block, type Life, liveRanges, plan } from "./plan.ts";

/** Allocated memory. Inputs and what keeps its value have buffers of their own; the rest shares. */
export class Allocation {
  /** Bytes of the buffers and textures that are shared. */
  readonly plannedBytes: number;
  /** Bytes that the same tensors would take without sharing. */
  readonly tensorBytes: number;
  readonly #owned: (Buffer | Texture)[] = [];
  readonly #shared = new Map<Place, Buffer | Texture>();

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
      const pools = [Storage, TextureCopy].map((Kind) => this.#share(Kind, lives, label));
      this.plannedBytes = pools.reduce((sum, { plannedBytes }) => sum + plannedBytes, 0);
      this.tensorBytes = pools.reduce((sum, { tensorBytes }) => sum + tensorBytes, 0);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The buffer range or texture of an operand. */
  resolve(operand: Storage): BufferView;
  resolve(operand: Place): Resource;
  resolve(operand: Place): Resource {
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

  /** Plans and allocates the buffers of all storages, or the textures of all copies. */
  #share(
    Kind: typeof Storage | typeof TextureCopy,
    lives: ReadonlyMap<Place, Life>,
    label: string,
  ): { plannedBytes: number; tensorBytes: number } {
    const { memory } = this.context;
    const places = [...lives.keys()].filter((place) => place instanceof Kind);
    const blocks = places.map((place): Block => {
      const { bytes } = storageOf(place);
      const size = Kind === Storage ? roundUp(bytes, ALIGNMENT) : textureBytes(bytes);
      return { ...lives.get(place)!, bytes: size };
    });
    const { slotOf, slotBytes } = plan(blocks);
    const slots = slotBytes.map((bytes, slot) => {
      // A slot is as large as the largest storage in it, so messages name that one.
      const largest = places.map(storageOf).filter((_, i) => slotOf[i] === slot)
        .reduce((a, b) => b.bytes > a.bytes ? b : a);
      const what = `${slot} (${largest.label})`;
      return this.#own<Buffer | Texture>(
        Kind === Storage
          ? memory.buffer(bytes, `${label} slot ${what}`)
          : memory.texture(textureRows(bytes), `${label} texture ${what}`),
      );
    });
    places.forEach((place, i) => this.#shared.set(place, slots[slotOf[i]]));
    return {
      plannedBytes: slotBytes.reduce((a, b) => a + b, 0),
      tensorBytes: blocks.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }
}
