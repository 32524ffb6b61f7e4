// Products in bfloat16 on AVX-512 with its bfloat16 and byte-permuting instructions: 32 weights of 16 bits are looked up at
// once, and one instruction multiplies them with 32 activations and sums neighbours in float32.
//
// The two weights that it sums are those of positions 2n and 2n + 1 of a lane (codes.h), so activations are arranged once
// a product: 32-bit lane i of vector n of a group holds x[32 n + i] below and x[32 n + 16 + i] above. Block scales are
// applied to sums in float32. Here are matrices whose rows are whole groups and whose blocks are multiples of 64.
#pragma once
#include "product.h"

namespace kbit::KBIT_ISA {

KBIT_INLINE __m512i roundToBfloat(__m512 x) {  // in the upper half of each lane, to nearest even
  const __m512i b = _mm512_castps_si512(x), odd = _mm512_and_si512(_mm512_srli_epi32(b, 16), _mm512_set1_epi32(1));
  return _mm512_add_epi32(b, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
}

// Two vectors of float32 as one of bfloat16, those of the first in the lower halves.
KBIT_INLINE __m512i interleave(__m512 low, __m512 high) {
  return _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(roundToBfloat(low), 16), roundToBfloat(high));
}

KBIT_INLINE __m512 dot(__m512 sum, __m512i a, __m512i b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

// The codes of a group, 64 at a time.
template <int K>
struct Group {
  static constexpr int P = 32 / K, Left = 32 - K * P;
  __m512i word[K], rest;

  Group() = default;
  explicit KBIT_MEMBER Group(const uint8_t* bytes) {
    for (int w = 0; w < K; w++) word[w] = _mm512_loadu_si512(bytes + 64 * w);
    if constexpr (Left > 0) {
      rest = _mm512_srli_epi32(word[K - 1], 32 - Left);
      for (int w = K - 2; w >= 0; w--) rest = _mm512_shldi_epi32(rest, word[w], Left);
    }
  }

  // Fields of 8 bits from bits a, b, c, d of each lane.
  template <int A, int B, int C, int D>
  static KBIT_MEMBER __m512i fields(__m512i v) {
    constexpr uint64_t lane = A | B << 8 | C << 16 | static_cast<uint64_t>(D) << 24;
    return _mm512_multishift_epi64_epi8(_mm512_set1_epi64(static_cast<int64_t>(lane | (lane + 0x20202020u) << 32)), v);
  }

  // Codes of positions 2 n and 2 n + 1 in the lower and the upper half of each lane; bits above them are not cleared.
  template <int N>
  KBIT_MEMBER __m512i pair() const {
    constexpr int position = 2 * N, slot = position % P;
    if constexpr (position >= K * P) return fields<0, 0, K, K>(rest);
    else if constexpr (slot + 1 < P) return fields<K * slot, 0, K * (slot + 1), 0>(word[position / P]);
    else  // the second one is the lowest of the next word
      return fields<0, 0, 8, 8>(_mm512_shldi_epi32(word[position / P + 1], word[position / P], 8));
  }

  // Codes of positions 4 n .. 4 n + 3 in the bytes of each lane; for K = 7 and 8.
  template <int N>
  KBIT_MEMBER __m512i quad() const {
    if constexpr (K == 8) return word[N];
    else return fields<0, 7, 14, 21>(N < 7 ? word[N < 7 ? N : 0] : rest);
  }
};

// The codebook in bfloat16. Up to six bits by halves of 16 bits; beyond, low and high bytes apart.
template <int K>
struct Table {
  static constexpr int Count = K <= 5 ? 1 : K == 6 ? 2 : K == 7 ? 4 : 8;
  __m512i part[Count];

  explicit KBIT_MEMBER Table(const float* codebook) {
    uint16_t halves[256];
    uint8_t bytes[512];
    for (int i = 0; i < 256; i++) halves[i] = static_cast<uint16_t>(bfloatBits(codebook[i]));
    for (int i = 0; i < 256; i++) bytes[i] = static_cast<uint8_t>(halves[i]), bytes[256 + i] = halves[i] >> 8;
    for (int i = 0; i < Count; i++) {
      const void* from = K <= 6 ? static_cast<const void*>(halves + 32 * i)
                                : bytes + 64 * (i % (Count / 2)) + (i < Count / 2 ? 0 : 256);
      part[i] = _mm512_loadu_si512(from);
    }
  }

  KBIT_MEMBER __m512i byteOf(__m512i code, int first) const {
    const __m512i low = _mm512_permutex2var_epi8(part[first], code, part[first + 1]);
    if constexpr (K == 8) {
      const __m512i high = _mm512_permutex2var_epi8(part[first + 2], code, part[first + 3]);
      return _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high);
    } else {
      return low;
    }
  }

  // The 64 weights of block N of a group, 32 in each vector.
  template <int N>
  KBIT_MEMBER void decode(const Group<K>& group, __m512i& first, __m512i& second) const {
    if constexpr (K <= 5) {
      first = _mm512_permutexvar_epi16(group.template pair<2 * N>(), part[0]);
      second = _mm512_permutexvar_epi16(group.template pair<2 * N + 1>(), part[0]);
    } else if constexpr (K == 6) {
      first = _mm512_permutex2var_epi16(part[0], group.template pair<2 * N>(), part[1]);
      second = _mm512_permutex2var_epi16(part[0], group.template pair<2 * N + 1>(), part[1]);
    } else {
      const __m512i code = group.template quad<N>(), low = byteOf(code, 0), high = byteOf(code, Count / 2);
      first = _mm512_unpacklo_epi8(low, high);
      second = _mm512_unpackhi_epi8(low, high);
    }
  }
};

// Activations as the weights of a matrix of K bits meet them: (tokens, columns), two bytes each.
inline void arrange(uint16_t* out, const float* x, int64_t count, int bits) {
  for (int64_t i = 0; i < count; i += 64) {
    const __m512i first = interleave(_mm512_loadu_ps(x + i), _mm512_loadu_ps(x + i + 16));
    const __m512i second = interleave(_mm512_loadu_ps(x + i + 32), _mm512_loadu_ps(x + i + 48));
    _mm512_storeu_si512(out + i, bits <= 6 ? first : _mm512_unpacklo_epi32(first, second));
    _mm512_storeu_si512(out + i + 32, bits <= 6 ? second : _mm512_unpackhi_epi32(first, second));
  }
}

// Sums of the lanes of four vectors, each in the same order.
KBIT_INLINE __m128 sums(const __m512* v) {
  const __m512 a = _mm512_unpacklo_ps(v[0], v[1]) + _mm512_unpackhi_ps(v[0], v[1]);
  const __m512 b = _mm512_unpacklo_ps(v[2], v[3]) + _mm512_unpackhi_ps(v[2], v[3]);
  const __m512 c = _mm512_shuffle_ps(a, b, 0x44) + _mm512_shuffle_ps(a, b, 0xee);
  const __m256 d = _mm512_castps512_ps256(c) + _mm512_extractf32x8_ps(c, 1);
  return _mm256_castps256_ps128(d) + _mm256_extractf128_ps(d, 1);
}

// w . x[n] for N tokens and R rows from `row` on, which share what is loaded of x. Each output is summed in the same order
// whatever R and N.
template <int K, int R, int N>
KBIT_INLINE void dotWide(float* out, int64_t outStride, const Matrix& w, const Table<K>& table, const uint16_t* x,
                         int64_t row) {
  __m512 acc[R][N][2] = {};
  // Whole turns of R rows ahead, as the rest of this turn's rows is being read already; rows too long for that, within them.
  const int64_t turn = R * w.columns * K / 8;
  const int64_t ahead = turn > 8 * PrefetchBytes ? PrefetchBytes : (PrefetchBytes + turn - 1) / turn * turn;
  for (int64_t c = 0; c < w.columns; c += 512) {
    Group<K> group[R];
    float scale[R][8];
    for (int r = 0; r < R; r++) {
      const int64_t start = (row + r) * w.columns + c;
      const uint8_t* bytes = w.codes + start / 512 * (64 * K);
      for (int k = 0; k < K; k++)
        _mm_prefetch(reinterpret_cast<const char*>(bytes + 64 * k + ahead), _MM_HINT_T0);
      group[r] = Group<K>(bytes);
      scalesOf(scale[r], w, start);
    }
    eachBlock([&](auto block) __attribute__((always_inline)) {
      constexpr int B = decltype(block)::value;
      __m512i low[R], high[R];
      __m512 factor[R];
      for (int r = 0; r < R; r++) {
        table.template decode<B>(group[r], low[r], high[r]);
        factor[r] = _mm512_set1_ps(scale[r][B]);
      }
      for (int n = 0; n < N; n++) {
        const uint16_t* at = x + n * w.columns + c + 64 * B;
        const __m512i a = _mm512_load_si512(at), b = _mm512_load_si512(at + 32);
        for (int r = 0; r < R; r++)
          acc[r][n][B % 2] = _mm512_fmadd_ps(dot(dot(__m512{}, low[r], a), high[r], b), factor[r], acc[r][n][B % 2]);
      }
    });
  }
  __m512 total[(R * N + 3) / 4 * 4] = {};
  float sum[(R * N + 3) / 4 * 4];
  for (int r = 0; r < R; r++)
    for (int n = 0; n < N; n++) total[r * N + n] = acc[r][n][0] + acc[r][n][1];
  for (int i = 0; i < R * N; i += 4) _mm_storeu_ps(sum + i, sums(total + i));
  for (int r = 0; r < R; r++)
    for (int n = 0; n < N; n++) out[n * outStride + r] = sum[r * N + n];
}

// x as `arrange` leaves it, at the start of a cache line.
inline void generateWide(float* out, const uint16_t* x, const Matrix& w, int64_t tokens, int64_t rowFrom, int64_t rowTo) {
  withBits(w.bits, [&]<int K>() {
    const Table<K> table(w.codebook);
    const int64_t step = rowsAtOnce(w);
    for (int64_t from = rowFrom; from < rowTo; from += step) {
      const int64_t to = from + step < rowTo ? from + step : rowTo;
      int64_t t = 0;
      auto run = [&]<int R, int N>() {
        for (; t + N <= tokens; t += N) {
          float* target = out + t * w.rows;
          int64_t row = from;
          for (; row + R <= to; row += R) dotWide<K, R, N>(target + row, w.rows, w, table, x + t * w.columns, row);
          for (; row < to; row++) dotWide<K, 1, N>(target + row, w.rows, w, table, x + t * w.columns, row);
        }
      };
      run.template operator()<1, 8>();
      run.template operator()<1, 4>();
      run.template operator()<2, 2>();
      run.template operator()<4, 1>();
    }
  });
}

// Scoring: rows of a panel are decoded once for all tokens, scales included, and meet six tokens at a time ------------

constexpr int64_t WidePanelRows = 16, WidePanelColumns = 1024;

KBIT_INLINE __m512i scaled(__m512i pairs, float scale) {
  const __m512 factor = _mm512_set1_ps(scale);
  const __m512 low = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  const __m512 high = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  return interleave(low * factor, high * factor);
}

template <int K>
inline void decodeGroup(uint16_t* out, const Matrix& w, const Table<K>& table, int64_t start) {
  const Group<K> group(w.codes + start / 512 * (64 * K));
  float scale[8];
  scalesOf(scale, w, start);
  eachBlock([&](auto block) __attribute__((always_inline)) {
    constexpr int B = decltype(block)::value;
    __m512i first, second;
    table.template decode<B>(group, first, second);
    _mm512_storeu_si512(out + 64 * B, scaled(first, scale[B]));
    _mm512_storeu_si512(out + 64 * B + 32, scaled(second, scale[B]));
  });
}

// Columns from .. to - 1 (multiples of 512) of rows row .. row + 15, zeros past the end.
inline void fillWide(uint16_t* panel, const Matrix& w, int64_t row, int64_t from, int64_t to) {
  for (int64_t r = 0; r < WidePanelRows; r++, panel += WidePanelColumns) {
    if (row + r >= w.rows) {
      std::memset(panel, 0, WidePanelColumns * 2);
      continue;
    }
    const int64_t start = (row + r) * w.columns;
    if (w.storage == Storage::Codes) {
      withBits(w.bits, [&]<int K>() {
        const Table<K> table(w.codebook);
        for (int64_t c = from; c < to; c += 512) decodeGroup<K>(panel + c - from, w, table, start + c);
      });
    } else {
      alignas(64) float line[WidePanelColumns];
      widen(line, w, row + r, from, to);
      arrange(panel, line, to - from, 0);
    }
  }
}

// out (M, 4) (+)= x (M, columns) . four rows of a panel
template <int M>
KBIT_INLINE void multiplyWide(float* out, int64_t outStride, const uint16_t* x, int64_t xStride, const uint16_t* panel,
                              int64_t columns, bool first) {
  __m512 acc[M][4] = {};
  for (int64_t c = 0; c < columns; c += 32) {
    __m512i weight[4];
    for (int r = 0; r < 4; r++) weight[r] = _mm512_loadu_si512(panel + r * WidePanelColumns + c);
    for (int m = 0; m < M; m++) {
      const __m512i a = _mm512_loadu_si512(x + m * xStride + c);
      for (int r = 0; r < 4; r++) acc[m][r] = dot(acc[m][r], weight[r], a);
    }
  }
  for (int m = 0; m < M; m++) {
    float* target = out + m * outStride;
    const __m128 total = sums(acc[m]);
    _mm_storeu_ps(target, first ? total : _mm_loadu_ps(target) + total);
  }
}

// x as `arrange` leaves it.
inline void scoreWide(float* out, const uint16_t* x, const Matrix& w, int64_t tokens, int64_t rowFrom, int64_t rowTo) {
  uint16_t* panel = reinterpret_cast<uint16_t*>(scratch(3, WidePanelRows * WidePanelColumns / 2));
  float* tile = scratch(2, tokens * WidePanelRows);
  for (int64_t row = rowFrom; row < rowTo; row += WidePanelRows) {
    const int64_t count = row + WidePanelRows < rowTo ? WidePanelRows : rowTo - row;
    for (int64_t from = 0; from < w.columns; from += WidePanelColumns) {
      const int64_t to = from + WidePanelColumns < w.columns ? from + WidePanelColumns : w.columns;
      fillWide(panel, w, row, from, to);
      int64_t t = 0;
      auto run = [&]<int M>() {
        for (; t + M <= tokens; t += M)
          for (int64_t r = 0; r < WidePanelRows; r += 4)
            multiplyWide<M>(tile + t * WidePanelRows + r, WidePanelRows, x + t * w.columns + from, w.columns,
                            panel + r * WidePanelColumns, to - from, from == 0);
      };
      run.template operator()<6>();
      run.template operator()<1>();
    }
    for (int64_t t = 0; t < tokens; t++) std::memcpy(out + t * w.rows + row, tile + t * WidePanelRows, count * 4);
  }
}

}  // namespace kbit::KBIT_ISA
