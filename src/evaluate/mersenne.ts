// Python's `random.Random(seed)`: MT19937 seeded by array; `random()`, which gives 53-bit floats, and `shuffle()`.
// Only so that bootstraps and orders repeat lm-eval's to the digit; new code takes the random numbers of tensor/.

const size = 624;
const shift = 397;

/** Floats in [0, 1) in the order in which Python's `random.Random(seed)` gives them. */
export interface PythonRandom {
  /** The next 312 floats; the array is reused by the next call. */
  nextBlock(): Float64Array; // (312)
}

/**
 * @param seed - a whole number, 0 to 2^32 - 1
 * @see https://github.com/python/cpython/blob/main/Modules/_randommodule.c
 */
export function createPythonRandom(seed: number): PythonRandom {
  const state = seedByArray(seed >>> 0);
  const floats = new Float64Array(size / 2);
  return {
    nextBlock() {
      advance(state);
      for (let i = 0; i < floats.length; i++) {
        const high = temper(state[2 * i]) >>> 5;
        const low = temper(state[2 * i + 1]) >>> 6;
        floats[i] = (high * 67108864 + low) / 9007199254740992;
      }
      return floats;
    },
  };
}

/** The order in which Python's `random.Random(seed).shuffle` leaves `count` things: `(count)`, less than 2^32. */
export function shuffleAsPython(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  const state = seedByArray(seed >>> 0);
  let used = size;
  const nextBits = (bits: number) => {
    if (used === size) {
      advance(state);
      used = 0;
    }
    return temper(state[used++]) >>> (32 - bits);
  };
  for (let i = count - 1; i > 0; i--) {
    const bits = 32 - Math.clz32(i + 1);
    let j = nextBits(bits);
    while (j > i) j = nextBits(bits);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** `init_by_array` with the one key `seed`. */
function seedByArray(seed: number): Int32Array {
  const state = new Int32Array(size);
  state[0] = 19650218;
  for (let i = 1; i < size; i++) {
    const last = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, last) + i;
  }
  let i = 1;
  for (let k = 0; k < size; k++) {
    const last = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = (state[i] ^ Math.imul(last, 1664525)) + seed;
    if (++i === size) {
      state[0] = state[size - 1];
      i = 1;
    }
  }
  for (let k = 0; k < size - 1; k++) {
    const last = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = (state[i] ^ Math.imul(last, 1566083941)) - i;
    if (++i === size) {
      state[0] = state[size - 1];
      i = 1;
    }
  }
  state[0] = 0x80000000;
  return state;
}

function advance(state: Int32Array): void {
  for (let i = 0; i < size; i++) {
    const joined = (state[i] & 0x80000000) | (state[(i + 1) % size] & 0x7fffffff);
    state[i] = state[(i + shift) % size] ^ (joined >>> 1) ^ (-(joined & 1) & 0x9908b0df);
  }
}

function temper(word: number): number {
  let y = word;
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >>> 18);
}
