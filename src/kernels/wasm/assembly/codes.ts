// k-bit codes to codebook values: one group of 512 codes, or a stretch of the ragged tail.
//
// A group is k words of 16 lanes of 32 bits; position j of lane i is code 16 j + i. Four lanes make a vector.
// For k <= 5 (lookup.ts), the codes of four lanes at four positions are gathered as 16 bytes, [position][lane], and
// looked up in the byte planes of the codebook by swizzles; for k > 5 each code is looked up in the codebook itself.
//
// table: 256 float32 values, then 4 planes of 32 bytes (byte b of entry c at 1024 + 32 b + c).

import { decode2, decode3, decode4, decode5 } from "./lookup";

/** Stores the values of four lanes, scaled; their places in the table, in bytes, are `(word << left >> right) & mask`. */
// @ts-ignore: decorator
@inline
function put4(to: usize, scale: usize, table: usize, words: usize, left: u32, right: u32, mask: u32): void {
  const a = ((load<u32>(words) << left) >> right) & mask;
  const b = ((load<u32>(words, 4) << left) >> right) & mask;
  const c = ((load<u32>(words, 8) << left) >> right) & mask;
  const d = ((load<u32>(words, 12) << left) >> right) & mask;
  let v = v128.load32_zero(table + <usize>a);
  v = v128.load32_lane(table + <usize>b, v, 1);
  v = v128.load32_lane(table + <usize>c, v, 2);
  v = v128.load32_lane(table + <usize>d, v, 3);
  v128.store(to, f32x4.mul(v, v128.load_splat<f32>(scale)));
}

// 6 bits: 5 positions a word; positions 30 and 31 in the 6 x 2 bits left over, gathered in `spill`.
function decode6(codes: usize, to: usize, table: usize, scales: usize, spill: usize): void {
  for (let lanes = 0; lanes < 4; lanes++, codes += 16, to += 16) {
    let rest = i32x4.splat(0);
    for (let word: usize = 0; word < 6; word++) {
      const v = codes + 64 * word;
      const at = to + 320 * word, by = scales + 20 * word;
      put4(at, by, table, v, 2, 0, 252);
      put4(at + 64, by + 4, table, v, 0, 4, 252);
      put4(at + 128, by + 8, table, v, 0, 10, 252);
      put4(at + 192, by + 12, table, v, 0, 16, 252);
      put4(at + 256, by + 16, table, v, 0, 22, 252);
      rest = v128.or(rest, i32x4.shl(i32x4.shr_u(v128.load(v), 30), <i32>word * 2));
    }
    v128.store(spill, rest);
    put4(to + 1920, scales + 120, table, spill, 2, 0, 252);
    put4(to + 1984, scales + 124, table, spill, 0, 4, 252);
  }
}

// 7 bits: 4 positions a word; positions 28 to 31 in the 7 x 4 bits left over, gathered in `spill`.
function decode7(codes: usize, to: usize, table: usize, scales: usize, spill: usize): void {
  for (let lanes = 0; lanes < 4; lanes++, codes += 16, to += 16) {
    let rest = i32x4.splat(0);
    for (let word: usize = 0; word < 7; word++) {
      const v = codes + 64 * word;
      const at = to + 256 * word, by = scales + 16 * word;
      put4(at, by, table, v, 2, 0, 508);
      put4(at + 64, by + 4, table, v, 0, 5, 508);
      put4(at + 128, by + 8, table, v, 0, 12, 508);
      put4(at + 192, by + 12, table, v, 0, 19, 508);
      rest = v128.or(rest, i32x4.shl(i32x4.shr_u(v128.load(v), 28), <i32>word * 4));
    }
    v128.store(spill, rest);
    put4(to + 1792, scales + 112, table, spill, 2, 0, 508);
    put4(to + 1856, scales + 116, table, spill, 0, 5, 508);
    put4(to + 1920, scales + 120, table, spill, 0, 12, 508);
    put4(to + 1984, scales + 124, table, spill, 0, 19, 508);
  }
}

// 8 bits: 4 positions a word.
function decode8(codes: usize, to: usize, table: usize, scales: usize): void {
  for (let word: usize = 0; word < 8; word++, to += 192, scales += 16) {
    for (let lanes = 0; lanes < 4; lanes++, codes += 16, to += 16) {
      put4(to, scales, table, codes, 2, 0, 1020);
      put4(to + 64, scales + 4, table, codes, 0, 6, 1020);
      put4(to + 128, scales + 8, table, codes, 0, 14, 1020);
      put4(to + 192, scales + 12, table, codes, 0, 22, 1020);
    }
  }
}

/**
 * Writes the values of one group of 512 codes to `to`: codebook value times scale, `scales` having one float32 for each
 * 16 codes. `spill` is 16 bytes of scratch.
 */
export function decodeGroup(codes: usize, bits: i32, to: usize, table: usize, scales: usize, spill: usize): void {
  switch (bits) {
    case 2: decode2(codes, to, table, scales); break;
    case 3: decode3(codes, to, table, scales); break;
    case 4: decode4(codes, to, table, scales); break;
    case 5: decode5(codes, to, table, scales); break;
    case 6: decode6(codes, to, table, scales, spill); break;
    case 7: decode7(codes, to, table, scales, spill); break;
    default: decode8(codes, to, table, scales);
  }
}

/** Writes the values of codes `first` to `first + count - 1` of the ragged tail, a bit stream of k bits each. */
export function decodeTail(codes: usize, bits: i32, first: usize, count: usize, to: usize, table: usize): void {
  const mask: u32 = (1 << bits) - 1;
  for (let i: usize = 0; i < count; i++) {
    const bit = (first + i) * bits;
    // Two bytes hold any code; the host keeps some readable after the last.
    const pair = <u32>load<u16>(codes + (bit >> 3));
    store<f32>(to + 4 * i, load<f32>(table + (<usize>((pair >> (<u32>bit & 7)) & mask) << 2)));
  }
}
