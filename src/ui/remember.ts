// What was made last, kept.

/** The value of a key, made if it is not among the `most` that were asked for last. */
export function remember<T>(kept: Map<string, T>, key: string, most: number, make: () => T): T {
  const value = kept.get(key) ?? make();
  kept.delete(key); // so that it moves to the end
  kept.set(key, value);
  if (kept.size > most) kept.delete(kept.keys().next().value!);
  return value;
}
