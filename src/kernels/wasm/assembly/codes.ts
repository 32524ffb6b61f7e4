// k-bit codes to codebook values: one group of 512 codes, or a stretch of the ragged tail.
//
// A group is k words of 16 lanes of 32 bits; position j of lane i is code 16 j + i. Four lanes make a vector.
// For k <= 5, the codes of four lanes at four positions are gathered as 16 bytes, [position][lane], and looked up in
// the four byte planes of the codebook, 16 entries a swizzle; for k > 5 each code is looked up in the codebook itself.
//
// table: 256 float32 values, then 4 planes of 32 bytes (byte b of entry c at 1024 + 32 b + c).

const PLANES: usize = 1024;

/** The k-bit code at bit `shift` of each word. */
// @ts-ignore: decorator
@inline
function pick(word: v128, shift: i32, mask: i32): v128 {
  return v128.and(i32x4.shr_u(word, shift), i32x4.splat(mask));
}

/** Codes of four positions, one a word, as bytes [position][lane]. */
// @ts-ignore: decorator
@inline
function join(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(a, b), i16x8.narrow_i32x4_u(c, d));
}

/** Bytes of words to [byte][lane]. */
// @ts-ignore: decorator
@inline
function turn(word: v128): v128 {
  return v128.shuffle<u8>(word, word, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/** Entry `index` of one byte plane of at most 16 (wide: 32) entries. */
// @ts-ignore: decorator
@inline
function lookUp(table: usize, plane: usize, index: v128, wide: bool): v128 {
  const low = i8x16.swizzle(v128.load(table + PLANES + plane * 32), index);
  if (!wide) return low;
  // A swizzle gives 0 for an index past 15, so one of the two is 0.
  const high = i8x16.swizzle(v128.load(table + PLANES + plane * 32 + 16), i8x16.sub(index, i8x16.splat(16)));
  return v128.or(low, high);
}

/** Stores the values of 16 codes [position][lane], positions `stride` bytes apart. */
// @ts-ignore: decorator
@inline
function emit(to: usize, stride: usize, table: usize, index: v128, wide: bool): void {
  const a = lookUp(table, 0, index, wide);
  const b = lookUp(table, 1, index, wide);
  const c = lookUp(table, 2, index, wide);
  const d = lookUp(table, 3, index, wide);
  const abLow = v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const abHigh = v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const cdLow = v128.shuffle<u8>(c, d, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const cdHigh = v128.shuffle<u8>(c, d, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  v128.store(to, v128.shuffle<u16>(abLow, cdLow, 0, 8, 1, 9, 2, 10, 3, 11));
  v128.store(to + stride, v128.shuffle<u16>(abLow, cdLow, 4, 12, 5, 13, 6, 14, 7, 15));
  v128.store(to + 2 * stride, v128.shuffle<u16>(abHigh, cdHigh, 0, 8, 1, 9, 2, 10, 3, 11));
  v128.store(to + 3 * stride, v128.shuffle<u16>(abHigh, cdHigh, 4, 12, 5, 13, 6, 14, 7, 15));
}

// 2 bits: 16 positions a word, four in each byte.
function decode2(codes: usize, to: usize, table: usize): void {
  for (let word: usize = 0; word < 2; word++, codes += 64, to += 1024) {
    for (let lanes: usize = 0; lanes < 64; lanes += 16) {
      const v = turn(v128.load(codes + lanes));
      const m = i8x16.splat(3);
      emit(to + lanes, 256, table, v128.and(v, m), false);
      emit(to + lanes + 64, 256, table, v128.and(i16x8.shr_u(v, 2), m), false);
      emit(to + lanes + 128, 256, table, v128.and(i16x8.shr_u(v, 4), m), false);
      emit(to + lanes + 192, 256, table, v128.and(i16x8.shr_u(v, 6), m), false);
    }
  }
}

// 3 bits: 10 positions a word; positions 30 and 31 in the 3 x 2 bits left over.
function decode3(codes: usize, to: usize, table: usize): void {
  for (let lanes: usize = 0; lanes < 64; lanes += 16, codes += 16, to += 16) {
    const a = v128.load(codes);
    const b = v128.load(codes, 64);
    const c = v128.load(codes, 128);
    const spill = v128.or(
      v128.or(i32x4.shr_u(a, 30), i32x4.shl(i32x4.shr_u(b, 30), 2)),
      i32x4.shl(i32x4.shr_u(c, 30), 4),
    );
    emit(to, 64, table, join(pick(a, 0, 7), pick(a, 3, 7), pick(a, 6, 7), pick(a, 9, 7)), false);
    emit(to + 256, 64, table, join(pick(a, 12, 7), pick(a, 15, 7), pick(a, 18, 7), pick(a, 21, 7)), false);
    emit(to + 512, 64, table, join(pick(a, 24, 7), pick(a, 27, 7), pick(b, 0, 7), pick(b, 3, 7)), false);
    emit(to + 768, 64, table, join(pick(b, 6, 7), pick(b, 9, 7), pick(b, 12, 7), pick(b, 15, 7)), false);
    emit(to + 1024, 64, table, join(pick(b, 18, 7), pick(b, 21, 7), pick(b, 24, 7), pick(b, 27, 7)), false);
    emit(to + 1280, 64, table, join(pick(c, 0, 7), pick(c, 3, 7), pick(c, 6, 7), pick(c, 9, 7)), false);
    emit(to + 1536, 64, table, join(pick(c, 12, 7), pick(c, 15, 7), pick(c, 18, 7), pick(c, 21, 7)), false);
    emit(to + 1792, 64, table, join(pick(c, 24, 7), pick(c, 27, 7), pick(spill, 0, 7), pick(spill, 3, 7)), false);
  }
}

// 4 bits: 8 positions a word, two in each byte.
function decode4(codes: usize, to: usize, table: usize): void {
  for (let word: usize = 0; word < 4; word++, codes += 64, to += 512) {
    for (let lanes: usize = 0; lanes < 64; lanes += 16) {
      const v = turn(v128.load(codes + lanes));
      const m = i8x16.splat(15);
      emit(to + lanes, 128, table, v128.and(v, m), false);
      emit(to + lanes + 64, 128, table, v128.and(i16x8.shr_u(v, 4), m), false);
    }
  }
}

// 5 bits: 6 positions a word; positions 30 and 31 in the 5 x 2 bits left over.
function decode5(codes: usize, to: usize, table: usize): void {
  for (let lanes: usize = 0; lanes < 64; lanes += 16, codes += 16, to += 16) {
    const a = v128.load(codes);
    const b = v128.load(codes, 64);
    const c = v128.load(codes, 128);
    const d = v128.load(codes, 192);
    const e = v128.load(codes, 256);
    let spill = v128.or(i32x4.shr_u(a, 30), i32x4.shl(i32x4.shr_u(b, 30), 2));
    spill = v128.or(spill, i32x4.shl(i32x4.shr_u(c, 30), 4));
    spill = v128.or(spill, i32x4.shl(i32x4.shr_u(d, 30), 6));
    spill = v128.or(spill, i32x4.shl(i32x4.shr_u(e, 30), 8));
    emit(to, 64, table, join(pick(a, 0, 31), pick(a, 5, 31), pick(a, 10, 31), pick(a, 15, 31)), true);
    emit(to + 256, 64, table, join(pick(a, 20, 31), pick(a, 25, 31), pick(b, 0, 31), pick(b, 5, 31)), true);
    emit(to + 512, 64, table, join(pick(b, 10, 31), pick(b, 15, 31), pick(b, 20, 31), pick(b, 25, 31)), true);
    emit(to + 768, 64, table, join(pick(c, 0, 31), pick(c, 5, 31), pick(c, 10, 31), pick(c, 15, 31)), true);
    emit(to + 1024, 64, table, join(pick(c, 20, 31), pick(c, 25, 31), pick(d, 0, 31), pick(d, 5, 31)), true);
    emit(to + 1280, 64, table, join(pick(d, 10, 31), pick(d, 15, 31), pick(d, 20, 31), pick(d, 25, 31)), true);
    emit(to + 1536, 64, table, join(pick(e, 0, 31), pick(e, 5, 31), pick(e, 10, 31), pick(e, 15, 31)), true);
    emit(to + 1792, 64, table, join(pick(e, 20, 31), pick(e, 25, 31), pick(spill, 0, 31), pick(spill, 5, 31)), true);
  }
}

/** Looks one code up in the codebook and stores it at position `place`. */
// @ts-ignore: decorator
@inline
function put(to: usize, place: usize, table: usize, code: u32): void {
  store<f32>(to + 64 * place, load<f32>(table + (<usize>code << 2)));
}

// 6 bits: 5 positions a word; positions 30 and 31 in the 6 x 2 bits left over.
function decode6(codes: usize, to: usize, table: usize): void {
  for (let lane = 0; lane < 16; lane++, codes += 4, to += 4) {
    let spill: u32 = 0;
    for (let word: usize = 0; word < 6; word++) {
      const v = load<u32>(codes + 64 * word);
      const at = to + 320 * word;
      put(at, 0, table, v & 63);
      put(at, 1, table, (v >> 6) & 63);
      put(at, 2, table, (v >> 12) & 63);
      put(at, 3, table, (v >> 18) & 63);
      put(at, 4, table, (v >> 24) & 63);
      spill |= (v >> 30) << (<u32>word * 2);
    }
    put(to, 30, table, spill & 63);
    put(to, 31, table, spill >> 6);
  }
}

// 7 bits: 4 positions a word; positions 28 to 31 in the 7 x 4 bits left over.
function decode7(codes: usize, to: usize, table: usize): void {
  for (let lane = 0; lane < 16; lane++, codes += 4, to += 4) {
    let spill: u32 = 0;
    for (let word: usize = 0; word < 7; word++) {
      const v = load<u32>(codes + 64 * word);
      const at = to + 256 * word;
      put(at, 0, table, v & 127);
      put(at, 1, table, (v >> 7) & 127);
      put(at, 2, table, (v >> 14) & 127);
      put(at, 3, table, (v >> 21) & 127);
      spill |= (v >> 28) << (<u32>word * 4);
    }
    put(to, 28, table, spill & 127);
    put(to, 29, table, (spill >> 7) & 127);
    put(to, 30, table, (spill >> 14) & 127);
    put(to, 31, table, spill >> 21);
  }
}

// 8 bits: 4 positions a word.
function decode8(codes: usize, to: usize, table: usize): void {
  for (let word: usize = 0; word < 8; word++, to += 192) {
    for (let lane = 0; lane < 16; lane++, codes += 4, to += 4) {
      const v = load<u32>(codes);
      put(to, 0, table, v & 255);
      put(to, 1, table, (v >> 8) & 255);
      put(to, 2, table, (v >> 16) & 255);
      put(to, 3, table, v >> 24);
    }
  }
}

/** Writes the codebook values of one group of 512 codes to `to`. */
export function decodeGroup(codes: usize, bits: i32, to: usize, table: usize): void {
  switch (bits) {
    case 2: decode2(codes, to, table); break;
    case 3: decode3(codes, to, table); break;
    case 4: decode4(codes, to, table); break;
    case 5: decode5(codes, to, table); break;
    case 6: decode6(codes, to, table); break;
    case 7: decode7(codes, to, table); break;
    default: decode8(codes, to, table);
  }
}

/** Writes the values of codes `first` to `first + count - 1` of the ragged tail, a bit stream of k bits each. */
export function decodeTail(codes: usize, bits: i32, first: usize, count: usize, to: usize, table: usize): void {
  const mask: u32 = (1 << bits) - 1;
  for (let i: usize = 0; i < count; i++) {
    const bit = (first + i) * bits;
    // Two bytes hold any code; the host keeps one byte readable after the last.
    const pair = load<u16>(codes + (bit >> 3));
    store<f32>(to + 4 * i, load<f32>(table + (<usize>(((<u32>pair) >> (<u32>bit & 7)) & mask) << 2)));
  }
}
