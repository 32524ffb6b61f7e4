// Node-API face of the kernels: a class `Kernels` that holds the chosen instruction set and the threads. Sizes have been
// checked in TypeScript (native-node.ts); typed arrays are used in place and kept alive by their owner there.
#include <napi.h>
#include <algorithm>
#include <bit>
#include <memory>
#include "pool.h"
#include "table.h"

namespace kbit {

#define KBIT_DECLARE(isa) namespace isa { extern const Functions functions; }
KBIT_DECLARE(portable)
#ifdef KBIT_X64
KBIT_DECLARE(avx2)
KBIT_DECLARE(avx512)
#endif

struct Choice {
  const Functions* functions;
  bool supported;
};

// Fastest first.
static std::vector<Choice> choices() {
  std::vector<Choice> list;
#ifdef KBIT_X64
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  list.push_back({&avx512::functions, avx512});
  list.push_back({&avx2::functions, avx2});
#endif
  list.push_back({&portable::functions, true});
  return list;
}

template <typename T>
static T* pointer(const Napi::Value& value) {
  if (value.IsUndefined() || value.IsNull()) return nullptr;
  auto array = value.As<Napi::TypedArray>();
  return reinterpret_cast<T*>(static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset());
}

static int64_t number(const Napi::Value& value) { return value.As<Napi::Number>().Int64Value(); }

static const Matrix& matrix(const Napi::Value& value) { return *value.As<Napi::External<Matrix>>().Data(); }

class Kernels : public Napi::ObjectWrap<Kernels> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Kernels",
                       {InstanceMethod<&Kernels::matmul>("matmul"), InstanceMethod<&Kernels::embed>("embed"),
                        InstanceMethod<&Kernels::scoreTargets>("scoreTargets"), InstanceMethod<&Kernels::attend>("attend"),
                        InstanceMethod<&Kernels::placeHeads>("placeHeads"),
                        InstanceMethod<&Kernels::layerNorm>("layerNorm"), InstanceMethod<&Kernels::rmsNorm>("rmsNorm"),
                        InstanceMethod<&Kernels::activate>("activate"), InstanceMethod<&Kernels::combine>("combine"),
                        InstanceMethod<&Kernels::close>("close")});
  }

  // (instruction set, threads)
  explicit Kernels(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Kernels>(info) {
    const std::string name = info[0].As<Napi::String>();
    for (const Choice& choice : choices())
      if (choice.supported && name == choice.functions->name) functions_ = choice.functions;
    if (!functions_) throw Napi::Error::New(info.Env(), "this processor has no " + name);
    pool_ = std::make_unique<Pool>(static_cast<int>(number(info[1])));
  }

 private:
  // Splits 0 .. total - 1 into stretches of whole multiples of `grain`, several for each thread.
  template <typename Fn>
  void split(int64_t total, int64_t grain, Fn fn) {
    const int64_t grains = (total + grain - 1) / grain;
    const int64_t parts = std::min<int64_t>(grains, pool_->threads() == 1 ? 1 : pool_->threads() * 4);
    pool_->run(parts, [&](int64_t i) {
      const int64_t from = grains * i / parts * grain, to = std::min(grains * (i + 1) / parts * grain, total);
      if (from < to) fn(from, to);
    });
  }

  // out, x, matrix, tokens, generating, bias
  void matmul(const Napi::CallbackInfo& info) {
    float* out = pointer<float>(info[0]);
    const float* x = pointer<float>(info[1]);
    const Matrix& w = matrix(info[2]);
    const int64_t tokens = number(info[3]);
    const float* bias = pointer<float>(info[5]);
    if (!info[4].As<Napi::Boolean>()) {
      split(w.rows, 32, [&](int64_t from, int64_t to) { functions_->score(out, x, w, bias, tokens, from, to); });
      return;
    }
    const float* kept = x;
    if (w.outlierCount > 0) {
      kept_.assign(x, x + tokens * w.columns);
      for (int64_t t = 0; t < tokens; t++)
        for (int32_t j = 0; j < w.outlierCount; j++) kept_[t * w.columns + w.outlierColumns[j]] = 0;
      kept = kept_.data();
    }
    const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, w.columns));
    split(w.rows, grain, [&](int64_t from, int64_t to) { functions_->generate(out, x, kept, w, bias, tokens, from, to); });
  }

  // out, matrix, ids
  void embed(const Napi::CallbackInfo& info) {
    float* out = pointer<float>(info[0]);
    const Matrix& w = matrix(info[1]);
    auto ids = info[2].As<Napi::Int32Array>();
    for (size_t t = 0; t < ids.ElementLength(); t++) functions_->row(out + t * w.columns, w, ids[t]);
  }

  // logProbs, best, x, matrix, targets, bias
  void scoreTargets(const Napi::CallbackInfo& info) {
    auto wanted = info[4].As<Napi::Int32Array>();
    float* logProbs = pointer<float>(info[0]);
    int32_t* best = pointer<int32_t>(info[1]);
    const float* x = pointer<float>(info[2]);
    const Matrix& head = matrix(info[3]);
    const float* bias = pointer<float>(info[5]);
    const int64_t tokens = static_cast<int64_t>(wanted.ElementLength());
    const int64_t grain = std::max<int64_t>(12, (tokens / pool_->threads() + 11) / 12 * 12);
    split(tokens, grain, [&](int64_t from, int64_t to) {
      functions_->targets(logProbs, best, x, head, bias, wanted.Data(), from, to);
    });
  }

  // out, query, keys, values, spans, slopes, tokens, heads, keyHeads, headSize, scale
  void attend(const Napi::CallbackInfo& info) {
    float* out = pointer<float>(info[0]);
    const float *query = pointer<float>(info[1]), *keys = pointer<float>(info[2]), *values = pointer<float>(info[3]);
    const Spans spans{static_cast<int32_t>(number(info[6])), static_cast<int32_t>(number(info[7])),
                      static_cast<int32_t>(number(info[8])), static_cast<int32_t>(number(info[9])),
                      info[10].As<Napi::Number>().FloatValue(), pointer<int32_t>(info[4]), pointer<float>(info[5])};
    constexpr int64_t chunk = 256;
    const int64_t chunks = (spans.tokens + chunk - 1) / chunk;
    pool_->run(chunks * spans.heads, [&](int64_t i) {
      const int64_t head = i % spans.heads, from = i / spans.heads * chunk;
      functions_->attend(out, query, keys, values, spans, head, head + 1, from, std::min<int64_t>(from + chunk, spans.tokens));
    });
  }

  // out, x, slots, cosines, sines, heads, headSize, width, offset, stride, turned, tokens
  void placeHeads(const Napi::CallbackInfo& info) {
    float* out = pointer<float>(info[0]);
    const float* x = pointer<float>(info[1]);
    const Heads heads{static_cast<int32_t>(number(info[5])), static_cast<int32_t>(number(info[6])),
                      number(info[7]), number(info[8]), number(info[9]), pointer<int32_t>(info[2]),
                      static_cast<int32_t>(number(info[10])), pointer<float>(info[3]), pointer<float>(info[4])};
    split(number(info[11]), 64, [&](int64_t from, int64_t to) { functions_->placeHeads(out, x, heads, from, to); });
  }

  // out, x, gain, bias, tokens, epsilon
  void layerNorm(const Napi::CallbackInfo& info) {
    float* out = pointer<float>(info[0]);
    const float *x = pointer<float>(info[1]), *gain = pointer<float>(info[2]), *bias = pointer<float>(info[3]);
    const int64_t width = static_cast<int64_t>(info[2].As<Napi::TypedArray>().ElementLength());
    const float epsilon = info[5].As<Napi::Number>().FloatValue();
    split(number(info[4]), 32, [&](int64_t from, int64_t to) {
      functions_->layerNorm(out, x, width, gain, bias, epsilon, from, to);
    });
  }

  // out, x, gain, tokens, epsilon
  void rmsNorm(const Napi::CallbackInfo& info) {
    float* out = pointer<float>(info[0]);
    const float *x = pointer<float>(info[1]), *gain = pointer<float>(info[2]);
    const int64_t width = static_cast<int64_t>(info[2].As<Napi::TypedArray>().ElementLength());
    const float epsilon = info[4].As<Napi::Number>().FloatValue();
    split(number(info[3]), 32,
          [&](int64_t from, int64_t to) { functions_->rmsNorm(out, x, width, gain, epsilon, from, to); });
  }

  // x, activation, length
  void activate(const Napi::CallbackInfo& info) {
    float* x = pointer<float>(info[0]);
    const auto activation = static_cast<Activation>(number(info[1]));
    split(number(info[2]), 4096, [&](int64_t from, int64_t to) { functions_->activate(x, activation, from, to); });
  }

  // out, a, b, length, product?
  void combine(const Napi::CallbackInfo& info) {
    float* out = pointer<float>(info[0]);
    const float *a = pointer<float>(info[1]), *b = pointer<float>(info[2]);
    auto fn = info[4].As<Napi::Boolean>() ? functions_->multiply : functions_->add;
    split(number(info[3]), 16384, [&](int64_t from, int64_t to) { fn(out, a, b, from, to); });
  }

  void close(const Napi::CallbackInfo&) { pool_ = std::make_unique<Pool>(1); }

  const Functions* functions_ = nullptr;
  std::unique_ptr<Pool> pool_;
  std::vector<float> kept_;
};

// dense: (storage, rows, columns, values)
// codes: (3, rows, columns, codes, tailCodes, blockSize, absmax, centers, bits, outlierColumns, outlierValues, codebook of 256)
static Napi::Value createMatrix(const Napi::CallbackInfo& info) {
  auto w = std::make_unique<Matrix>();
  w->storage = static_cast<Storage>(number(info[0]));
  w->rows = number(info[1]);
  w->columns = number(info[2]);
  if (w->storage == Storage::Codes) {
    w->codes = pointer<uint8_t>(info[3]);
    w->tailCodes = pointer<uint8_t>(info[4]);
    w->blockSize = number(info[5]);
    w->blockShift = std::has_single_bit(static_cast<uint64_t>(w->blockSize)) ? std::countr_zero(static_cast<uint64_t>(w->blockSize)) : -1;
    w->absmax = pointer<float>(info[6]);
    w->centers = pointer<float>(info[7]);
    w->centerCount = w->centers ? static_cast<int64_t>(info[7].As<Napi::TypedArray>().ElementLength()) : 0;
    w->bits = static_cast<int32_t>(number(info[8]));
    w->outlierColumns = pointer<uint32_t>(info[9]);
    w->outlierCount = w->outlierColumns ? static_cast<int32_t>(info[9].As<Napi::TypedArray>().ElementLength()) : 0;
    w->outlierValues = pointer<uint16_t>(info[10]);
    std::copy_n(pointer<float>(info[11]), 256, w->codebook);
  } else {
    w->values = pointer<void>(info[3]);
  }
  return Napi::External<Matrix>::New(info.Env(), w.release(), [](Napi::Env, Matrix* matrix) { delete matrix; });
}

// Instruction sets, fastest first: [{ name, supported }]
static Napi::Value listInstructionSets(const Napi::CallbackInfo& info) {
  auto list = Napi::Array::New(info.Env());
  for (const Choice& choice : choices()) {
    auto entry = Napi::Object::New(info.Env());
    entry.Set("name", choice.functions->name);
    entry.Set("supported", choice.supported);
    list.Set(list.Length(), entry);
  }
  return list;
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Kernels", Kernels::define(env));
  exports.Set("createMatrix", Napi::Function::New(env, createMatrix));
  exports.Set("listInstructionSets", Napi::Function::New(env, listInstructionSets));
  return exports;
}

NODE_API_MODULE(kbit, init)

}  // namespace kbit
