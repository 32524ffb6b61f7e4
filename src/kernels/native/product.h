// Matrix products by dense and k-bit weights. `generate` reads each weight once, decodes it in registers and uses it for
// all tokens; `score` decodes panels of rows into cache once and runs a blocked product over many tokens. Within a path
// every output is one fixed sum over the columns, whatever the number of tokens or threads.
#pragma once
#include <vector>
#include "codes.h"

namespace kbit::KBIT_ISA {

// Memory of a thread, kept between calls, at the start of a cache line.
inline float* scratch(int which, size_t count) {
  static thread_local std::vector<float> memory[4];
  if (memory[which].size() < count + 16) memory[which].resize(count + 16);
  return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(memory[which].data()) + 63) / 64 * 64);
}

// Generation -----------------------------------------------------------------------------------------------------------

// Far enough for what is on its way from memory, near enough to stay in the first cache.
constexpr int64_t PrefetchBytes = 4096;

// w . x[n] for N tokens of a dense row, widened in registers: `at(c)` is sixteen of its weights, `one(c)` a single one.
template <int N, typename T, typename At, typename One>
KBIT_INLINE void dotDense(float* out, int64_t outStride, const T* w, const float* x, int64_t columns, At at, One one) {
  F acc[N][4] = {};
  int64_t c = 0;
  for (; c + 64 <= columns; c += 64) {
    for (size_t line = 0; line < sizeof(T); line++) __builtin_prefetch(w + c + (PrefetchBytes + 64 * line) / sizeof(T));
    for (int v = 0; v < 4; v++) {
      const F weight = at(w + c + 16 * v);
      for (int n = 0; n < N; n++) acc[n][v] += weight * load(x + n * columns + c + 16 * v);
    }
  }
  for (; c + 16 <= columns; c += 16)
    for (int n = 0; n < N; n++) acc[n][0] += at(w + c) * load(x + n * columns + c);
  for (int n = 0; n < N; n++) {
    float total = sum((acc[n][0] + acc[n][1]) + (acc[n][2] + acc[n][3]));
    for (int64_t i = c; i < columns; i++) total += one(w[i]) * x[n * columns + i];
    out[n * outStride] = total;
  }
}

template <int N>
inline void dotRow(float* out, int64_t outStride, const Matrix& w, const float* x, int64_t row) {
  const int64_t start = row * w.columns;
  const uint16_t* half = static_cast<const uint16_t*>(w.values) + start;
  if (w.storage == Storage::F16) {
    dotDense<N>(out, outStride, half, x, w.columns, loadF16, f16ToFloat);
  } else if (w.storage == Storage::BF16) {
    dotDense<N>(out, outStride, half, x, w.columns, loadBF16, bf16ToFloat);
  } else {
    const bool dense = w.storage == Storage::F32;
    float* line = dense ? nullptr : scratch(0, w.columns);
    if (!dense) readRow(line, w, row, 0, w.columns);
    const float* values = dense ? static_cast<const float*>(w.values) + start : line;
    dotDense<N>(out, outStride, values, x, w.columns, load, [](float v) { return v; });
  }
}

// w . x[n] for N tokens of a row of whole groups in blocks of multiples of 64, without centers.
template <int K, int N>
KBIT_INLINE void dotGroups(float* out, int64_t outStride, const Matrix& w, const Lookup<K>& lookup, const float* x,
                           int64_t row) {
  const int64_t start = row * w.columns;
  F acc[N][2] = {};
  for (int64_t c = 0; c < w.columns; c += 512) {
    const uint8_t* group = w.codes + (start + c) / 512 * (64 * K);
    for (int k = 0; k < K; k++) __builtin_prefetch(group + 64 * k + PrefetchBytes);
    float scale[8];
    scalesOf(scale, w, start + c, 8);
    eachBlock([&](auto block) __attribute__((always_inline)) {
      constexpr int B = decltype(block)::value;
      F part[N] = {};
      for (int v = 0; v < 4; v++) {
        const F weight = lookup(codesAt<K>(group, 4 * B + v));
        for (int n = 0; n < N; n++) part[n] += weight * load(x + n * w.columns + c + 64 * B + 16 * v);
      }
      for (int n = 0; n < N; n++) acc[n][B % 2] += part[n] * scale[B];
    });
  }
  for (int n = 0; n < N; n++) out[n * outStride] = sum(acc[n][0] + acc[n][1]);
}

// w . x[n] for N tokens of a row of codes, decoded in registers, V vectors at a time.
template <int K, int N, int V>
KBIT_INLINE void dotCodes(float* out, int64_t outStride, const Matrix& w, const Lookup<K>& lookup, const float* xKept,
                          int64_t row) {
  const int64_t start = row * w.columns;
  F acc[N] = {};
  eachCodes<K, V>(w, start, start + w.columns, [&](int64_t i, auto codes) __attribute__((always_inline)) {
    const int64_t block = blockOf(w, i);
    const float scale = absmaxOf(w, block);
    const float* x = xKept + (i - start);
    F part[N] = {};
    for (int v = 0; v < V; v++) {
      F weight = lookup(codes(v));
      if (w.centers) weight = weight * scale + centerOf(w, block);
      for (int n = 0; n < N; n++) part[n] += weight * load(x + n * w.columns + 16 * v);
    }
    for (int n = 0; n < N; n++) acc[n] += part[n] * (w.centers ? 1.0f : scale);
  });
  for (int n = 0; n < N; n++) out[n * outStride] = sum(acc[n]);
}

template <int N>
inline void generateRows(float* out, const float* x, const float* xKept, const Matrix& w, const float* bias,
                         int64_t rowFrom, int64_t rowTo) {
  const bool fused = w.storage == Storage::Codes && isAligned(w, 16);
  if (fused) {
    withBits(w.bits, [&]<int K>() {
      const Lookup<K> lookup(w.codebook);
      const bool wide = isAligned(w, 64), whole = isWhole(w);
      for (int64_t row = rowFrom; row < rowTo; row++) {
        if (whole) dotGroups<K, N>(out + row, w.rows, w, lookup, xKept, row);
        else if (wide) dotCodes<K, N, 4>(out + row, w.rows, w, lookup, xKept, row);
        else dotCodes<K, N, 1>(out + row, w.rows, w, lookup, xKept, row);
      }
    });
  } else {
    for (int64_t row = rowFrom; row < rowTo; row++) dotRow<N>(out + row, w.rows, w, x, row);
  }
  for (int n = 0; n < N; n++) {
    for (int64_t row = rowFrom; row < rowTo; row++) {
      float& value = out[n * w.rows + row];
      if (fused)
        for (int32_t j = 0; j < w.outlierCount; j++)
          value += f16ToFloat(w.outlierValues[row * w.outlierCount + j]) * x[n * w.columns + w.outlierColumns[j]];
      if (bias) value += bias[row];
    }
  }
}

// Rows that stay in the first cache while all tokens meet them.
inline int64_t rowsAtOnce(const Matrix& w) {
  const int64_t bits = w.storage == Storage::Codes ? w.bits : w.storage == Storage::F32 ? 32 : 16;
  const int64_t rows = (16384 * 8 / bits) / w.columns / 4 * 4;
  return rows < 4 ? 4 : rows;
}

inline void generate(float* out, const float* x, const float* xKept, const Matrix& w, const float* bias, int64_t tokens,
                     int64_t rowFrom, int64_t rowTo) {
  const int64_t step = rowsAtOnce(w);
  for (int64_t from = rowFrom; from < rowTo; from += step) {
    const int64_t to = from + step < rowTo ? from + step : rowTo;
    int64_t t = 0;
    auto run = [&]<int N>() {
      for (; t + N <= tokens; t += N)
        generateRows<N>(out + t * w.rows, x + t * w.columns, xKept + t * w.columns, w, bias, from, to);
    };
    run.template operator()<4>();
    run.template operator()<2>();
    run.template operator()<1>();
  }
}

// Scoring --------------------------------------------------------------------------------------------------------------

constexpr int64_t PanelRows = 32;
constexpr int64_t PanelColumns = 512;
#if defined(__AVX512F__)
constexpr int TileTokens = 12, TileVectors = 2;
#else
constexpr int TileTokens = 4, TileVectors = 1;
#endif

// Rows row .. row + 31 (zeros past the end), columns from .. to - 1, turned to (columns, 32).
inline const float* fillPanel(const Matrix& w, int64_t row, int64_t from, int64_t to) {
  float* panel = scratch(0, PanelRows * PanelColumns);
  float* lines = scratch(1, 8 * PanelColumns);
  for (int64_t r = 0; r < PanelRows; r += 8) {
    for (int64_t i = 0; i < 8; i++) {
      float* line = lines + i * PanelColumns;
      if (row + r + i < w.rows) readRow(line, w, row + r + i, from, to);
      else std::memset(line, 0, PanelColumns * 4);
    }
    int64_t c = 0;
    for (; c + 8 <= to - from; c += 8) turnEight(panel + c * PanelRows + r, PanelRows, lines + c, PanelColumns);
    for (; c < to - from; c++)
      for (int64_t i = 0; i < 8; i++) panel[c * PanelRows + r + i] = lines[i * PanelColumns + c];
  }
  return panel;
}

// out (M, 32) += x (M, columns) . panel (columns, 32)
template <int M>
KBIT_INLINE void multiplyTile(float* out, int64_t outStride, const float* x, int64_t xStride, const float* panel,
                              int64_t columns, bool first) {
  constexpr int V = TileVectors;
  for (int v = 0; v < PanelRows / 16; v += V) {
    F acc[M][V];
    for (int m = 0; m < M; m++)
      for (int n = 0; n < V; n++) acc[m][n] = first ? F{} : load(out + m * outStride + (v + n) * 16);
    for (int64_t c = 0; c < columns; c++) {
      F b[V];
      for (int n = 0; n < V; n++) b[n] = load(panel + c * PanelRows + (v + n) * 16);
      for (int m = 0; m < M; m++)
        for (int n = 0; n < V; n++) acc[m][n] += x[m * xStride + c] * b[n];
    }
    for (int m = 0; m < M; m++)
      for (int n = 0; n < V; n++) store(out + m * outStride + (v + n) * 16, acc[m][n]);
  }
}

inline void multiplyPanel(float* out, int64_t outStride, const float* x, int64_t xStride, const float* panel,
                          int64_t columns, int64_t tokens, bool first) {
  int64_t t = 0;
  auto run = [&]<int M>() {
    for (; t + M <= tokens; t += M)
      multiplyTile<M>(out + t * outStride, outStride, x + t * xStride, xStride, panel, columns, first);
  };
  run.template operator()<TileTokens>();
  run.template operator()<4>();
  run.template operator()<1>();
}

// out (tokens, 32) = x . rows row .. row + 31, each panel decoded once for all tokens.
inline void scoreRows(float* out, int64_t outStride, const float* x, const Matrix& w, int64_t row, int64_t tokens) {
  for (int64_t from = 0; from < w.columns; from += PanelColumns) {
    const int64_t to = from + PanelColumns < w.columns ? from + PanelColumns : w.columns;
    const float* panel = fillPanel(w, row, from, to);
    multiplyPanel(out, outStride, x + from, w.columns, panel, to - from, tokens, from == 0);
  }
}

inline void score(float* out, const float* x, const Matrix& w, const float* bias, int64_t tokens, int64_t rowFrom,
                  int64_t rowTo) {
  for (int64_t row = rowFrom; row < rowTo; row += PanelRows) {
    const int64_t count = row + PanelRows < rowTo ? PanelRows : rowTo - row;
    if (count == PanelRows) {
      scoreRows(out + row, w.rows, x, w, row, tokens);
    } else {
      float* tile = scratch(2, tokens * PanelRows);
      scoreRows(tile, PanelRows, x, w, row, tokens);
      for (int64_t t = 0; t < tokens; t++) std::memcpy(out + t * w.rows + row, tile + t * PanelRows, count * 4);
    }
  }
  if (!bias) return;
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t row = rowFrom; row < rowTo; row++) out[t * w.rows + row] += bias[row];
}

constexpr int64_t TokenBlock = 1024;
// Log softmax of each token's logits at its target, over tiles of the vocabulary, so that the logits never stand whole.
inline void targets(float* logProbs, int32_t* best, const float* x, const Matrix& head, const float* bias,
                    float cap, const int32_t* wanted, int64_t tokenFrom, int64_t tokenTo) {
  float* tile = scratch(2, TokenBlock * PanelRows);
  std::vector<float> top(TokenBlock), logit(TokenBlock);
  std::vector<double> total(TokenBlock);
  for (int64_t t = tokenFrom; t < tokenTo; t += TokenBlock) {
    const int64_t block = t + TokenBlock < tokenTo ? TokenBlock : tokenTo - t;
    for (int64_t i = 0; i < block; i++) top[i] = -INFINITY, total[i] = 0;
    for (int64_t row = 0; row < head.rows; row += PanelRows) {
      const int64_t count = row + PanelRows < head.rows ? PanelRows : head.rows - row;
      scoreRows(tile, PanelRows, x + t * head.columns, head, row, block);
      for (int64_t i = 0; i < block; i++) {
        float* logits = tile + i * PanelRows;
        if (bias)
          for (int64_t r = 0; r < count; r++) logits[r] += bias[row + r];
        if (cap > 0)
          for (int64_t r = 0; r < PanelRows; r += 16) store(logits + r, capLanes(load(logits + r), cap));
        for (int64_t r = count; r < PanelRows; r++) logits[r] = -INFINITY;
        const F low = load(logits), high = load(logits + 16);
        const float peak = maximum(larger(low, high));
        if (peak > top[i]) {
          int32_t r = 0;
          while (logits[r] != peak) r++;
          best[t + i] = static_cast<int32_t>(row) + r;
          total[i] *= std::exp(static_cast<double>(top[i]) - peak);
          top[i] = peak;
        }
        const int64_t place = wanted[t + i] - row;
        if (place >= 0 && place < count) logit[i] = logits[place];
        total[i] += sum(exponential(low - top[i]) + exponential(high - top[i]));
      }
    }
    for (int64_t i = 0; i < block; i++)
      logProbs[t + i] = static_cast<float>(logit[i] - top[i] - std::log(total[i]));
  }
}

}  // namespace kbit::KBIT_ISA
