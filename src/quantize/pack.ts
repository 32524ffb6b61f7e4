// Codes to bytes and back: exactly k bits a code, laid out so that kernels decode 16 consecutive weights at once.
// The definition of the layout; kernels/ read it in place.
//
// The flattened matrix is cut into groups of 512 codes. A group is 16 lanes of k little-endian 32-bit words; word w of
// lane i is the 32-bit word w * 16 + i of the group, and code 16 * j + i of the group stands at position j of lane i:
//
//   k = 4, lane i              bit 31                                   bit 0
//     word 0 (index i)        | c(112+i) | ... | c(32+i) | c(16+i) | c(i) |     positions 7 .. 0
//     word 1 (index 16 + i)   | c(240+i) | ...           | c(128+i)       |     positions 15 .. 8
//
// A word holds floor(32 / k) whole codes, lowest first. For k = 3, 5, 6, 7 the bits left over at its top are joined over
// the lane's k words, those of word 0 lowest, and hold the last positions:
//
//   k = 3, lane i              bits 31, 30    bits 29 .. 0
//     word 0                  | low bits 1,0 | positions  9 ..  0 |
//     word 1                  | bits 3,2     | positions 19 .. 10 |     bits 5 .. 0 = position 31, position 30
//     word 2                  | bits 5,4     | positions 29 .. 20 |
//
// The last codes of a matrix, fewer than 512, are a plain bit stream: code n at bits n * k .. n * k + k - 1, lowest first,
// padded with zero bits to a whole byte.

/** Codes in a full group; ranges of a matrix are cut at multiples of it. */
export const groupSize = 512;
const lanes = 16;

/** Bytes that `count` codes of `bits` bits take: `64 * bits * floor(count / 512) + ceil((count % 512) * bits / 8)`. */
export function packedBytes(count: number, bits: number): number {
  return 64 * bits * Math.floor(count / groupSize) + Math.ceil(((count % groupSize) * bits) / 8);
}

/**
 * Packs codes below `2^bits`, 2 to 8 bits each.
 *
 * @returns `(packedBytes(codes.length, bits))`
 */
export function packCodes(codes: Uint8Array, bits: number): Uint8Array {
  const packed = new Uint8Array(packedBytes(codes.length, bits));
  const words = new Uint32Array(packed.buffer, 0, Math.floor(codes.length / groupSize) * lanes * bits);
  let word = 0;
  for (; word < words.length; word += lanes * bits) {
    packGroup(codes, (word / (lanes * bits)) * groupSize, bits, words, word);
  }
  packTail(codes.subarray(codes.length - (codes.length % groupSize)), bits, packed.subarray(word * 4));
  return packed;
}

/**
 * The codes behind packed bytes.
 *
 * @param count - how many; `packed` must hold `packedBytes(count, bits)` bytes
 * @returns `(count)`
 */
export function unpackCodes(packed: Uint8Array, bits: number, count: number): Uint8Array {
  if (packed.length < packedBytes(count, bits)) {
    throw new Error(`${count} codes of ${bits} bits need ${packedBytes(count, bits)} bytes, not ${packed.length}`);
  }
  const { buffer, byteOffset } = packed.byteOffset % 4 === 0 ? packed : packed.slice();
  const words = new Uint32Array(buffer, byteOffset, Math.floor(count / groupSize) * lanes * bits);
  const codes = new Uint8Array(count);
  let word = 0;
  for (; word < words.length; word += lanes * bits) {
    unpackGroup(words, word, bits, codes, (word / (lanes * bits)) * groupSize);
  }
  unpackTail(packed.subarray(word * 4), bits, codes.subarray(count - (count % groupSize)));
  return codes;
}

/**
 * Whether a code of all ones, `2^bits - 1`, is among packed codes: several at a time, without unpacking. A data type of one
 * value fewer than codes has no such code.
 */
export function hasHighestCode(packed: Uint8Array, bits: number, count: number): boolean {
  const perWord = Math.floor(32 / bits);
  const wholeBits = perWord * bits;
  let starts = 0; // the lowest bit of each code in a word
  for (let shift = 0; shift < wholeBits; shift += bits) starts |= 1 << shift;
  const isHighest = (word: number) => {
    let ones = word & starts;
    for (let bit = 1; bit < bits; bit++) ones &= word >>> bit;
    return ones !== 0;
  };
  const { buffer, byteOffset } = packed.byteOffset % 4 === 0 ? packed : packed.slice();
  const words = new Uint32Array(buffer, byteOffset, Math.floor(count / groupSize) * lanes * bits);
  for (let i = 0; i < words.length; i++) if (isHighest(words[i])) return true;
  // What is left over of a lane's words is at most 28 bits, so that it is a word of its own.
  const restBits = 32 - wholeBits;
  for (let group = 0; restBits > 0 && group < words.length; group += lanes * bits) {
    for (let lane = 0; lane < lanes; lane++) {
      let rest = 0;
      for (let w = 0; w < bits; w++) rest |= (words[group + w * lanes + lane] >>> wholeBits) << (w * restBits);
      if (isHighest(rest)) return true;
    }
  }
  const tail = new Uint8Array(count % groupSize);
  unpackTail(packed.subarray(words.length * 4), bits, tail);
  return tail.includes(2 ** bits - 1);
}

function packGroup(codes: Uint8Array, start: number, bits: number, words: Uint32Array, at: number): void {
  const perWord = Math.floor(32 / bits);
  const wholeBits = perWord * bits;
  const restBits = 32 - wholeBits; // of each word: 0, 2 or 4
  const restMask = (1 << restBits) - 1;
  for (let lane = 0; lane < lanes; lane++) {
    let code = start + lane;
    for (let w = 0; w < bits; w++) {
      let word = 0;
      for (let shift = 0; shift < wholeBits; shift += bits, code += lanes) word |= codes[code] << shift;
      words[at + w * lanes + lane] = word;
    }
    if (restBits === 0) continue;
    let rest = 0;
    for (let shift = 0; shift < restBits * bits; shift += bits, code += lanes) rest |= codes[code] << shift;
    for (let w = 0; w < bits; w++) {
      words[at + w * lanes + lane] |= ((rest >>> (w * restBits)) & restMask) << wholeBits;
    }
  }
}

function unpackGroup(words: Uint32Array, at: number, bits: number, codes: Uint8Array, start: number): void {
  const wholeBits = Math.floor(32 / bits) * bits;
  const restBits = 32 - wholeBits;
  const mask = (1 << bits) - 1;
  for (let lane = 0; lane < lanes; lane++) {
    let code = start + lane;
    let rest = 0;
    for (let w = 0; w < bits; w++) {
      const word = words[at + w * lanes + lane];
      for (let shift = 0; shift < wholeBits; shift += bits, code += lanes) codes[code] = (word >>> shift) & mask;
      if (restBits > 0) rest |= (word >>> wholeBits) << (w * restBits);
    }
    for (let shift = 0; shift < restBits * bits; shift += bits, code += lanes) codes[code] = (rest >>> shift) & mask;
  }
}

function packTail(codes: Uint8Array, bits: number, bytes: Uint8Array): void {
  for (let n = 0; n < codes.length; n++) {
    const shifted = codes[n] << ((n * bits) & 7);
    bytes[(n * bits) >> 3] |= shifted;
    if (shifted > 255) bytes[((n * bits) >> 3) + 1] |= shifted >> 8;
  }
}

function unpackTail(bytes: Uint8Array, bits: number, codes: Uint8Array): void {
  const mask = (1 << bits) - 1;
  for (let n = 0; n < codes.length; n++) {
    const byte = (n * bits) >> 3;
    const pair = bytes[byte] | ((bytes[byte + 1] ?? 0) << 8);
    codes[n] = (pair >> ((n * bits) & 7)) & mask;
  }
}
