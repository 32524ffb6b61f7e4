// The r-th smallest of many values without sorting them: three histograms, each refining the bins that hold a wanted rank.
// For the quantile data type and the median; linear in the number of values, of which it makes no copy. Few are sorted.

/**
 * The values at the given ranks of the ascending order: `sorted(values)[rank]`.
 *
 * @param values - finite
 * @param ranks - whole numbers in [0, values.length)
 */
export function selectOrdered(values: Float32Array, ranks: readonly number[]): number[] {
  if (values.length < 2 ** 16) {
    const sorted = values.slice().sort();
    return ranks.map((rank) => sorted[rank]);
  }
  const keys = new Uint32Array(values.buffer, values.byteOffset, values.length);
  // Each wanted rank sinks through the bins of 13, 9 and 10 leading bits of the ordered key.
  const sought = ranks.map((rank) => ({ prefix: 0, rank }));
  let prefixBits = 0;
  for (const digitBits of [13, 9, 10]) {
    const shift = 32 - prefixBits - digitBits;
    const prefixes = [...new Set(sought.map(({ prefix }) => prefix))];
    const slots = new Int16Array(2 ** prefixBits).fill(-1);
    prefixes.forEach((prefix, slot) => {
      slots[prefix] = slot;
    });
    const counts = countDigits(keys, slots, prefixes.length, shift, digitBits);
    for (const target of sought) {
      let bin = slots[target.prefix] << digitBits;
      const first = bin;
      while (target.rank >= counts[bin]) target.rank -= counts[bin++];
      target.prefix = target.prefix * 2 ** digitBits + bin - first;
    }
    prefixBits += digitBits;
  }
  const word = new Uint32Array(1);
  const value = new Float32Array(word.buffer);
  return sought.map(({ prefix }) => {
    word[0] = prefix >= 2 ** 31 ? prefix - 2 ** 31 : ~prefix;
    return value[0];
  });
}

/** How often each digit follows each prefix that has a slot: `(slotCount, 2^digitBits)`. */
function countDigits(
  keys: Uint32Array,
  slots: Int16Array,
  slotCount: number,
  shift: number,
  digitBits: number,
): Uint32Array {
  const counts = new Uint32Array(slotCount << digitBits);
  const mask = 2 ** digitBits - 1;
  for (let i = 0; i < keys.length; i++) {
    // Unsigned order of the key is the order of the floats: negative ones inverted, the others above them.
    const flip = (keys[i] >> 31) | 0x80000000;
    const ordered = (keys[i] ^ flip) >>> 0;
    const slot = slots[(ordered >>> shift) >>> digitBits];
    if (slot >= 0) counts[(slot << digitBits) + ((ordered >>> shift) & mask)]++;
  }
  return counts;
}
