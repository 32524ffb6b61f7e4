// Norms and elementwise functions.
#pragma once
#include "codes.h"

namespace kbit::KBIT_ISA {

// The standard normal's distribution function, by erfc(z) = e^(-z^2) erfcx(z), with (1 + 2 z) erfcx(z) a polynomial in
// (z - 2) / (z + 2) fitted to scipy's erfcx (relative error 1e-7).
KBIT_INLINE F normalShare(F x) {
  const F size = larger(x, -x), z = size * 0.70710678118654752f;
  const F t = (z - 2.0f) / (z + 2.0f);
  F p = spread(-2.88495287e-05f);
  p = p * t - 0.000492674048f;
  p = p * t - 0.00130169272f;
  p = p * t + 0.00134983265f;
  p = p * t + 0.00868911734f;
  p = p * t - 0.00805790051f;
  p = p * t - 0.0542173548f;
  p = p * t + 0.164053775f;
  p = p * t - 0.166030463f;
  p = p * t - 0.0927638965f;
  p = p * t + 1.27697838f;
  // e^(-x^2 / 2) by a head of x of 12 bits, whose square is exact, so that it keeps its relative precision far out.
  const F head = bits<F>(bits<U>(size) & 0xfffff000u);
  const F decay = exponential(-0.5f * (head * head)) * exponential(0.5f * (head - size) * (head + size));
  const F half = 0.5f * p / (1.0f + 2.0f * z) * decay;
  return chooseLess(x, F{}, half, 1.0f - half);
}

KBIT_INLINE F sigmoid(F x) {
  const F e = exponential(-larger(x, -x));  // of -|x|, so that nothing overflows
  return chooseLess(x, F{}, e, spread(1.0f)) / (1.0f + e);
}

KBIT_INLINE F apply(Activation activation, F x) {
  switch (activation) {
    case Activation::Relu: return larger(x, F{});
    case Activation::Gelu: return x * normalShare(x);
    // (1 + tanh u) / 2 = sigmoid(2 u)
    case Activation::GeluTanh: return x * sigmoid(1.5957691216057308f * (x + 0.044715f * x * x * x));
    default: return x * sigmoid(x);
  }
}

// f over values from .. to - 1 of one or two inputs; the last few pass through a padded vector.
template <typename Fn>
KBIT_INLINE void each(float* out, const float* a, const float* b, int64_t from, int64_t to, Fn f) {
  int64_t i = from;
  for (; i + 16 <= to; i += 16) store(out + i, f(load(a + i), load(b + i)));
  if (i == to) return;
  float x[16] = {}, y[16] = {};
  std::memcpy(x, a + i, (to - i) * 4);
  std::memcpy(y, b + i, (to - i) * 4);
  store(x, f(load(x), load(y)));
  std::memcpy(out + i, x, (to - i) * 4);
}

inline void activate(float* x, Activation activation, int64_t from, int64_t to) {
  each(x, x, x, from, to, [=](F v, F) { return apply(activation, v); });
}

inline void add(float* out, const float* a, const float* b, int64_t from, int64_t to) {
  each(out, a, b, from, to, [](F v, F w) { return v + w; });
}

inline void multiply(float* out, const float* a, const float* b, int64_t from, int64_t to) {
  each(out, a, b, from, to, [](F v, F w) { return v * w; });
}

// To the nearest bfloat16, which stays float32.
inline void roundToBfloat16(float* x, int64_t count) {
  each(x, x, x, 0, count, [](F v, F) {
    const U b = bits<U>(v);
    const F rounded = bits<F>((b + 0x7fffu + (b >> 16 & 1u)) & 0xffff0000u);
    F out;
    for (int i = 0; i < F::Count; i++) out.part[i] = v.part[i] == v.part[i] ? rounded.part[i] : v.part[i];
    return out;
  });
}

// Sum over i of f(x[i]) in one fixed order.
template <typename Fn>
KBIT_INLINE float sumOf(const float* x, int64_t width, Fn f) {
  F acc = {};
  int64_t i = 0;
  for (; i + 16 <= width; i += 16) acc += f(load(x + i));
  float total = sum(acc);
  if (i < width) {
    float last[16] = {}, terms[16];
    std::memcpy(last, x + i, (width - i) * 4);
    store(terms, f(load(last)));
    for (int64_t j = 0; j < width - i; j++) total += terms[j];
  }
  return total;
}

inline void layerNorm(float* out, const float* x, int64_t width, const float* gain, const float* bias, float epsilon,
                      int64_t tokenFrom, int64_t tokenTo) {
  for (int64_t t = tokenFrom; t < tokenTo; t++) {
    const float* row = x + t * width;
    const float mean = sumOf(row, width, [](F v) { return v; }) / width;
    const float variance = sumOf(row, width, [=](F v) { return (v - mean) * (v - mean); }) / width;
    const float factor = 1.0f / std::sqrt(variance + epsilon);
    for (int64_t i = 0; i < width; i++) out[t * width + i] = (row[i] - mean) * factor * gain[i] + (bias ? bias[i] : 0.0f);
  }
}

inline void rmsNorm(float* out, const float* x, int64_t width, const float* gain, float epsilon, int64_t tokenFrom,
                    int64_t tokenTo) {
  for (int64_t t = tokenFrom; t < tokenTo; t++) {
    const float* row = x + t * width;
    const float factor = 1.0f / std::sqrt(sumOf(row, width, [](F v) { return v * v; }) / width + epsilon);
    for (int64_t i = 0; i < width; i++) out[t * width + i] = row[i] * factor * gain[i];
  }
}

// One head after another out of a fused row, its first `turned` values rotated, to its slot.
inline void placeHeads(float* out, const float* x, const Heads& h, int64_t tokenFrom, int64_t tokenTo) {
  const int64_t half = h.turned / 2;
  for (int64_t t = tokenFrom; t < tokenTo; t++) {
    const float *cosines = h.cosines + t * half, *sines = h.sines + t * half;
    for (int64_t head = 0; head < h.heads; head++) {
      const float* from = x + t * h.width + h.offset + head * h.stride;
      float* to = out + (h.slots[t] * static_cast<int64_t>(h.heads) + head) * h.headSize;
      for (int64_t i = 0; i < half; i++) {
        to[i] = from[i] * cosines[i] - from[half + i] * sines[i];
        to[half + i] = from[half + i] * cosines[i] + from[i] * sines[i];
      }
      std::memcpy(to + h.turned, from + h.turned, (h.headSize - h.turned) * 4);
    }
  }
}

}  // namespace kbit::KBIT_ISA
