// Softmax attention over a shared prefix and a sequence's own keys. The keys of a run of neighbouring queries are turned
// to (headSize, keys) once, so that sixteen scores are formed at a time; each score and each output keeps one order of
// summation that depends on its own query's keys alone.
#pragma once
#include "product.h"

namespace kbit::KBIT_ISA {

constexpr int64_t RunTokens = 128;

// Two ranges of cache slots that a run of queries reads.
struct Window {
  int64_t prefixFrom, prefixTo, ownFrom, ownTo;
  int64_t length() const { return prefixTo - prefixFrom + ownTo - ownFrom; }
};

inline Window windowOf(const Spans& s, int64_t token) {
  const int32_t* row = s.spans + 4 * token;
  return {row[0], row[0] + row[1], row[2], row[2] + row[3]};
}

// out[key] = q . key for `count` keys from place `from` of the turned keys; writes up to a multiple of 64.
KBIT_INLINE void scoreKeys(float* out, const float* q, int64_t headSize, const float* turned, int64_t stride,
                           int64_t from, int64_t count, float scale) {
  for (int64_t k = 0; k < count; k += 64) {
    F acc[4] = {};
    for (int64_t d = 0; d < headSize; d++)
      for (int n = 0; n < 4; n++) acc[n] += q[d] * load(turned + d * stride + from + k + 16 * n);
    for (int n = 0; n < 4; n++) store(out + k + 16 * n, acc[n] * scale);
  }
}

// Softmax in place over `count` scores padded to a multiple of 16; returns 1 / sum.
KBIT_INLINE float softmax(float* scores, int64_t count, float slope) {
  for (int64_t k = count; k % 16 != 0; k++) scores[k] = -INFINITY;
  if (slope != 0.0f)
    for (int64_t k = 0; k < count; k++) scores[k] -= slope * static_cast<float>(count - 1 - k);
  F top = spread(-INFINITY);
  for (int64_t k = 0; k < count; k += 16) top = larger(top, load(scores + k));
  const float peak = maximum(top);
  F total = {};
  for (int64_t k = 0; k < count; k += 16) {
    const F e = exponential(load(scores + k) - peak);
    store(scores + k, e);
    total += e;
  }
  return 1.0f / sum(total);
}

// out (16 V) = share * sum over keys of scores[key] * rowOf(key), keys of even and odd number apart.
template <int V, typename RowOf>
KBIT_INLINE void sumValues(float* out, const float* scores, int64_t count, float share, RowOf rowOf) {
  F even[V] = {}, odd[V] = {};
  int64_t k = 0;
  for (; k + 2 <= count; k += 2) {
    const float *first = rowOf(k), *second = rowOf(k + 1);
    for (int v = 0; v < V; v++) even[v] += scores[k] * load(first + 16 * v);
    for (int v = 0; v < V; v++) odd[v] += scores[k + 1] * load(second + 16 * v);
  }
  if (k < count)
    for (int v = 0; v < V; v++) even[v] += scores[k] * load(rowOf(k) + 16 * v);
  for (int v = 0; v < V; v++) store(out + 16 * v, (even[v] + odd[v]) * share);
}

// Query heads headFrom .. headTo - 1, which share a key head.
inline void attendRun(float* out, const float* query, const float* keys, const float* values, const Spans& s,
                      int64_t headFrom, int64_t headTo, int64_t from, int64_t to, const Window& w) {
  const int64_t d = s.headSize, padded = (d + 15) / 16 * 16, width = static_cast<int64_t>(s.keyHeads) * d;
  const int64_t group = headFrom / (s.heads / s.keyHeads), length = w.length(), stride = (length + 79) / 16 * 16;
  float* turned = scratch(0, d * stride + 64);
  float* rows = scratch(1, length * padded);
  float* scores = scratch(2, length + 64);
  auto pack = [&](int64_t slotFrom, int64_t slotTo, int64_t place) {
    const float* key = keys + slotFrom * width + group * d;
    const int64_t eights = (slotTo - slotFrom) / 8 * 8, count = slotTo - slotFrom;
    for (int64_t k = 0; k < eights; k += 8) {
      int64_t i = 0;
      for (; i + 8 <= d; i += 8) turnEight(turned + i * stride + place + k, stride, key + k * width + i, width);
      for (; i < d; i++)
        for (int64_t n = k; n < k + 8; n++) turned[i * stride + place + n] = key[n * width + i];
    }
    for (int64_t k = eights; k < count; k++)
      for (int64_t i = 0; i < d; i++) turned[i * stride + place + k] = key[k * width + i];
    for (int64_t slot = slotFrom; slot < slotTo; slot++, place++) {
      std::memcpy(rows + place * padded, values + slot * width + group * d, d * 4);
      for (int64_t i = d; i < padded; i++) rows[place * padded + i] = 0;
    }
  };
  pack(w.prefixFrom, w.prefixTo, 0);
  pack(w.ownFrom, w.ownTo, w.prefixTo - w.prefixFrom);
  for (int64_t i = 0; i < (to - from) * (headTo - headFrom); i++) {
    const int64_t t = from + i / (headTo - headFrom), head = headFrom + i % (headTo - headFrom);
    const Window mine = windowOf(s, t);
    const float* q = query + (t * s.heads + head) * d;
    const int64_t prefix = mine.prefixTo - mine.prefixFrom, count = mine.length();
    const int64_t prefixPlace = mine.prefixFrom - w.prefixFrom;
    const int64_t ownPlace = w.prefixTo - w.prefixFrom + mine.ownFrom - w.ownFrom;
    scoreKeys(scores, q, d, turned, stride, prefixPlace, prefix, s.scale);
    scoreKeys(scores + prefix, q, d, turned, stride, ownPlace, count - prefix, s.scale);
    if (s.cap > 0)
      for (int64_t k = 0; k < count; k += 16) store(scores + k, capLanes(load(scores + k), s.cap));
    const float share = softmax(scores, count, s.slopes ? s.slopes[head] : 0.0f);
    float* target = out + (t * s.heads + head) * d;
    auto rowOf = [&](int64_t k) { return rows + (k < prefix ? prefixPlace + k : ownPlace + k - prefix) * padded; };
    for (int64_t c = 0; c < d; c += 32) {
      float line[32];
      if (c + 16 < padded) sumValues<2>(line, scores, count, share, [&](int64_t k) { return rowOf(k) + c; });
      else sumValues<1>(line, scores, count, share, [&](int64_t k) { return rowOf(k) + c; });
      std::memcpy(target + c, line, (d - c < 32 ? d - c : 32) * 4);
    }
  }
}

inline void attend(float* out, const float* query, const float* keys, const float* values, const Spans& s,
                   int64_t headFrom, int64_t headTo, int64_t tokenFrom, int64_t tokenTo) {
  for (int64_t from = tokenFrom; from < tokenTo;) {
    Window w = windowOf(s, from);
    int64_t to = from + 1;
    // A run: the next query of the same sequence sees one key more at the end.
    for (; to < tokenTo && to - from < RunTokens; to++) {
      const Window next = windowOf(s, to);
      if (next.prefixTo != w.prefixTo || next.ownTo != w.ownTo + 1 || next.ownFrom < w.ownFrom) break;
      if (next.prefixFrom < w.prefixFrom) break;
      w.ownTo = next.ownTo;
    }
    const int64_t shared = s.heads / s.keyHeads;
    for (int64_t head = headFrom; head < headTo;) {
      const int64_t next = (head / shared + 1) * shared < headTo ? (head / shared + 1) * shared : headTo;
      attendRun(out, query, keys, values, s, head, next, from, to, w);
      head = next;
    }
    from = to;
  }
}

}  // namespace kbit::KBIT_ISA
