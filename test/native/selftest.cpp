// A program that holds the kernels of one instruction set to plain loops in double precision, for processors on which Node
// does not run here. Compiled with isa.cpp and -DKBIT_ISA=NAME; test/native/arm.mjs runs it for NEON under qemu.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>
#include "../../src/kernels/native/table.h"

namespace kbit::KBIT_ISA { extern const Functions functions; }
using namespace kbit;

static const Functions& f = kbit::KBIT_ISA::functions;
static int failures = 0;
static uint32_t state = 1;

static float wave() {  // in (-1, 1)
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<int32_t>(state)) / 2147483648.0f;
}
static std::vector<float> waves(size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = wave();
  return values;
}

static void check(const char* what, int64_t a, int64_t b, double worst, double bound) {
  if (worst <= bound) return;
  std::printf("%s (%ld, %ld) is off by %g\n", what, static_cast<long>(a), static_cast<long>(b), worst);
  failures++;
}

// Bit `at` of the code at place i of a group of 512 codes of k bits, by the layout of quantize/pack.ts.
static void setCode(uint8_t* group, int k, int i, uint32_t code) {
  const int perWord = 32 / k, lane = i % 16, position = i / 16, left = 32 - k * perWord;
  for (int bit = 0; bit < k; bit++) {
    int word = position / perWord, at = k * (position % perWord) + bit;
    if (position >= k * perWord) {
      const int rest = k * (position - k * perWord) + bit;
      word = rest / left;
      at = 32 - left + rest % left;
    }
    if (code >> bit & 1) group[(word * 16 + lane) * 4 + at / 8] |= static_cast<uint8_t>(1 << at % 8);
  }
}

static void checkCodes(int k, int64_t rows, int64_t columns, int64_t blockSize, bool centered) {
  const int64_t count = rows * columns, groups = count / 512, blocks = (count + blockSize - 1) / blockSize;
  std::vector<uint8_t> codes(groups * 64 * k + 64), tail(512);
  std::vector<float> absmax = waves(blocks), centers = waves(blocks), dense(count);
  Matrix w{};
  for (int i = 0; i < 256; i++) w.codebook[i] = i < 1 << k ? wave() : w.codebook[i % (1 << k)];
  for (int64_t i = 0; i < count; i++) {
    const uint32_t code = (state = state * 1664525u + 1013904223u) >> (32 - k);
    if (i < groups * 512) setCode(codes.data() + i / 512 * 64 * k, k, static_cast<int>(i % 512), code);
    else tail[i - groups * 512] = static_cast<uint8_t>(code);
    dense[i] = w.codebook[code] * absmax[i / blockSize] + (centered ? centers[i / blockSize] : 0.0f);
  }
  w.storage = Storage::Codes, w.rows = rows, w.columns = columns, w.codes = codes.data(), w.tailCodes = tail.data();
  w.blockSize = blockSize, w.blockShift = blockSize == 64 ? 6 : -1, w.absmax = absmax.data(), w.bits = k;
  if (centered) w.centers = centers.data(), w.centerCount = blocks;
  for (const int64_t tokens : {1, 2, 7, 64}) {
    const std::vector<float> x = waves(tokens * columns), bias = waves(rows);
    std::vector<float> fast(tokens * rows), many(tokens * rows);
    f.generate(fast.data(), x.data(), x.data(), w, bias.data(), tokens, 0, rows);
    f.score(many.data(), x.data(), w, bias.data(), tokens, 0, rows);
    double worst = 0;
    for (int64_t t = 0; t < tokens; t++)
      for (int64_t r = 0; r < rows; r++) {
        double total = bias[r], size = 1;
        for (int64_t c = 0; c < columns; c++) {
          const double term = static_cast<double>(dense[r * columns + c]) * x[t * columns + c];
          total += term, size += std::fabs(term);
        }
        for (const float got : {fast[t * rows + r], many[t * rows + r]}) worst = std::fmax(worst, std::fabs(got - total) / size);
      }
    check("product of codes", k, columns, worst, 1e-6);
  }
  std::vector<float> row(columns);
  f.row(row.data(), w, rows - 1);
  double worst = 0;
  for (int64_t c = 0; c < columns; c++) worst = std::fmax(worst, std::fabs(row[c] - dense[(rows - 1) * columns + c]));
  check("decoded row", k, columns, worst, 1e-6);
}

static void checkHalves() {  // every float16 value
  std::vector<uint16_t> halves(65536);
  for (int i = 0; i < 65536; i++) halves[i] = static_cast<uint16_t>(i);
  Matrix w{};
  w.storage = Storage::F16, w.rows = 32, w.columns = 2048, w.values = halves.data();
  for (int r = 0; r < 32; r++) {
    std::vector<float> row(2048);
    f.row(row.data(), w, r);
    for (int c = 0; c < 2048; c++) {
      const int i = r * 2048 + c, exponent = i >> 10 & 31, mantissa = i & 1023;
      double value = exponent == 31 ? (mantissa ? NAN : INFINITY)
                     : exponent    ? std::ldexp(1024 + mantissa, exponent - 25)
                                   : std::ldexp(mantissa, -24);
      if (i & 0x8000) value = -value;
      if (!(row[c] == value || (value != value && row[c] != row[c]))) check("float16", i, 0, 1, 0);
    }
  }
}

static void checkFunctions() {
  const std::vector<float> x = waves(1003);
  const Activation kinds[] = {Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu};
  for (const Activation kind : kinds) {
    std::vector<float> y(x);
    for (float& v : y) v *= 8;
    const std::vector<float> in(y);
    f.activate(y.data(), kind, 0, static_cast<int64_t>(y.size()));
    double worst = 0;
    for (size_t i = 0; i < y.size(); i++) {
      const double v = in[i];
      const double expected = kind == Activation::Relu   ? std::fmax(v, 0)
                              : kind == Activation::Gelu ? v * std::erfc(-v / std::sqrt(2)) / 2
                              : kind == Activation::Silu ? v / (1 + std::exp(-v))
                                                         : v / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
      worst = std::fmax(worst, std::fabs(y[i] - expected));
    }
    check("activation", static_cast<int>(kind), 0, worst, 1e-5);
  }
  std::vector<float> out(1003), gain = waves(1003);
  f.rmsNorm(out.data(), x.data(), 1003, gain.data(), 1e-5f, 0, 1);
  double squares = 0, worst = 0;
  for (const float v : x) squares += static_cast<double>(v) * v;
  for (size_t i = 0; i < x.size(); i++)
    worst = std::fmax(worst, std::fabs(out[i] - x[i] / std::sqrt(squares / 1003 + 1e-5) * gain[i]));
  check("rmsNorm", 1003, 0, worst, 1e-5);
}

static void checkAttention(int headSize) {
  const int tokens = 9, heads = 4, keyHeads = 2, slots = 40;
  const auto query = waves(tokens * heads * headSize), keys = waves(slots * keyHeads * headSize);
  const auto values = waves(slots * keyHeads * headSize), slopes = waves(heads);
  std::vector<int32_t> spans;
  for (int t = 0; t < tokens; t++) spans.insert(spans.end(), {0, 17, 20, t + 1});
  std::vector<float> out(tokens * heads * headSize);
  const Spans s{tokens, heads, keyHeads, headSize, 0.2f, 0.0f, spans.data(), slopes.data()};
  f.attend(out.data(), query.data(), keys.data(), values.data(), s, 0, heads, 0, tokens);
  double worst = 0;
  for (int t = 0; t < tokens; t++)
    for (int h = 0; h < heads; h++) {
      const int count = 17 + t + 1, g = h / (heads / keyHeads);
      std::vector<double> weight(count);
      double total = 0;
      auto slot = [&](int k) { return k < 17 ? k : 20 + k - 17; };
      for (int k = 0; k < count; k++) {
        double score = 0;
        for (int d = 0; d < headSize; d++)
          score += static_cast<double>(query[(t * heads + h) * headSize + d]) * keys[(slot(k) * keyHeads + g) * headSize + d];
        total += weight[k] = std::exp(0.2 * score - slopes[h] * (count - 1 - k));
      }
      for (int d = 0; d < headSize; d++) {
        double expected = 0;
        for (int k = 0; k < count; k++) expected += weight[k] / total * values[(slot(k) * keyHeads + g) * headSize + d];
        worst = std::fmax(worst, std::fabs(out[(t * heads + h) * headSize + d] - expected));
      }
    }
  check("attention", headSize, 0, worst, 1e-5);
}

// Codes of float32 or float16 weights, against the nearest value by plain comparison in double precision.
static void checkEncoding(int k, int64_t count, int64_t blockSize, Storage type) {
  const int64_t blocks = (count + blockSize - 1) / blockSize, size = 1 << k;
  std::vector<float> codebook(size), absmax(blocks), values(count);
  std::vector<double> midpoints(256, INFINITY);
  for (int64_t i = 0; i < size; i++) codebook[i] = static_cast<float>(2.0 * i / (size - 1) - 1);
  for (int64_t i = 0; i + 1 < size; i++) midpoints[i] = (static_cast<double>(codebook[i]) + codebook[i + 1]) / 2;
  std::vector<uint16_t> halves(count);
  for (int64_t i = 0; i < count; i++) {
    const int n = static_cast<int>(wave() * 1024);  // n / 1024 is a float16: its bits by counting places
    const int magnitude = n < 0 ? -n : n;
    int exponent = 0;
    while (magnitude >> (exponent + 1)) exponent++;
    halves[i] = static_cast<uint16_t>(n == 0 ? 0 : (n < 0 ? 0x8000 : 0) | (exponent + 5) << 10 | ((magnitude << (10 - exponent)) & 1023));
    values[i] = static_cast<float>(n) / 1024;
  }
  const void* stored = type == Storage::F32 ? static_cast<const void*>(values.data()) : halves.data();
  const auto* bytes = static_cast<const uint8_t*>(stored);
  for (int64_t b = 0; b < blocks; b++) {
    const int64_t end = std::min((b + 1) * blockSize, count);
    const uint32_t word = f.largest(bytes, type, b * blockSize, end);
    std::memcpy(&absmax[b], &word, 4);
    float most = 0;
    for (int64_t i = b * blockSize; i < end; i++) most = std::fmax(most, std::fabs(values[i]));
    check("largest magnitude", k, blockSize, std::fabs(most - absmax[b]), 0);
  }
  const int64_t groups = count / 512;
  std::vector<uint8_t> packed(groups * 64 * k + (count % 512 * k + 7) / 8), expected(packed.size());
  f.encode(packed.data(), {bytes, type, k, blockSize, absmax.data(), midpoints.data(), static_cast<uint8_t>(size / 2 - 1)}, 0, count);
  for (int64_t i = 0; i < count; i++) {
    const double scale = absmax[i / blockSize];
    uint32_t code = 0;
    while (code + 1 < static_cast<uint32_t>(size) && values[i] > midpoints[code] * scale) code++;
    if (scale == 0) code = static_cast<uint32_t>(size / 2 - 1);
    if (i < groups * 512) {
      setCode(expected.data() + i / 512 * 64 * k, k, static_cast<int>(i % 512), code);
    } else {
      for (int bit = 0; bit < k; bit++) {
        const int64_t at = (i - groups * 512) * k + bit;
        if (code >> bit & 1) expected[groups * 64 * k + at / 8] |= static_cast<uint8_t>(1 << at % 8);
      }
    }
  }
  check("packed codes", k, blockSize, packed == expected ? 0 : 1, 0);
  std::vector<uint32_t> counts(65536);
  const int16_t slots[1] = {0};
  f.countDigits(counts.data(), reinterpret_cast<const uint8_t*>(halves.data()), Storage::F16, 0, count, slots, 0, 16);
  int64_t negative = 0, below = 0;
  for (int64_t i = 0; i < count; i++) negative += halves[i] >> 15;
  for (int i = 0; i < 32768; i++) below += counts[i];
  check("counted halves", k, count, negative == below ? 0 : 1, 0);
}

int main() {
  for (int k = 2; k <= 8; k++)
    for (const int64_t columns : {1, 16, 48, 100, 127, 512, 515, 1600})
      for (const int64_t blockSize : {16, 33, 64, 4096})
        for (const bool centered : {false, true}) checkCodes(k, 5, columns, blockSize, centered);
  for (int k = 2; k <= 8; k++)
    for (const int64_t count : {1, 100, 512, 1571})
      for (const int64_t blockSize : {16, 33, 64, 4096})
        for (const Storage type : {Storage::F32, Storage::F16}) checkEncoding(k, count, blockSize, type);
  checkHalves();
  checkFunctions();
  for (const int headSize : {5, 16, 64, 80}) checkAttention(headSize);
  std::printf("%s: %s\n", f.name, failures == 0 ? "all kernels agree with plain loops" : "FAILED");
  return failures == 0 ? 0 : 1;
}
