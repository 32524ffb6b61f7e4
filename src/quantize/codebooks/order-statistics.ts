// The r-th smallest of many values without sorting them: histograms, each refining the bins that hold a wanted rank.
// For the quantile data type and the median; linear in the number of values, of which it makes no copy. Few are sorted.

/**
 * Values by ordered keys: those of negative values are their bits inverted, those of others their bits with the sign bit
 * set, so that keys are in the order of the values. Who has many values may count them faster than is done here.
 */
export interface RankedValues {
  readonly length: number;
  /** 16 for float16 and bfloat16: one histogram has them all. */
  readonly keyBits: 16 | 32;
  /** The value whose bits, signs included, these are. */
  valueOf(bits: number): number;
  /**
   * How often each digit follows each prefix that has a slot, a key being prefix, digit and `shift` more bits:
   * `(slotCount, 2^digitBits)`. `slots` has the slot of each prefix, or -1.
   */
  countDigits(slots: Int16Array, slotCount: number, shift: number, digitBits: number): Uint32Array;
}

/**
 * The values at the given ranks of the ascending order: `sorted(values)[rank]`.
 *
 * @param values - finite
 * @param ranks - whole numbers in [0, values.length)
 */
export function selectOrdered(values: Float32Array | RankedValues, ranks: readonly number[]): number[] {
  if (values instanceof Float32Array) {
    if (values.length >= 2 ** 16) return selectOrdered(rankFloats(values), ranks);
    const sorted = values.slice().sort();
    return ranks.map((rank) => sorted[rank]);
  }
  // Each wanted rank sinks through the bins of the ordered key's leading bits.
  const { keyBits } = values;
  const sought = ranks.map((rank) => ({ prefix: 0, rank }));
  let prefixBits = 0;
  for (const digitBits of keyBits === 16 ? [16] : [13, 9, 10]) {
    const shift = keyBits - prefixBits - digitBits;
    const prefixes = [...new Set(sought.map(({ prefix }) => prefix))];
    const slots = new Int16Array(2 ** prefixBits).fill(-1);
    prefixes.forEach((prefix, slot) => {
      slots[prefix] = slot;
    });
    const counts = values.countDigits(slots, prefixes.length, shift, digitBits);
    let [first, bin, below] = [-1, 0, 0]; // of the last prefix: its first bin, the one looked at, the values before that
    for (const target of sought) {
      const start = slots[target.prefix] << digitBits;
      // Ranks mostly ascend, and then the next one is looked for from the last one on.
      if (start !== first || target.rank < below) [first, bin, below] = [start, start, 0];
      while (target.rank >= below + counts[bin]) below += counts[bin++];
      target.rank -= below;
      target.prefix = target.prefix * 2 ** digitBits + bin - start;
    }
    prefixBits += digitBits;
  }
  const sign = 2 ** (keyBits - 1);
  return sought.map(({ prefix }) => values.valueOf(prefix >= sign ? prefix - sign : 2 * sign - 1 - prefix));
}

function rankFloats(values: Float32Array): RankedValues {
  const keys = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const word = new Uint32Array(1);
  const value = new Float32Array(word.buffer);
  return {
    length: values.length,
    keyBits: 32,
    valueOf(bits) {
      word[0] = bits;
      return value[0];
    },
    countDigits: (...digits) => countDigits(keys, ...digits),
  };
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
