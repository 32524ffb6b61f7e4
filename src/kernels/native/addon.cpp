// Node-API face of the kernels: a class `Kernels` that holds the chosen instruction set and the threads. Every argument is
// checked here (arguments.h, weight.h); typed arrays are used in place.
#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include "arguments.h"
#include "mapping.h"
#include "pool.h"
#include "processor.h"
#include "quantizer.h"
#include "table.h"
#include "weight.h"

namespace kbit {

class Kernels : public Napi::ObjectWrap<Kernels> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Kernels",
                       {InstanceMethod<&Kernels::matmul>("matmul"), InstanceMethod<&Kernels::embed>("embed"),
                        InstanceMethod<&Kernels::scoreTargets>("scoreTargets"), InstanceMethod<&Kernels::attend>("attend"),
                        InstanceMethod<&Kernels::placeHeads>("placeHeads"),
                        InstanceMethod<&Kernels::layerNorm>("layerNorm"), InstanceMethod<&Kernels::rmsNorm>("rmsNorm"),
                        InstanceMethod<&Kernels::activate>("activate"), InstanceMethod<&Kernels::combine>("combine"),
                        InstanceMethod<&Kernels::measureRead>("measureRead"),
                        InstanceMethod<&Kernels::measurePeak>("measurePeak"), InstanceMethod<&Kernels::close>("close")});
  }

  // (instruction set, threads, products in bfloat16?)
  explicit Kernels(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Kernels>(info), bfloat16_(truth(info[2])) {
    const std::string name = info[0].ToString();
    functions_ = findFunctions(name);
    require(info.Env(), functions_ != nullptr, "this processor has no such instruction set");
    if (name == "avx512") wide_ = wideFunctions();
    pool_ = std::make_unique<Pool>(static_cast<int>(whole(info[1], "threads", 1, 1024)));
  }

 private:
  // Splits 0 .. total - 1 into stretches of whole multiples of `grain`, several for each thread.
  template <typename Fn>
  void split(int64_t total, int64_t grain, Fn fn) {
    const int64_t grains = (total + grain - 1) / grain;
    const int64_t parts = std::min<int64_t>(grains, pool_->threads() == 1 ? 1 : pool_->threads() * 8);
    pool_->run(parts, [&](int64_t i) {
      const int64_t from = grains * i / parts * grain, to = std::min(grains * (i + 1) / parts * grain, total);
      if (from < to) fn(from, to);
    });
  }

  // Memory of at least `count` elements that begins with a cache line, as loads across two lines cost two.
  template <typename T>
  static T* alignedIn(std::vector<T>& memory, int64_t count) {
    constexpr uintptr_t line = 64;
    if (memory.size() < count + line / sizeof(T)) memory.resize(count + line / sizeof(T));
    return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(memory.data()) + line - 1) / line * line);
  }

  // Activations as a product takes them: rounded if it is in bfloat16, and while generating at the start of a cache line,
  // once as they are and once without outlier columns.
  const float* prepare(const float* x, int64_t tokens, const Matrix& w, bool generating, bool withoutOutliers = false) {
    withoutOutliers = withoutOutliers && w.outlierCount > 0;
    const bool misplaced = generating && reinterpret_cast<uintptr_t>(x) % 64 != 0;
    if (!bfloat16_ && !withoutOutliers && !misplaced) return x;
    float* copy = alignedIn(withoutOutliers ? kept_ : rounded_, tokens * w.columns);
    std::copy_n(x, tokens * w.columns, copy);
    if (bfloat16_) functions_->roundToBfloat16(copy, tokens * w.columns);
    if (!withoutOutliers) return copy;
    for (int64_t t = 0; t < tokens; t++)
      for (int32_t j = 0; j < w.outlierCount; j++) copy[t * w.columns + w.outlierColumns[j]] = 0;
    return copy;
  }

  // out, x, matrix, tokens, generating, bias
  void matmul(const Napi::CallbackInfo& info) {
    const Matrix& w = Weight::of(info[2]);
    const int64_t tokens = whole(info[3], "tokens");
    float* out = array<float>(info[0], "out", tokens * w.rows).data;
    const float* given = array<float>(info[1], "x", tokens * w.columns).data;
    const float* bias = optionalArray<float>(info[5], "bias", w.rows).data;
    const bool generating = truth(info[4]);
    if (tokens == 0) return;
    if (wide_ && w.outlierCount == 0) {
      if (bfloat16_ && suitsWide(w, generating)) return multiplyWide(out, given, w, bias, tokens, generating);
      if (!bfloat16_ && generating && suitsBytes(w)) return multiplyBytes(out, given, w, bias, tokens);
    }
    const float* x = prepare(given, tokens, w, generating);
    if (!generating) {
      split(w.rows, 32, [&](int64_t from, int64_t to) { functions_->score(out, x, w, bias, tokens, from, to); });
      return;
    }
    const float* kept = w.outlierCount > 0 ? prepare(given, tokens, w, true, true) : x;
    split(w.rows, grainOf(w), [&](int64_t from, int64_t to) { functions_->generate(out, x, kept, w, bias, tokens, from, to); });
  }

  static bool isWholeCodes(const Matrix& w) { return w.storage == Storage::Codes && isWhole(w); }
  static bool suitsWide(const Matrix& w, bool generating) { return isWholeCodes(w) || (!generating && w.columns % 64 == 0); }
  static bool suitsBytes(const Matrix& w) { return isWholeCodes(w) && w.bits >= 6; }
  static int64_t grainOf(const Matrix& w) { return std::max<int64_t>(1, 16384 / w.columns); }

  void multiplyWide(float* out, const float* x, const Matrix& w, const float* bias, int64_t tokens, bool generating) {
    uint16_t* arranged = alignedIn(arranged_, tokens * w.columns);
    const int64_t step = 65536 / w.columns + 1;
    split(tokens, step, [&](int64_t from, int64_t to) {
      wide_->arrange(arranged + from * w.columns, x + from * w.columns, (to - from) * w.columns, isWholeCodes(w) ? w.bits : 0);
    });
    split(w.rows, generating ? grainOf(w) : 16, [&](int64_t from, int64_t to) {
      (generating ? wide_->generate : wide_->score)(out, arranged, w, tokens, from, to);
      addBias(out, w, bias, tokens, from, to);
    });
  }

  void multiplyBytes(float* out, const float* x, const Matrix& w, const float* bias, int64_t tokens) {
    float* turned = alignedIn(rounded_, tokens * w.columns);
    wide_->turn(turned, x, tokens * w.columns);
    split(w.rows, grainOf(w), [&](int64_t from, int64_t to) {
      wide_->generateBytes(out, turned, w, tokens, from, to);
      addBias(out, w, bias, tokens, from, to);
    });
  }

  static void addBias(float* out, const Matrix& w, const float* bias, int64_t tokens, int64_t from, int64_t to) {
    if (!bias) return;
    for (int64_t t = 0; t < tokens; t++)
      for (int64_t row = from; row < to; row++) out[t * w.rows + row] += bias[row];
  }

  // out, matrix, ids
  void embed(const Napi::CallbackInfo& info) {
    const Matrix& w = Weight::of(info[1]);
    const auto ids = array<int32_t>(info[2], "ids");
    float* out = array<float>(info[0], "out", ids.length * w.columns).data;
    for (int64_t t = 0; t < ids.length; t++) {
      const int64_t id = ids.data[t];
      require(info.Env(), id >= 0 && id < w.rows, "an id is outside");
      functions_->row(out + t * w.columns, w, id);
    }
  }

  // logProbs, best, x, matrix, targets, bias, cap
  void scoreTargets(const Napi::CallbackInfo& info) {
    const Matrix& head = Weight::of(info[3]);
    const auto wanted = array<int32_t>(info[4], "targets");
    const int64_t tokens = wanted.length;
    float* logProbs = array<float>(info[0], "logProbs", tokens).data;
    int32_t* best = array<int32_t>(info[1], "best", tokens).data;
    const float* x = prepare(array<float>(info[2], "x", tokens * head.columns).data, tokens, head, false);
    const float* bias = optionalArray<float>(info[5], "bias", head.rows).data;
    const float cap = real(info[6], "cap");
    const int64_t grain = std::max<int64_t>(12, (tokens / pool_->threads() + 11) / 12 * 12);
    split(tokens, grain, [&](int64_t from, int64_t to) {
      functions_->targets(logProbs, best, x, head, bias, cap, wanted.data, from, to);
    });
  }

  // out, query, keys, values, spans, slopes, tokens, heads, keyHeads, headSize, scale, cap
  void attend(const Napi::CallbackInfo& info) {
    const int64_t tokens = whole(info[6], "tokens"), heads = whole(info[7], "heads", 1, 65536);
    const int64_t keyHeads = whole(info[8], "key heads", 1, heads), headSize = whole(info[9], "head size", 1, 65536);
    require(info.Env(), heads % keyHeads == 0, "heads are no multiple of key heads");
    float* out = array<float>(info[0], "out", tokens * heads * headSize).data;
    const float* query = array<float>(info[1], "query", tokens * heads * headSize).data;
    const auto keys = array<float>(info[2], "keys"), values = array<float>(info[3], "values");
    const int64_t slots = std::min(keys.length, values.length) / (keyHeads * headSize);
    const auto given = array<int32_t>(info[4], "spans", tokens * 4);
    const std::vector<int32_t> rows(given.data, given.data + tokens * 4);
    for (int64_t i = 0; i < tokens * 4; i += 2) {
      const int64_t start = rows[i], length = rows[i + 1];
      require(info.Env(), start >= 0 && length >= 0 && start + length <= slots, "a span leaves the cache");
    }
    const Spans spans{static_cast<int32_t>(tokens), static_cast<int32_t>(heads), static_cast<int32_t>(keyHeads),
                      static_cast<int32_t>(headSize), real(info[10], "scale"), real(info[11], "cap"), rows.data(),
                      optionalArray<float>(info[5], "slopes", heads).data};
    constexpr int64_t chunk = 256;
    const int64_t chunks = (tokens + chunk - 1) / chunk;
    // Heads that share keys together, as these are rearranged for them, if that leaves work for all threads.
    const int64_t step = keyHeads >= pool_->threads() ? heads / keyHeads : 1, parts = heads / step;
    pool_->run(chunks * parts, [&](int64_t i) {
      const int64_t head = i % parts * step, from = i / parts * chunk;
      functions_->attend(out, query, keys.data, values.data, spans, head, head + step, from, std::min(from + chunk, tokens));
    });
  }

  // out, x, slots, cosines, sines, heads, headSize, width, offset, stride, turned, tokens
  void placeHeads(const Napi::CallbackInfo& info) {
    const int64_t tokens = whole(info[11], "tokens"), heads = whole(info[5], "heads", 1, 65536);
    const int64_t headSize = whole(info[6], "head size", 1, 65536), width = whole(info[7], "width", 1);
    const int64_t offset = whole(info[8], "offset"), stride = whole(info[9], "stride");
    const int64_t turned = whole(info[10], "rotary size", 0, headSize);
    require(info.Env(), turned % 2 == 0, "the rotary size is odd");
    require(info.Env(), offset + (heads - 1) * stride + headSize <= width, "the heads do not fit their row");
    const auto out = array<float>(info[0], "out");
    const float* x = array<float>(info[1], "x", tokens * width).data;
    const auto given = array<int32_t>(info[2], "slots", tokens);
    const std::vector<int32_t> slots(given.data, given.data + tokens);
    for (int64_t slot : slots)
      require(info.Env(), slot >= 0 && (slot + 1) * heads * headSize <= out.length, "a slot is outside");
    const int64_t turns = tokens * (turned / 2);
    const float* cosines = turned > 0 ? array<float>(info[3], "cosines", turns).data : nullptr;
    const float* sines = turned > 0 ? array<float>(info[4], "sines", turns).data : nullptr;
    const Heads place{static_cast<int32_t>(heads), static_cast<int32_t>(headSize), width, offset, stride, slots.data(),
                      static_cast<int32_t>(turned), cosines, sines};
    split(tokens, 64, [&](int64_t from, int64_t to) { functions_->placeHeads(out.data, x, place, from, to); });
  }

  // out, x, gain, bias, tokens, epsilon
  void layerNorm(const Napi::CallbackInfo& info) {
    const auto gain = array<float>(info[2], "gain");
    const int64_t tokens = whole(info[4], "tokens");
    float* out = array<float>(info[0], "out", tokens * gain.length).data;
    const float* x = array<float>(info[1], "x", tokens * gain.length).data;
    const float* bias = optionalArray<float>(info[3], "bias", gain.length).data;
    const float epsilon = real(info[5], "epsilon");
    split(tokens, 32, [&](int64_t from, int64_t to) {
      functions_->layerNorm(out, x, gain.length, gain.data, bias, epsilon, from, to);
    });
  }

  // out, x, gain, tokens, epsilon
  void rmsNorm(const Napi::CallbackInfo& info) {
    const auto gain = array<float>(info[2], "gain");
    const int64_t tokens = whole(info[3], "tokens");
    float* out = array<float>(info[0], "out", tokens * gain.length).data;
    const float* x = array<float>(info[1], "x", tokens * gain.length).data;
    const float epsilon = real(info[4], "epsilon");
    split(tokens, 32,
          [&](int64_t from, int64_t to) { functions_->rmsNorm(out, x, gain.length, gain.data, epsilon, from, to); });
  }

  // x, activation, length
  void activate(const Napi::CallbackInfo& info) {
    const int64_t length = whole(info[2], "length");
    float* x = array<float>(info[0], "x", length).data;
    const auto activation = static_cast<Activation>(whole(info[1], "activation", 0, 3));
    split(length, 4096, [&](int64_t from, int64_t to) { functions_->activate(x, activation, from, to); });
  }

  // out, a, b, length, product?
  void combine(const Napi::CallbackInfo& info) {
    const int64_t length = whole(info[3], "length");
    float* out = array<float>(info[0], "out", length).data;
    const float* a = array<float>(info[1], "a", length).data;
    const float* b = array<float>(info[2], "b", length).data;
    auto fn = truth(info[4]) ? functions_->multiply : functions_->add;
    split(length, 16384, [&](int64_t from, int64_t to) { fn(out, a, b, from, to); });
  }

  // (bytes): seconds that all threads take to read them once
  Napi::Value measureRead(const Napi::CallbackInfo& info) {
    const auto bytes = array<uint8_t>(info[0], "bytes", 1 << 20);
    std::vector<float> sums(pool_->threads() * 8);
    const int64_t parts = static_cast<int64_t>(sums.size()), step = bytes.length / parts / 256 * 256;
    const auto start = std::chrono::steady_clock::now();
    pool_->run(parts, [&](int64_t i) { sums[i] = functions_->readBytes(bytes.data + i * step, step); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    return Napi::Number::New(info.Env(), seconds.count() * bytes.length / std::max<int64_t>(1, step * parts));
  }

  // (bfloat16?): floating-point operations a second of all threads; 0 where there are no such instructions
  Napi::Value measurePeak(const Napi::CallbackInfo& info) {
    const bool bfloat16 = truth(info[0]);
    if (bfloat16 && !wideFunctions()) return Napi::Number::New(info.Env(), 0);
    auto run = bfloat16 ? wideFunctions()->multiplyAdd : functions_->multiplyAdd;
    std::vector<double> operations(pool_->threads() * 8);
    const auto start = std::chrono::steady_clock::now();
    pool_->run(static_cast<int64_t>(operations.size()), [&](int64_t i) { operations[i] = run(20000, bfloat16); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    return Napi::Number::New(info.Env(), std::accumulate(operations.begin(), operations.end(), 0.0) / seconds.count());
  }

  void close(const Napi::CallbackInfo&) { pool_ = std::make_unique<Pool>(1); }

  const Functions* functions_ = nullptr;
  const WideFunctions* wide_ = nullptr;
  bool bfloat16_;
  std::unique_ptr<Pool> pool_;
  std::vector<float> kept_, rounded_;  // `rounded_` or turned
  std::vector<uint16_t> arranged_;
};

// Instruction sets, fastest first: [{ name, missing }]
static Napi::Value listInstructionSets(const Napi::CallbackInfo& info) {
  auto list = Napi::Array::New(info.Env());
  for (const Choice& choice : choices()) {
    auto entry = Napi::Object::New(info.Env());
    entry.Set("name", choice.functions->name);
    entry.Set("missing", choice.missing);
    list.Set(list.Length(), entry);
  }
  return list;
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Kernels", Kernels::define(env));
  exports.Set("Quantizer", Quantizer::define(env));
  exports.Set("createMatrix", Napi::Function::New(env, Weight::create));
  exports.Set("releaseMatrix", Napi::Function::New(env, Weight::release));
  exports.Set("mapFile", Napi::Function::New(env, mapFile));
  exports.Set("listInstructionSets", Napi::Function::New(env, listInstructionSets));
  return exports;
}

NODE_API_MODULE(kbit, init)

}  // namespace kbit
