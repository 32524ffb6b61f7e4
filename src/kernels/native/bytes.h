// Products in float32 by weights of 6 to 8 bits on AVX-512 with its byte-permuting instructions, while generating: each of the
// four bytes of a float32 is looked up for 64 codes at once, where looking up whole values would take a table of 256 of
// them apart. Values are the codebook's own, bit for bit. Here are matrices whose rows are whole groups and whose blocks
// are multiples of 64.
//
// Interleaving the four bytes leaves vector j of a run with lanes 4 q + j of positions 0 .. 3, q = 0 .. 3; `turn` puts
// activations in the same order.
#pragma once
#include "bfloat-codes.h"

namespace kbit::KBIT_ISA {

template <int K>
struct ByteTable {
  static constexpr int Count = K <= 6 ? 1 : K == 7 ? 2 : 4;
  __m512i plane[4][Count];

  explicit KBIT_MEMBER ByteTable(const float* codebook) {
    for (int byte = 0; byte < 4; byte++) {
      uint8_t bytes[64 * Count];
      for (int i = 0; i < 64 * Count; i++)
        bytes[i] = static_cast<uint8_t>(__builtin_bit_cast(uint32_t, codebook[i]) >> (8 * byte));
      for (int i = 0; i < Count; i++) plane[byte][i] = _mm512_loadu_si512(bytes + 64 * i);
    }
  }

  KBIT_MEMBER void decode(__m512i code, __m512* v) const {
    __m512i byte[4];
    for (int i = 0; i < 4; i++) byte[i] = Planes<K>::lookUp(plane[i], code);
    const __m512i low = _mm512_unpacklo_epi8(byte[0], byte[1]), lowUpper = _mm512_unpacklo_epi8(byte[2], byte[3]);
    const __m512i high = _mm512_unpackhi_epi8(byte[0], byte[1]), highUpper = _mm512_unpackhi_epi8(byte[2], byte[3]);
    v[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(low, lowUpper));
    v[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(low, lowUpper));
    v[2] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(high, highUpper));
    v[3] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(high, highUpper));
  }
};

// Activations beside the weights: whole multiples of 64.
inline void turn(float* out, const float* x, int64_t count) {
  for (int64_t i = 0; i < count; i += 64) {
    __m512 row[4];
    for (int p = 0; p < 4; p++) row[p] = _mm512_loadu_ps(x + i + 16 * p);
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(row[0], row[1]));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(row[0], row[1]));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(row[2], row[3]));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(row[2], row[3]));
    _mm512_storeu_pd(out + i, _mm512_unpacklo_pd(a, c));
    _mm512_storeu_pd(out + i + 16, _mm512_unpackhi_pd(a, c));
    _mm512_storeu_pd(out + i + 32, _mm512_unpacklo_pd(b, d));
    _mm512_storeu_pd(out + i + 48, _mm512_unpackhi_pd(b, d));
  }
}

// w . x[n] of a row for N tokens; `scale` (columns / 64). Each output is summed in the same order whatever N.
template <int K, int N>
KBIT_INLINE void dotBytes(float* out, int64_t outStride, const Matrix& w, const ByteTable<K>& table, const float* scale,
                          const float* x, int64_t row) {
  const int64_t columns = w.columns;
  const uint8_t* bytes = w.codes + row * columns / 512 * (64 * K);
  __m512 acc[N][2] = {};
  for (int64_t c = 0; c < columns; c += 512, bytes += 64 * K, scale += 8) {
    for (int k = 0; k < K; k++) __builtin_prefetch(bytes + 64 * k + PrefetchBytes);
    const Group<K, false> group(bytes);
    eachRun<K>([&](auto run) __attribute__((always_inline)) {
      constexpr int I = decltype(run)::value;
      __m512 weight[4];
      table.decode(group.template run<I>(), weight);
      for (int n = 0; n < N; n++) {
        const float* at = x + n * columns + c + 64 * I;
        __m512 part = weight[0] * _mm512_load_ps(at);
        for (int v = 1; v < 4; v++) part = _mm512_fmadd_ps(weight[v], _mm512_load_ps(at + 16 * v), part);
        acc[n][I % 2] = _mm512_fmadd_ps(part, _mm512_set1_ps(scale[I]), acc[n][I % 2]);
      }
    });
  }
  for (int n = 0; n < N; n++) out[n * outStride] = sum(bits<F>(acc[n][0] + acc[n][1]));
}

// x as `turn` leaves it, at the start of a cache line.
inline void generateBytes(float* out, const float* x, const Matrix& w, int64_t tokens, int64_t rowFrom, int64_t rowTo) {
  float* scale = scratch(1, w.columns / 64);
  auto withTable = [&]<int K>() {
    const ByteTable<K> table(w.codebook);
    const int64_t step = rowsAtOnce(w);
    for (int64_t from = rowFrom; from < rowTo; from += step) {
      const int64_t to = from + step < rowTo ? from + step : rowTo;
      int64_t t = 0;
      auto run = [&]<int N>() {
        for (; t + N <= tokens; t += N) {
          for (int64_t row = from; row < to; row++) {
            scalesOf(scale, w, row * w.columns, w.columns / 64);
            dotBytes<K, N>(out + t * w.rows + row, w.rows, w, table, scale, x + t * w.columns, row);
          }
        }
      };
      run.template operator()<4>();
      run.template operator()<2>();
      run.template operator()<1>();
    }
  };
  switch (w.bits) {
    case 6: return withTable.template operator()<6>();
    case 7: return withTable.template operator()<7>();
    default: return withTable.template operator()<8>();
  }
}

}  // namespace kbit::KBIT_ISA
