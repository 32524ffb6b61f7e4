// From packed codes to weights in bfloat16 on AVX-512 with its byte-permuting instructions, a run at a time: the 128 weights
// of eight positions of a group (codes.h) for up to 4 bits, the 64 of four positions beyond.
//
// Codes are brought into the bytes of a vector, two planes of bytes are looked up by them, and interleaving low with high
// bytes gives weights. What the weights of a run stand beside is therefore
//
//   up to 4 bits   vectors 0, 1: positions 0, 2 | 4, 6 of a word's lanes; vectors 2, 3: positions 1, 3 | 5, 7
//   beyond         vectors 0, 1: positions 0, 1 | 2, 3
//
// in neighbouring halves of 32-bit lanes, each position of one block of 64; `arrange` puts activations in the same order.
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

// How a group of K-bit codes falls into runs.
template <int K>
struct Run {
  static constexpr int Step = K <= 4 ? 2 : 1;  // positions from one byte's to the next one's
  static constexpr int Vectors = 2 * Step, Weights = 32 * Vectors, Count = 512 / Weights, Blocks = Weights / 64;
};

// The codes of a group. Words are kept in registers where few sums leave room for that (`Kept`), else read again from the
// first cache: reading them twice costs most where they do not begin with a cache line.
template <int K, bool Kept>
struct Group {
  static constexpr int P = 32 / K, Left = 32 - K * P, Step = Run<K>::Step;
  const uint8_t* bytes;
  __m512i words[Kept ? K : 1];
  __m512i rest;  // the last positions, in the bits left over at the top of the words

  explicit KBIT_MEMBER Group(const uint8_t* from) : bytes(from) {
    if constexpr (Left > 0) {
      if constexpr (Kept) {
        for (int w = 0; w < K; w++) {
          words[w] = _mm512_loadu_si512(bytes + 64 * w);
          __asm__("" : "+v"(words[w]));
        }
      }
      rest = _mm512_srli_epi32(word(K - 1), 32 - Left);
      for (int w = K - 2; w >= 0; w--) rest = _mm512_shldi_epi32(rest, word(w), Left);
      __asm__("" : "+r"(bytes));  // for the compiler these are other words from here on
    }
  }

  KBIT_MEMBER __m512i word(int w) const {
    return Kept && Left > 0 ? words[Kept ? w : 0] : _mm512_loadu_si512(bytes + 64 * w);
  }

  // Fields of 8 bits from bits A, B, C, D of each lane.
  template <int A, int B, int C, int D>
  static KBIT_MEMBER __m512i fields(__m512i v) {
    constexpr uint64_t lane = A | B << 8 | C << 16 | static_cast<uint64_t>(D) << 24;
    return _mm512_multishift_epi64_epi8(_mm512_set1_epi64(static_cast<int64_t>(lane | (lane + 0x20202020u) << 32)), v);
  }

  // The codes of run N: every Step-th position in a byte, with whatever is above it in the bits above.
  template <int N>
  KBIT_MEMBER __m512i run() const {
    constexpr int position = 4 * Step * N, w = position / P, slot = position % P, here = P - slot;
    constexpr int above = 32 - K * slot;  // where the next word's codes begin once those before this slot are shifted out
    constexpr auto bit = [](int j) { return j < here ? K * j : above + K * (j - here); };
    if constexpr (K * Step == 8) return word(N);
    else if constexpr (position >= K * P) return fields<bit(0), bit(1), bit(2), bit(3)>(rest);
    else if constexpr (here >= 4 * Step)
      return fields<K * slot, K * (slot + Step), K * (slot + 2 * Step), K * (slot + 3 * Step)>(word(w));
    else
      return fields<bit(0), bit(Step), bit(2 * Step), bit(3 * Step)>(
          _mm512_shldi_epi32(w + 1 < K ? word(w + 1) : rest, word(w), above));
  }
};

// The values of all bytes whose bits from `shift` on are a code, in bfloat16: low bytes and high bytes apart.
template <int K>
struct Planes {
  static constexpr int Count = K <= 6 ? 1 : K == 7 ? 2 : 4;
  __m512i low[Count], high[Count];

  KBIT_MEMBER Planes(const float* codebook, int shift) {
    uint8_t bytes[2][64 * Count];
    for (int i = 0; i < 64 * Count; i++) {
      const uint32_t half = bfloatBits(codebook[i >> shift]);
      bytes[0][i] = static_cast<uint8_t>(half);
      bytes[1][i] = static_cast<uint8_t>(half >> 8);
    }
    for (int i = 0; i < Count; i++) {
      low[i] = _mm512_loadu_si512(bytes[0] + 64 * i);
      high[i] = _mm512_loadu_si512(bytes[1] + 64 * i);
    }
  }

  static KBIT_MEMBER __m512i lookUp(const __m512i* plane, __m512i code) {
    if constexpr (K <= 6) return _mm512_permutexvar_epi8(code, plane[0]);
    const __m512i value = _mm512_permutex2var_epi8(plane[0], code, plane[Count > 1]);
    if constexpr (K == 8) {
      const __m512i upper = _mm512_permutex2var_epi8(plane[Count - 2], code, plane[Count - 1]);
      return _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), value, upper);
    }
    return value;
  }

  KBIT_MEMBER void decode(__m512i code, __m512i& first, __m512i& second) const {
    const __m512i l = lookUp(low, code), h = lookUp(high, code);
    first = _mm512_unpacklo_epi8(l, h);
    second = _mm512_unpackhi_epi8(l, h);
  }
};

// The codebook, by a byte's lowest code and, up to 3 bits, by the one above it too, as six bits are looked up at once.
template <int K>
struct Table {
  static constexpr bool Both = K <= 3;
  Planes<K> lower, upper;

  explicit KBIT_MEMBER Table(const float* codebook) : lower(codebook, 0), upper(codebook, Both ? K : 0) {}

  KBIT_MEMBER void decode(__m512i code, __m512i* v) const {
    __asm__("" : "+v"(code));  // used several times, read from memory once
    lower.decode(code, v[0], v[1]);
    if constexpr (Both) upper.decode(code, v[2], v[3]);
    else if constexpr (K == 4) lower.decode(_mm512_srli_epi16(code, 4), v[2], v[3]);
  }
};

// The scales of run N out of those of a group's eight blocks of 64, beside its sums.
template <int K, int N>
KBIT_INLINE __m512 factorOf(const float* scale) {
  if constexpr (Run<K>::Blocks == 1) return _mm512_set1_ps(scale[N]);
  double pair;
  std::memcpy(&pair, scale + 2 * N, 8);
  return _mm512_castpd_ps(_mm512_set1_pd(pair));
}

// Calls use(run) for the runs of a group, as constants.
template <int K, typename Use>
KBIT_INLINE void eachRun(Use use) {
  [&]<int... N>(std::integer_sequence<int, N...>) __attribute__((always_inline)) {
    (use(std::integral_constant<int, N>()), ...);
  }(std::make_integer_sequence<int, Run<K>::Count>());
}

// Activations beside the weights of a matrix of so many bits (0: dense, pairs 16 columns apart): whole multiples of 128.
inline void arrange(uint16_t* out, const float* x, int64_t count, int bits) {
  const bool octs = bits > 0 && bits <= 4;
  for (int64_t i = 0; i < count; i += octs ? 128 : 64) {
    for (int odd = 0; odd < (octs ? 2 : 1); odd++, out += 64) {
      const float* at = x + i + 16 * odd;
      const int64_t step = octs ? 32 : 16;
      const __m512i low = interleave(_mm512_loadu_ps(at), _mm512_loadu_ps(at + step));
      const __m512i high = interleave(_mm512_loadu_ps(at + 2 * step), _mm512_loadu_ps(at + 3 * step));
      _mm512_storeu_si512(out, bits == 0 ? low : _mm512_unpacklo_epi32(low, high));
      _mm512_storeu_si512(out + 32, bits == 0 ? high : _mm512_unpackhi_epi32(low, high));
    }
  }
}

}  // namespace kbit::KBIT_ISA
