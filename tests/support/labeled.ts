/** Images that a small network can tell apart. */

/** `count` gray images of 8 x 8 with a bright square in one of three corners, and noise; labeled by it. */
export function corners(count: number) {
  const images = Uint8Array.from({ length: count * 64 }, (_, i) => {
    const [n, y, x] = [Math.floor(i / 64), Math.floor(i / 8) % 8, i % 8];
    const corner = n * 7 % 3;
    const inside = (corner === 1 ? x > 4 : x < 3) && (corner === 2 ? y > 4 : y < 3);
    return (inside ? 200 : 20) + Math.imul(i + 1, 0x9e3779b1) % 20 + 20;
  });
  const labels = Uint8Array.from({ length: count }, (_, n) => n * 7 % 3);
  return { images, labels, count, height: 8, width: 8, channels: 1 };
}
