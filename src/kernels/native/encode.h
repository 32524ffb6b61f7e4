// Quantization: the loops of quantize/ over all weights, straight from the type that they are stored in.
// The largest magnitude of a run, codes by the nearest value of a codebook, and counts of leading bits for quantiles.
//
// The codes are those of quantize/nearest.ts, bit for bit: a weight's code is the number of thresholds below it, where
// threshold c of a block is the largest float32 up to (codebook[c] + codebook[c + 1]) / 2 * absmax in float64. To be above
// one is the same for a float32 as to be above the other. The thresholds are searched by halves, sixteen weights at a time.
#pragma once
#include <algorithm>
#include "codes.h"

namespace kbit::KBIT_ISA {

inline int64_t bytesOf(Storage type) { return type == Storage::F32 ? 4 : 2; }

// Sixteen weights from place i on.
template <Storage Type>
KBIT_INLINE F weightsAt(const uint8_t* weights, int64_t i) {
  if constexpr (Type == Storage::F32) return load(reinterpret_cast<const float*>(weights + 4 * i));
  else if constexpr (Type == Storage::F16) return loadF16(reinterpret_cast<const uint16_t*>(weights + 2 * i));
  else return loadBF16(reinterpret_cast<const uint16_t*>(weights + 2 * i));
}

// `count` weights from place i on, fewer than sixteen, and zeros.
template <Storage Type>
KBIT_INLINE F someWeights(const uint8_t* weights, int64_t i, int64_t count) {
  alignas(64) uint8_t some[64] = {};
  std::memcpy(some, weights + bytesOf(Type) * i, bytesOf(Type) * count);
  return weightsAt<Type>(some, 0);
}

// Calls fn.template operator()<Type>() for the storage type of weights.
template <typename Fn>
KBIT_INLINE auto withType(Storage type, Fn fn) {
  if (type == Storage::F32) return fn.template operator()<Storage::F32>();
  if (type == Storage::F16) return fn.template operator()<Storage::F16>();
  return fn.template operator()<Storage::BF16>();
}

KBIT_INLINE void raise(U& largest, const F& weights) {
  const U magnitude = bits<U>(weights) & 0x7fffffffu;
  for (int i = 0; i < U::Count; i++)
    largest.part[i] = largest.part[i] > magnitude.part[i] ? largest.part[i] : magnitude.part[i];
}

// The bits of the largest magnitude among the weights from .. to - 1: magnitudes are in the order of their bits, and one
// that is not finite is beyond all others.
inline uint32_t largest(const uint8_t* weights, Storage type, int64_t from, int64_t to) {
  return withType(type, [&]<Storage Type>() {
    U best[2] = {};
    int64_t i = from;
    for (; i + 32 <= to; i += 32)
      for (int n = 0; n < 2; n++) raise(best[n], weightsAt<Type>(weights, i + 16 * n));
    for (; i + 16 <= to; i += 16) raise(best[0], weightsAt<Type>(weights, i));
    if (i < to) raise(best[1], someWeights<Type>(weights, i, to - i));
    uint32_t lanes[2][16];
    std::memcpy(lanes, best, sizeof lanes);
    for (int lane = 0; lane < 16; lane++) lanes[0][lane] = std::max(lanes[0][lane], lanes[1][lane]);
    for (int width = 8; width > 0; width /= 2)
      for (int lane = 0; lane < width; lane++) lanes[0][lane] = std::max(lanes[0][lane], lanes[0][lane + width]);
    return lanes[0][0];
  });
}

// The search among the thresholds of a block: the first steps in one table of sixteen, the others in that of all.
template <int K>
class Search {
 public:
  // midpoints: (2^K), ascending, infinity past the codebook's
  KBIT_MEMBER Search(const double* midpoints, float absmax) {
    for (int c = 0; c < 1 << K; c++) {
      const double exact = midpoints[c] * static_cast<double>(absmax);
      const float rounded = static_cast<float>(exact);
      const int32_t word = __builtin_bit_cast(int32_t, rounded);
      const int32_t below = word + (word < 0 ? 1 : -1);
      thresholds_[c] = __builtin_bit_cast(float, static_cast<double>(rounded) > exact ? below : word);
    }
    if constexpr (K > 4)
      for (int j = 0; j < 16; j++) coarse_[j] = thresholds_[Step * (j + 1) - 1];
  }

  KBIT_MEMBER U operator()(const F& weights) const {
    U code = {};
    if constexpr (K <= 4) {
      const Lookup<K> lookup(thresholds_);
      for (uint32_t step = 1u << (K - 1); step > 0; step /= 2) climb(code, weights, lookup(code + (step - 1)), step);
    } else {
      const Lookup<4> coarse(coarse_);
      for (uint32_t step = 8; step > 0; step /= 2) climb(code, weights, coarse(code + (step - 1)), step);
      code = code << (K - 4);
      const Lookup<K> lookup(thresholds_);
      for (uint32_t step = Step / 2; step > 0; step /= 2) climb(code, weights, lookup(code + (step - 1)), step);
    }
    return code;
  }

 private:
  static constexpr int Step = K > 4 ? 1 << (K - 4) : 1;

  static KBIT_MEMBER void climb(U& code, const F& weights, const F& threshold, uint32_t step) {
    for (int i = 0; i < U::Count; i++)
      code.part[i] += (typename U::Register)(weights.part[i] > threshold.part[i]) & step;
  }

  alignas(64) float thresholds_[K < 4 ? 16 : 1 << K] = {};
  alignas(64) float coarse_[16];
};

KBIT_INLINE void storeBytes(uint8_t* to, const U& codes) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8((__m512i)codes.part[0]));
#else
  typedef uint8_t Narrow __attribute__((vector_size(RegisterBytes / 4), aligned(1), may_alias));
  for (int i = 0; i < U::Count; i++)
    reinterpret_cast<Narrow*>(to)[i] = __builtin_convertvector(codes.part[i], Narrow);
#endif
}

// A group of 512 codes, a byte each, in k bits each (codes.h has the layout).
template <int K>
KBIT_INLINE void packGroup(uint8_t* to, const uint8_t* codes) {
  constexpr int P = 32 / K, Left = 32 - K * P;
  U word[K] = {}, rest = {};
  for (int j = 0; j < K * P; j++) word[j / P] = word[j / P] | widenLanes(codes + 16 * j) << (K * (j % P));
  for (int j = K * P; j < 32; j++) rest = rest | widenLanes(codes + 16 * j) << (K * (j - K * P));
  for (int w = 0; w < K; w++) {
    if (Left > 0) word[w] = word[w] | rest >> (w * Left) << (32 - Left);
    std::memcpy(to + 64 * w, &word[w], 64);
  }
}

// The last codes, fewer than 512, as a plain stream of bits.
inline void packTail(uint8_t* to, const uint8_t* codes, int64_t count, int k) {
  uint32_t held = 0;
  int bits = 0;
  for (int64_t i = 0; i < count; i++) {
    held |= static_cast<uint32_t>(codes[i]) << bits;
    for (bits += k; bits >= 8; bits -= 8, held >>= 8) *to++ = static_cast<uint8_t>(held);
  }
  if (bits > 0) *to = static_cast<uint8_t>(held);
}

template <int K, Storage Type>
inline void encodeRange(uint8_t* packed, const Coding& coding, int64_t from, int64_t to) {
  int64_t block = from / coding.blockSize, blockEnd = (block + 1) * coding.blockSize;
  float absmax = coding.absmax[block];
  Search<K> search(coding.midpoints, absmax);
  alignas(64) uint8_t codes[512 + 16];
  for (int64_t group = from; group < to; group += 512) {
    const int64_t groupEnd = group + 512 < to ? group + 512 : to;
    for (int64_t i = group; i < groupEnd;) {
      if (i == blockEnd) {
        blockEnd += coding.blockSize;
        absmax = coding.absmax[++block];
        if (absmax > 0) search = Search<K>(coding.midpoints, absmax);
      }
      const int64_t end = blockEnd < groupEnd ? blockEnd : groupEnd;
      uint8_t* code = codes + (i - group);
      if (!(absmax > 0)) {
        std::memset(code, coding.zeroCode, end - i);
        i = end;
        continue;
      }
      for (; i + 16 <= end; i += 16, code += 16) storeBytes(code, search(weightsAt<Type>(coding.weights, i)));
      // What is stored past the end is overwritten by the next run, or lies in the room behind the group.
      if (i < end) storeBytes(code, search(someWeights<Type>(coding.weights, i, end - i)));
      i = end;
    }
    uint8_t* out = packed + group / 512 * (64 * K);
    if (groupEnd - group == 512) packGroup<K>(out, codes);
    else packTail(out, codes, groupEnd - group, K);
  }
}

// Packed codes of the weights from .. to - 1; `from` is a multiple of 512, `to` as well or the end.
inline void encode(uint8_t* packed, const Coding& coding, int64_t from, int64_t to) {
  withBits(coding.bits, [&]<int K>() {
    withType(coding.type, [&]<Storage Type>() { encodeRange<K, Type>(packed, coding, from, to); });
  });
}

// How often each digit follows each prefix that has a slot, among the weights from .. to - 1: (slots, 2^digitBits).
// A weight's key is its bits, all inverted where it is negative and the sign alone elsewhere: keys are in its order.
inline void countDigits(uint32_t* counts, const uint8_t* weights, Storage type, int64_t from, int64_t to,
                        const int16_t* slots, int shift, int digitBits) {
  const uint32_t mask = (1u << digitBits) - 1;
  auto count = [&]<typename Key, typename Signed>() {
    constexpr Key sign = static_cast<Key>(Key{1} << (8 * sizeof(Key) - 1));
    for (int64_t i = from; i < to; i++) {
      Key key;
      std::memcpy(&key, weights + i * sizeof(Key), sizeof(Key));
      key = static_cast<Key>(key ^ (static_cast<Key>(static_cast<Signed>(key) >> (8 * sizeof(Key) - 1)) | sign));
      const uint32_t digits = static_cast<uint32_t>(key) >> shift;
      const int32_t slot = slots[digits >> digitBits];
      if (slot >= 0) counts[(static_cast<size_t>(slot) << digitBits) + (digits & mask)]++;
    }
  };
  if (type == Storage::F32) count.template operator()<uint32_t, int32_t>();
  else count.template operator()<uint16_t, int16_t>();
}

}  // namespace kbit::KBIT_ISA
