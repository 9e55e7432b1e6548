/**
 * The flags of WebGPU that this library uses, by their names and values in the standard: where WebGPU
 * comes from a package, as in Node, they are no globals.
 *
 * @module
 */

/** What a buffer is used for. */
export const GPUBufferUsage = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
  QUERY_RESOLVE: 0x200,
} as const;

/** What a texture is used for. */
export const GPUTextureUsage = { COPY_DST: 0x2, STORAGE_BINDING: 0x8 } as const;

/** How a buffer is mapped. */
export const GPUMapMode = { READ: 0x1 } as const;
