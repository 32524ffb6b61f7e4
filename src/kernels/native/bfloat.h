// Products in bfloat16 on AVX-512 with its bfloat16 and byte-permuting instructions: weights are looked up in registers
// (bfloat-codes.h), and one instruction multiplies 32 of them with 32 activations and sums neighbours in float32.
//
// Activations are arranged once a product, as weights come out of the look-up. Block scales are applied to sums in
// float32. Generation is for matrices whose rows are whole groups and whose blocks are multiples of 64.
#pragma once
#include "bfloat-codes.h"

namespace kbit::KBIT_ISA {

KBIT_INLINE __m512 dot(__m512 sum, __m512i a, __m512i b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

// Sums of the lanes of four vectors, each in the same order.
KBIT_INLINE __m128 sums(const __m512* v) {
  const __m512 a = _mm512_unpacklo_ps(v[0], v[1]) + _mm512_unpackhi_ps(v[0], v[1]);
  const __m512 b = _mm512_unpacklo_ps(v[2], v[3]) + _mm512_unpackhi_ps(v[2], v[3]);
  const __m512 c = _mm512_shuffle_ps(a, b, 0x44) + _mm512_shuffle_ps(a, b, 0xee);
  const __m256 d = _mm512_castps512_ps256(c) + _mm512_extractf32x8_ps(c, 1);
  return _mm256_castps256_ps128(d) + _mm256_extractf128_ps(d, 1);
}

// Further than for wider weights (PrefetchBytes), as more of them are computed while a line comes.
constexpr int64_t WidePrefetchBytes = 6144;

// Up to this many columns eight tokens' activations stay in the first cache beside the rows that they meet.
constexpr int64_t WideTokensColumns = 1536;

// w . x[n] of a row for N tokens, before the sum of lanes; `scale` (columns / 64). Rows are read one by one: memory comes
// fastest in one stream. Each output is summed in the same order whatever N.
template <int K, int N>
KBIT_INLINE void dotWide(__m512* total, const Matrix& w, const Table<K>& table, const float* scale, const uint16_t* x,
                         int64_t row) {
  const int64_t columns = w.columns;
  const uint8_t* bytes = w.codes + row * columns / 512 * (64 * K);
  __m512 acc[N][2] = {};
  for (int64_t c = 0; c < columns; c += 512, bytes += 64 * K, scale += 8) {
    for (int k = 0; k < K; k++) __builtin_prefetch(bytes + 64 * k + WidePrefetchBytes);
    const Group<K, (N <= 2)> group(bytes);
    eachRun<K>([&](auto run) __attribute__((always_inline)) {
      constexpr int I = decltype(run)::value, V = Run<K>::Vectors;
      __m512i weight[V];
      table.decode(group.template run<I>(), weight);
      const __m512 factor = factorOf<K, I>(scale);
      for (int n = 0; n < N; n++) {
        const uint16_t* at = x + n * columns + c + Run<K>::Weights * I;
        __m512 part{};
        for (int v = 0; v < V; v++) part = dot(part, weight[v], _mm512_load_si512(at + 32 * v));
        acc[n][I % 2] = _mm512_fmadd_ps(part, factor, acc[n][I % 2]);
      }
    });
  }
  for (int n = 0; n < N; n++) total[n] = acc[n][0] + acc[n][1];
}

// Rows from .. to - 1 for N tokens.
template <int K, int N>
inline void generateRowsWide(float* out, const uint16_t* x, const Matrix& w, const Table<K>& table, int64_t from,
                             int64_t to) {
  constexpr int64_t R = N < 4 ? 4 / N : 1;  // rows whose lanes are summed together
  float* scale = scratch(1, w.columns / 64);
  for (int64_t row = from; row < to; row += R) {
    const int64_t count = to - row < R ? to - row : R;
    __m512 total[R * N] = {};
    for (int64_t r = 0; r < count; r++) {
      scalesOf(scale, w, (row + r) * w.columns, w.columns / 64);
      dotWide<K, N>(total + r * N, w, table, scale, x, row + r);
    }
    float sum[R * N];
    for (int i = 0; i < R * N; i += 4) _mm_storeu_ps(sum + i, sums(total + i));
    for (int64_t r = 0; r < count; r++)
      for (int n = 0; n < N; n++) out[n * w.rows + row + r] = sum[r * N + n];
  }
}

// x as `arrange` leaves it, at the start of a cache line.
inline void generateWide(float* out, const uint16_t* x, const Matrix& w, int64_t tokens, int64_t rowFrom, int64_t rowTo) {
  withBits(w.bits, [&]<int K>() {
    const Table<K> table(w.codebook);
    const int64_t step = rowsAtOnce(w);
    for (int64_t from = rowFrom; from < rowTo; from += step) {
      const int64_t to = from + step < rowTo ? from + step : rowTo;
      int64_t t = 0;
      auto run = [&]<int N>() {
        for (; t + N <= tokens; t += N)
          generateRowsWide<K, N>(out + t * w.rows, x + t * w.columns, w, table, from, to);
      };
      if (w.columns <= WideTokensColumns) run.template operator()<8>();
      run.template operator()<4>();
      run.template operator()<2>();
      run.template operator()<1>();
    }
  });
}

// Scoring: rows of a panel are decoded once for all tokens, scales included, and meet six tokens at a time ------------

constexpr int64_t WidePanelRows = 16, WidePanelColumns = 1024;

KBIT_INLINE __m512i scaled(__m512i pairs, __m512 factor) {
  const __m512 low = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  const __m512 high = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  return interleave(low * factor, high * factor);
}

template <int K>
inline void decodeGroup(uint16_t* out, const Matrix& w, const Table<K>& table, int64_t start) {
  const Group<K, true> group(w.codes + start / 512 * (64 * K));
  float scale[8];
  scalesOf(scale, w, start, 8);
  eachRun<K>([&](auto run) __attribute__((always_inline)) {
    constexpr int I = decltype(run)::value, V = Run<K>::Vectors;
    __m512i weight[V];
    table.decode(group.template run<I>(), weight);
    const __m512 factor = factorOf<K, I>(scale);
    for (int v = 0; v < V; v++)
      _mm512_storeu_si512(out + Run<K>::Weights * I + 32 * v, scaled(weight[v], factor));
  });
}

// Columns from .. to - 1 of rows row .. row + 15, zeros past the end: whole groups of codes in runs, all others, whose columns
// are multiples of 64, as float32 that is rounded.
inline void fillWide(uint16_t* panel, const Matrix& w, int64_t row, int64_t from, int64_t to) {
  for (int64_t r = 0; r < WidePanelRows; r++, panel += WidePanelColumns) {
    if (row + r >= w.rows) {
      std::memset(panel, 0, WidePanelColumns * 2);
      continue;
    }
    const int64_t start = (row + r) * w.columns;
    if (w.storage == Storage::Codes && isWhole(w)) {
      withBits(w.bits, [&]<int K>() {
        const Table<K> table(w.codebook);
        for (int64_t c = from; c < to; c += 512) decodeGroup<K>(panel + c - from, w, table, start + c);
      });
    } else {
      alignas(64) float line[WidePanelColumns];
      readRow(line, w, row + r, from, to);
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
