// From packed codes to weights, sixteen at a time and in registers.
//
// A group of 512 codes is K vectors of sixteen 32-bit words. Lane i, position j holds code 16 j + i: position j < K * P
// (P = 32 / K) lies in word j / P at bit K * (j % P); the last positions lie in the bits left over at the top of the words.
#pragma once
#include <utility>
#include "lookup.h"

namespace kbit::KBIT_ISA {


template <int K>
KBIT_INLINE U codesAt(const uint8_t* group, int position) {
  constexpr int P = 32 / K, Left = 32 - K * P;
  if (Left == 0 || position < K * P) return loadWords(group + 64 * (position / P)) >> (K * (position % P));
  U rest = loadWords(group) >> (32 - Left);
  for (int w = 1; w < K; w++) rest = rest | (loadWords(group + 64 * w) >> (32 - Left)) << (w * Left);
  return rest >> (K * (position - K * P));
}

// Calls use(index of the first weight, unit) for each unit of V vectors (16 V weights) in from .. to - 1, both multiples
// of 16 V. `unit` is its number in its group; a constant where the loop is unrolled, so that shifts are too.
template <int V, typename Use>
KBIT_INLINE void eachUnit(int64_t from, int64_t to, Use use) {
  constexpr int Units = 32 / V;
  for (int64_t start = from / 512 * 512; start < to; start += 512) {
    const int first = start < from ? static_cast<int>(from - start) / (16 * V) : 0;
    const int end = to - start < 512 ? static_cast<int>(to - start) / (16 * V) : Units;
#if defined(__AVX2__)
    if constexpr (V == 4) {
      [&]<int... Unit>(std::integer_sequence<int, Unit...>) __attribute__((always_inline)) {
        ((Unit >= first && Unit < end ? use(start + 16 * V * Unit, std::integral_constant<int, Unit>()) : void()), ...);
      }(std::make_integer_sequence<int, Units>());
      continue;
    }
#endif
    for (int unit = first; unit < end; unit++) use(start + 16 * V * unit, unit);
  }
}

// Weights before the ragged tail.
inline int64_t wholeGroups(const Matrix& w) { return w.rows * w.columns / 512 * 512; }

// Calls use(index of the first weight, codes) for each unit, where codes(v) are the sixteen codes of its vector v,
// wherever they lie.
template <int K, int V, typename Use>
KBIT_INLINE void eachCodes(const Matrix& w, int64_t from, int64_t to, Use use) {
  const int64_t whole = wholeGroups(w);
  eachUnit<V>(from, to < whole ? to : whole, [&](int64_t i, auto unit) __attribute__((always_inline)) {
    const uint8_t* group = w.codes + i / 512 * (64 * K);
    use(i, [=](int v) __attribute__((always_inline)) { return codesAt<K>(group, unit * V + v); });
  });
  for (int64_t i = from > whole ? from : whole; i < to; i += 16 * V)
    use(i, [&](int v) __attribute__((always_inline)) { return widenLanes(w.tailCodes + (i + 16 * v - whole)); });
}

// One code, wherever it lies.
inline uint32_t codeOf(const Matrix& w, int64_t i) {
  const int64_t whole = w.rows * w.columns / 512 * 512;
  if (i >= whole) return w.tailCodes[i - whole];
  const int k = w.bits, perWord = 32 / k, left = 32 - k * perWord;
  const uint8_t* group = w.codes + i / 512 * (64 * k);
  const int lane = static_cast<int>(i % 16), position = static_cast<int>(i % 512) / 16;
  auto word = [&](int n) {
    uint32_t value;
    std::memcpy(&value, group + (n * 16 + lane) * 4, 4);
    return value;
  };
  uint32_t mask = (1u << k) - 1;
  if (position < k * perWord) return word(position / perWord) >> (k * (position % perWord)) & mask;
  uint32_t rest = 0;
  for (int n = 0; n < k; n++) rest |= word(n) >> (32 - left) << (n * left);
  return rest >> (k * (position - k * perWord)) & mask;
}

inline float centerOf(const Matrix& w, int64_t block) {
  return w.centers ? w.centers[w.centerCount == 1 ? 0 : block] : 0.0f;
}

// Whether rows and blocks begin at multiples of `step` weights, so that whole vectors can be decoded.
inline bool isAligned(const Matrix& w, int64_t step) {
  return w.columns % step == 0 && (w.blockSize % step == 0 || w.blockSize >= w.rows * w.columns);
}

// Calls use(block) for the eight runs of 64 weights of a group, as constants.
template <typename Use>
KBIT_INLINE void eachBlock(Use use) {
  [&]<int... N>(std::integer_sequence<int, N...>) __attribute__((always_inline)) {
    (use(std::integral_constant<int, N>()), ...);
  }(std::make_integer_sequence<int, 8>());
}

inline int64_t blockOf(const Matrix& w, int64_t i) { return w.blockShift >= 0 ? i >> w.blockShift : i / w.blockSize; }

KBIT_INLINE float absmaxOf(const Matrix& w, int64_t block) {
  return w.absmaxHalves ? f16Scale(w.absmaxHalves[block]) : w.absmax[block];
}

// Scales ahead that are fetched, so that they are there before the codes on their way (PrefetchBytes).
constexpr int64_t ScalePrefetch = 256;

// Scales of `count` runs of 64 weights, a multiple of eight, from weight i on, which begins a group; blocks are multiples of 64.
inline void scalesOf(float* scale, const Matrix& w, int64_t i, int64_t count) {
#if defined(__AVX2__)
  if (w.absmaxHalves && w.blockSize == 64) {
    const uint16_t* halves = w.absmaxHalves + i / 64;
    for (int64_t n = 0; n < count; n += 8) {
      __builtin_prefetch(halves + n + ScalePrefetch);
      _mm256_storeu_ps(scale + n, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + n))));
    }
    return;
  }
#endif
  for (int64_t n = 0; n < count; n++) scale[n] = absmaxOf(w, blockOf(w, i + 64 * n));
}

// Columns from .. to - 1 of a row as float32, outlier columns included.
template <int K>
inline void decodeRow(float* out, const Matrix& w, int64_t row, int64_t from, int64_t to) {
  const int64_t start = row * w.columns;
  if (isAligned(w, 16) && from % 16 == 0 && to % 16 == 0) {
    const Lookup<K> lookup(w.codebook);
    eachCodes<K, 1>(w, start + from, start + to, [&](int64_t i, auto codes) __attribute__((always_inline)) {
      const int64_t block = blockOf(w, i);
      store(out + (i - start - from), lookup(codes(0)) * absmaxOf(w, block) + centerOf(w, block));
    });
  } else {
    for (int64_t i = start + from; i < start + to; i++) {
      const int64_t block = blockOf(w, i);
      out[i - start - from] = w.codebook[codeOf(w, i)] * absmaxOf(w, block) + centerOf(w, block);
    }
  }
  for (int32_t j = 0; j < w.outlierCount; j++) {
    const int64_t column = w.outlierColumns[j];
    if (column >= from && column < to) out[column - from] = f16ToFloat(w.outlierValues[row * w.outlierCount + j]);
  }
}

// Calls fn.template operator()<K>() for the matrix's k.
template <typename Fn>
KBIT_INLINE void withBits(int32_t bits, Fn fn) {
  switch (bits) {
    case 2: return fn.template operator()<2>();
    case 3: return fn.template operator()<3>();
    case 4: return fn.template operator()<4>();
    case 5: return fn.template operator()<5>();
    case 6: return fn.template operator()<6>();
    case 7: return fn.template operator()<7>();
    default: return fn.template operator()<8>();
  }
}

inline void widen(float* out, const Matrix& w, int64_t row, int64_t from, int64_t to) {
  const int64_t start = row * w.columns + from, count = to - from;
  if (w.storage == Storage::F32) {
    std::memcpy(out, static_cast<const float*>(w.values) + start, count * 4);
    return;
  }
  const uint16_t* half = static_cast<const uint16_t*>(w.values) + start;
  const bool f16 = w.storage == Storage::F16;
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) store(out + i, f16 ? loadF16(half + i) : loadBF16(half + i));
  for (; i < count; i++) {
    uint32_t bits = static_cast<uint32_t>(half[i]) << 16;
    if (f16) out[i] = f16ToFloat(half[i]);
    else std::memcpy(out + i, &bits, 4);
  }
}

// Columns from .. to - 1 of a row of any matrix as float32.
inline void readRow(float* out, const Matrix& w, int64_t row, int64_t from, int64_t to) {
  if (w.storage != Storage::Codes) return widen(out, w, row, from, to);
  withBits(w.bits, [&]<int K>() { decodeRow<K>(out, w, row, from, to); });
}

}  // namespace kbit::KBIT_ISA
