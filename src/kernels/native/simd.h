// Sixteen float32 lanes on any machine, by the compiler's vector extension: one register on AVX-512, two on AVX2, four on
// NEON and SSE. Code above this file is the same for all; table look-ups stand in lookup.h.
#pragma once
#include <cmath>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif
#include "table.h"

namespace kbit::KBIT_ISA {

#define KBIT_INLINE static inline __attribute__((always_inline))
#define KBIT_MEMBER inline __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int RegisterBytes = 64;
#elif defined(__AVX2__)
constexpr int RegisterBytes = 32;
#else
constexpr int RegisterBytes = 16;
#endif

// Sixteen lanes of four bytes in as many registers as it takes.
template <typename T>
struct Lanes {
  typedef T Register __attribute__((vector_size(RegisterBytes), aligned(1), may_alias));
  static constexpr int Count = 64 / RegisterBytes;
  Register part[Count];
};
using F = Lanes<float>;
using I = Lanes<int32_t>;
using U = Lanes<uint32_t>;

template <typename To, typename From>
KBIT_INLINE To bits(const From& from) {
  return __builtin_bit_cast(To, from);
}

template <typename T>
KBIT_INLINE Lanes<T> spreadLanes(T value) {
  Lanes<T> out;
  for (auto& part : out.part) part = typename Lanes<T>::Register{} + value;
  return out;
}
KBIT_INLINE F spread(float value) { return spreadLanes(value); }

#define KBIT_OPERATOR(op)                                                            \
  template <typename T>                                                              \
  KBIT_INLINE Lanes<T> operator op(Lanes<T> a, const Lanes<T>& b) {                  \
    for (int i = 0; i < Lanes<T>::Count; i++) a.part[i] = a.part[i] op b.part[i];    \
    return a;                                                                        \
  }                                                                                  \
  template <typename T>                                                              \
  KBIT_INLINE Lanes<T> operator op(Lanes<T> a, T b) {                                \
    for (auto& part : a.part) part = part op b;                                      \
    return a;                                                                        \
  }                                                                                  \
  template <typename T>                                                              \
  KBIT_INLINE Lanes<T> operator op(T a, Lanes<T> b) {                                \
    for (auto& part : b.part) part = a op part;                                      \
    return b;                                                                        \
  }
KBIT_OPERATOR(+)
KBIT_OPERATOR(-)
KBIT_OPERATOR(*)
KBIT_OPERATOR(/)
KBIT_OPERATOR(&)
KBIT_OPERATOR(|)
#undef KBIT_OPERATOR

KBIT_INLINE F operator-(F a) { return 0.0f - a; }
template <typename T>
KBIT_INLINE Lanes<T>& operator+=(Lanes<T>& a, const Lanes<T>& b) {
  return a = a + b;
}
template <typename T>
KBIT_INLINE Lanes<T> operator<<(Lanes<T> a, int count) {
  for (auto& part : a.part) part = part << count;
  return a;
}
template <typename T>
KBIT_INLINE Lanes<T> operator>>(Lanes<T> a, int count) {
  for (auto& part : a.part) part = part >> count;
  return a;
}

// Lane by lane: condition(a, b) ? yes : no, for < and ==.
KBIT_INLINE F chooseLess(const F& a, const F& b, F yes, const F& no) {
  for (int i = 0; i < F::Count; i++) yes.part[i] = a.part[i] < b.part[i] ? yes.part[i] : no.part[i];
  return yes;
}
KBIT_INLINE F larger(const F& a, const F& b) { return chooseLess(a, b, b, a); }

KBIT_INLINE F load(const float* p) {
  F out;
  for (int i = 0; i < F::Count; i++) out.part[i] = reinterpret_cast<const F::Register*>(p)[i];
  return out;
}
KBIT_INLINE void store(float* p, const F& v) {
  for (int i = 0; i < F::Count; i++) reinterpret_cast<F::Register*>(p)[i] = v.part[i];
}
KBIT_INLINE U loadWords(const uint8_t* p) {
  U out;
  for (int i = 0; i < U::Count; i++) out.part[i] = reinterpret_cast<const U::Register*>(p)[i];
  return out;
}

// Sixteen unsigned numbers of a narrower type.
template <typename T>
KBIT_INLINE U widenLanes(const T* p) {
  typedef T Narrow __attribute__((vector_size(RegisterBytes / 4 * sizeof(T)), aligned(1), may_alias));
  U out;
  for (int i = 0; i < U::Count; i++)
    out.part[i] = __builtin_convertvector(reinterpret_cast<const Narrow*>(p)[i], U::Register);
  return out;
}

constexpr float LargestF16 = 65504.0f;

KBIT_INLINE F loadF16(const uint16_t* p) {
#if defined(__AVX512F__)
  return bits<F>(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
#elif defined(__AVX2__)
  F out;
  for (int i = 0; i < 2; i++)
    out.part[i] = (F::Register)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i));
  return out;
#else
  // Exponent and mantissa move into float32's places; the product repairs the exponent's bias, subnormals included.
  // Infinity and NaN come out above the largest float16 and get float32's largest exponent.
  const U h = widenLanes(p);
  F magnitude = bits<F>((h & 0x7fffu) << 13) * 0x1p112f;
  magnitude = chooseLess(spread(LargestF16), magnitude, bits<F>(bits<U>(magnitude) | 0x7f800000u), magnitude);
  return bits<F>(bits<U>(magnitude) | ((h & 0x8000u) << 16));
#endif
}

KBIT_INLINE F loadBF16(const uint16_t* p) { return bits<F>(widenLanes(p) << 16); }

KBIT_INLINE float f16ToFloat(uint16_t h) {
  float magnitude = __builtin_bit_cast(float, static_cast<uint32_t>(h & 0x7fff) << 13) * 0x1p112f;
  if (magnitude > LargestF16) magnitude = __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, magnitude) | 0x7f800000u);
  return h & 0x8000 ? -magnitude : magnitude;
}

KBIT_INLINE float bf16ToFloat(uint16_t h) { return __builtin_bit_cast(float, static_cast<uint32_t>(h) << 16); }

KBIT_INLINE float f16Scale(uint16_t h) {
#if defined(__AVX2__)
  return _cvtsh_ss(h);
#else
  return f16ToFloat(h);
#endif
}

// Rounded to bfloat16, to nearest even; NaN stays NaN.
KBIT_INLINE uint32_t bfloatBits(float value) {
  const uint32_t b = __builtin_bit_cast(uint32_t, value);
  if (value != value) return (b | 0x400000u) >> 16;
  return (b + 0x7fffu + (b >> 16 & 1)) >> 16;
}

// out (8, 8) = in (8, 8) turned; strides are those of rows.
KBIT_INLINE void turnEight(float* out, int64_t outStride, const float* in, int64_t inStride) {
#if defined(__AVX2__)
  __m256 a[8], b[8];
  for (int i = 0; i < 8; i++) a[i] = _mm256_loadu_ps(in + i * inStride);
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int half = 0; half < 2; half++) {
      a[i + 2 * half] = _mm256_shuffle_ps(b[i + half], b[i + half + 2], 0x44);
      a[i + 2 * half + 1] = _mm256_shuffle_ps(b[i + half], b[i + half + 2], 0xee);
    }
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(out + i * outStride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * outStride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
#else
  for (int r = 0; r < 8; r++)
    for (int c = 0; c < 8; c++) out[c * outStride + r] = in[r * inStride + c];
#endif
}

// Sum of the lanes in one fixed order.
KBIT_INLINE float sum(F v) {
  float a[16];
  store(a, v);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) a[i] += a[i + width];
  return a[0];
}

KBIT_INLINE float maximum(F v) {
  float a[16];
  store(a, v);
  float m = a[0];
  for (int i = 1; i < 16; i++) m = a[i] > m ? a[i] : m;
  return m;
}

// e^x: 2^n times a Taylor polynomial on |r| <= ln(2)/2; relative error below 1e-7. Below -87 it is e^-87, or 0 at -infinity.
KBIT_INLINE F exponential(F x) {
  const F floor = spread(-87.0f), ceiling = spread(88.0f), input = x;
  x = larger(x, floor);
  x = chooseLess(x, ceiling, x, ceiling);
  const F scaled = x * 1.44269504088896341f;
  const F rounded = scaled + chooseLess(scaled, F{}, spread(-0.5f), spread(0.5f));
  I whole;
  F k;
  for (int i = 0; i < F::Count; i++) {
    whole.part[i] = __builtin_convertvector(rounded.part[i], I::Register);
    k.part[i] = __builtin_convertvector(whole.part[i], F::Register);
  }
  const F r = (x - k * 0.693359375f) - k * -2.12194440e-4f;
  F p = spread(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  p = p * bits<F>((whole + 127) << 23);
  return chooseLess(input, spread(-1e30f), F{}, p);
}

// cap tanh(x / cap), to an absolute error of about cap * 1e-7.
KBIT_INLINE F capLanes(const F& x, float cap) {
  const F e = exponential(larger(x, -x) * (-2.0f / cap));
  const F size = (1.0f - e) / (1.0f + e) * cap;
  return chooseLess(x, F{}, -size, size);
}

}  // namespace kbit::KBIT_ISA
