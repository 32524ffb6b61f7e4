// What the machine can do at most: reading memory, and multiply-adds in registers. The kernels are measured against these.
#pragma once
#include "simd.h"

namespace kbit::KBIT_ISA {

// Reads bytes (a multiple of 256) once and returns their sum, so that no read can be left out.
inline float readBytes(const uint8_t* bytes, int64_t count) {
  U acc[4] = {};
  for (int64_t i = 0; i + 256 <= count; i += 256)
    for (int n = 0; n < 4; n++) acc[n] += loadWords(bytes + i + 64 * n);
  return sum(bits<F>(acc[0] + acc[1] + acc[2] + acc[3]));
}

constexpr int ProbeChains = 12 / F::Count;

// rounds * ProbeChains * 16 multiply-adds in float32 (bfloat16: twice as many); returns how many operations that were.
inline double multiplyAdd(int64_t rounds, bool bfloat16) {
  F acc[ProbeChains];
  for (int i = 0; i < ProbeChains; i++) acc[i] = spread(static_cast<float>(i));  // unlike, so that none is left out
  float a = 1.0f, b = 1e-9f;
  __asm__ volatile("" : "+m"(a), "+m"(b));
  const F x = spread(a), y = spread(b);
#if defined(__AVX512BF16__)
  if (bfloat16) {
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
      for (auto& chain : acc)
        chain.part[0] = (F::Register)_mm512_dpbf16_ps((__m512)chain.part[0], bits<__m512bh>(x), bits<__m512bh>(y));
    }
  }
#endif
  if (!bfloat16) {
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
      for (auto& chain : acc) chain = chain * x + y;
    }
  }
  F total = {};
  for (const auto& chain : acc) total += chain;
  volatile float kept = sum(total);
  (void)kept;
  return 2.0 * 16 * ProbeChains * static_cast<double>(rounds) * (bfloat16 ? 2 : 1);
}

}  // namespace kbit::KBIT_ISA
