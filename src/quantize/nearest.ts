// The nearest value of a codebook, exactly and fast: a table by the leading bits of a float32, then a step or two.
// quantize.ts calls it for every weight.

/** A codebook prepared for `encodeNearest`. */
export interface NearestTable {
  /** Midpoints of neighbours and infinity; code c is nearest above `midpoints[c - 1]` and up to `midpoints[c]`. */
  readonly midpoints: Float64Array; // (codebook.length)
  /** By the upper 16 bits of x = weight / absmax as float32: the nearest code of every such x, or one below it. */
  readonly firstCodes: Uint8Array; // (65536)
}

/**
 * Prepares a codebook for lookups.
 *
 * @param codebook - distinct values, ascending, at most 256
 */
export function createNearestTable(codebook: Float32Array): NearestTable {
  const midpoints = findMidpoints(codebook);
  const firstCodes = new Uint8Array(65536);
  const word = new Uint32Array(1);
  const value = new Float32Array(word.buffer);
  // Cells by ascending value: negative ones from -infinity (0xff80) up to -0 (0x8000), then 0 up to infinity (0x7f80).
  let code = 0;
  const fill = (cell: number) => {
    // The end of the cell that is nearer to -infinity, and a little beyond it, as x is rounded to float32.
    word[0] = cell >= 0x8000 ? cell * 65536 + 65535 : cell * 65536;
    const below = value[0] - Math.abs(value[0]) * 2 ** -22 - 2 ** -149;
    while (midpoints[code] < below) code++;
    firstCodes[cell] = code;
  };
  firstCodes.fill(0, 0xff80);
  for (let cell = 0xff7f; cell >= 0x8000; cell--) fill(cell);
  for (let cell = 0; cell <= 0x7f80; cell++) fill(cell);
  return { midpoints, firstCodes };
}

/** Midpoints of neighbours and infinity: `(codebook.length)`. */
export function findMidpoints(codebook: Float32Array): Float64Array {
  return Float64Array.from(codebook, (value, code) =>
    code + 1 < codebook.length ? (value + codebook[code + 1]) / 2 : Infinity,
  );
}

/** The code of the value nearest to 0, the lower of two equally near: that of all weights of a block whose absmax is 0. */
export function findZeroCode(midpoints: Float64Array): number {
  return midpoints.findIndex((midpoint) => midpoint >= 0);
}

/**
 * Codes of the weights `[from, to)` of one block: `codes[at + i] = argmin_c |codebook[c] * absmax - weights[from + i]|`, the
 * lower of two equally near values. Midpoints times absmax are float64, so the choice is exact.
 *
 * @param absmax - not negative; if it is 0 every weight counts as 0
 */
export function encodeNearest(
  weights: Float32Array,
  from: number,
  to: number,
  absmax: number,
  { midpoints, firstCodes }: NearestTable,
  codes: Uint8Array,
  at: number,
): void {
  if (absmax === 0) {
    codes.fill(findZeroCode(midpoints), at, at + to - from);
    return;
  }
  const inverse = 1 / absmax;
  for (let start = from; start < to; start += scratchSize) {
    const count = Math.min(scratchSize, to - start);
    for (let i = 0; i < count; i++) scaled[i] = weights[start + i] * inverse;
    for (let i = 0; i < count; i++) {
      const weight = weights[start + i];
      let code = firstCodes[scaledWords[i] >>> 16];
      while (weight > midpoints[code] * absmax) code++;
      codes[at + start - from + i] = code;
    }
  }
}

const scratchSize = 1024;
const scaled = new Float32Array(scratchSize);
const scaledWords = new Uint32Array(scaled.buffer);
