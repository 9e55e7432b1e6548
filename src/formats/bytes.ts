/** Arrays of bytes, one after another, as one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Bytes as lower-case hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Floats of 32 bits, little-endian, whatever the machine's order. */
export function floatBytes(values: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const out = new DataView(new ArrayBuffer(4 * values.length));
  for (let i = 0; i < values.length; i++) out.setFloat32(4 * i, values[i], true);
  return new Uint8Array(out.buffer);
}
