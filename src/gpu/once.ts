/** A map's value at a key, made when it is first asked for. */
export function once<K extends WeakKey | string | number, V extends object>(
  map: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: () => V,
): V {
  let value = map.get(key);
  if (!value) map.set(key, value = make());
  return value;
}
