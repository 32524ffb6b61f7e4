// The look-up of sixteen codes in a codebook, per instruction set. Tables are `Matrix::codebook`, which is repeated, so
// that bits above the code's own are ignored where the instruction ignores them; elsewhere they are masked off.
#pragma once
#include "simd.h"

namespace kbit::KBIT_ISA {

#if defined(__AVX512F__)

// The whole codebook in registers: one permutation looks up 16 codes among 16 values, or 32 values in two registers.
template <int K>
struct Lookup {
  static constexpr int Tables = K <= 4 ? 1 : 1 << (K - 4);
  __m512 table[Tables];

  explicit KBIT_MEMBER Lookup(const float* codebook) {
    for (int i = 0; i < Tables; i++) table[i] = _mm512_loadu_ps(codebook + 16 * i);
  }

  KBIT_MEMBER F operator()(const U& code) const {
    const __m512i c = (__m512i)code.part[0];
    if constexpr (K <= 4) {
      return bits<F>(_mm512_permutexvar_ps(c, table[0]));
    } else {
      __m512 value[Tables / 2];
      for (int i = 0; i < Tables / 2; i++) value[i] = _mm512_permutex2var_ps(table[2 * i], c, table[2 * i + 1]);
      for (int bit = 5; bit < K; bit++) {
        const __mmask16 high = _mm512_test_epi32_mask(c, _mm512_set1_epi32(1 << bit));
        for (int i = 0; i < 1 << (K - 1 - bit); i++) value[i] = _mm512_mask_blend_ps(high, value[2 * i], value[2 * i + 1]);
      }
      return bits<F>(value[0]);
    }
  }
};

#elif defined(__AVX2__)

template <int K>
struct Lookup {
  const float* codebook;

  explicit KBIT_MEMBER Lookup(const float* codebook) : codebook(codebook) {}

  KBIT_MEMBER __m256 half(__m256i code) const {
    if constexpr (K <= 6) {  // tables of eight, between which the higher bits choose; beyond 6 bits gathering is faster
      constexpr int Tables = K <= 3 ? 1 : 1 << (K - 3);
      __m256 value[Tables];
      for (int i = 0; i < Tables; i++) value[i] = _mm256_permutevar8x32_ps(_mm256_loadu_ps(codebook + 8 * i), code);
      for (int bit = 3; bit < K; bit++) {
        const __m256 high = _mm256_castsi256_ps(_mm256_slli_epi32(code, 31 - bit));
        for (int i = 0; i < 1 << (K - 1 - bit); i++) value[i] = _mm256_blendv_ps(value[2 * i], value[2 * i + 1], high);
      }
      return value[0];
    } else {
      return _mm256_i32gather_ps(codebook, _mm256_and_si256(code, _mm256_set1_epi32((1 << K) - 1)), 4);
    }
  }

  KBIT_MEMBER F operator()(const U& code) const {
    F out;
    for (int i = 0; i < 2; i++) out.part[i] = (F::Register)half((__m256i)code.part[i]);
    return out;
  }
};

#else

template <int K>
struct Lookup {
  const float* codebook;

  explicit KBIT_MEMBER Lookup(const float* codebook) : codebook(codebook) {}

  KBIT_MEMBER F operator()(const U& code) const {
    uint32_t index[16];
    float value[16];
    std::memcpy(index, &code, 64);
    for (int i = 0; i < 16; i++) value[i] = codebook[index[i] & ((1u << K) - 1)];
    return load(value);
  }
};

#endif

}  // namespace kbit::KBIT_ISA
