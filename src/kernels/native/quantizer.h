// Node-API face of quantization: a class `Quantizer` that holds the chosen instruction set and its threads. Weights come as
// the bytes of their storage type and are read in place; ranges of a matrix may be given apart.
#pragma once
#include <algorithm>
#include <atomic>
#include <memory>
#include "arguments.h"
#include "pool.h"
#include "processor.h"

namespace kbit {

class Quantizer : public Napi::ObjectWrap<Quantizer> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Quantizer",
                       {InstanceMethod<&Quantizer::measureAbsmax>("measureAbsmax"),
                        InstanceMethod<&Quantizer::encode>("encode"),
                        InstanceMethod<&Quantizer::countDigits>("countDigits"), InstanceMethod<&Quantizer::close>("close")});
  }

  // (instruction set, threads)
  explicit Quantizer(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Quantizer>(info), functions_(findFunctions(info[0].ToString())) {
    require(info.Env(), functions_ != nullptr, "this processor has no such instruction set");
    pool_ = std::make_unique<Pool>(static_cast<int>(whole(info[1], "threads", 1, 1024)));
  }

 private:
  // Weights a part of the work: enough for a thread to be worth it, few enough that a slow one keeps nobody waiting.
  static constexpr int64_t PartWeights = 1 << 16;

  struct Weights {
    const uint8_t* bytes;
    Storage type;
    int64_t count;
  };
  static Weights weightsOf(const Napi::Value& bytes, const Napi::Value& type) {
    const auto given = array<uint8_t>(bytes, "weights", 1);
    const auto storage = static_cast<Storage>(whole(type, "storage", 0, 2));
    const int64_t width = storage == Storage::F32 ? 4 : 2;
    require(bytes.Env(), given.length % width == 0, "weights are no whole number of their type");
    return {given.data, storage, given.length / width};
  }

  static int64_t partsOf(int64_t count) { return (count + PartWeights - 1) / PartWeights; }

  // absmax, weights, storage, blockSize: fills absmax; whether all weights are finite
  Napi::Value measureAbsmax(const Napi::CallbackInfo& info) {
    const Weights w = weightsOf(info[1], info[2]);
    const int64_t blockSize = whole(info[3], "block size", 1, INT64_MAX / 2048);
    const int64_t blocks = (w.count + blockSize - 1) / blockSize;
    auto* absmax = reinterpret_cast<uint32_t*>(array<float>(info[0], "absmax", blocks).data);
    std::fill(absmax, absmax + blocks, 0u);
    std::atomic<bool> finite{true};
    pool_->run(partsOf(w.count), [&](int64_t part) {
      const int64_t from = part * PartWeights, to = std::min(from + PartWeights, w.count);
      for (int64_t i = from; i < to;) {
        const int64_t block = i / blockSize, end = std::min((block + 1) * blockSize, to);
        const uint32_t found = functions_->largest(w.bytes, w.type, i, end);
        if (found >= 0x7f800000u) finite = false;
        std::atomic_ref<uint32_t> kept(absmax[block]);  // of a block that parts share
        for (uint32_t before = kept.load(std::memory_order_relaxed);
             found > before && !kept.compare_exchange_weak(before, found, std::memory_order_relaxed);) {}
        i = end;
      }
    });
    return Napi::Boolean::New(info.Env(), finite);
  }

  // codes, weights, storage, from, to, bits, blockSize, absmax, midpoints, zeroCode: packed codes of the weights from .. to - 1
  void encode(const Napi::CallbackInfo& info) {
    const Weights w = weightsOf(info[1], info[2]);
    const int64_t from = whole(info[3], "from", 0, w.count), to = whole(info[4], "to", from, w.count);
    require(info.Env(), from % 512 == 0 && (to % 512 == 0 || to == w.count), "a range that does not fall on groups");
    const auto bits = static_cast<int32_t>(whole(info[5], "bits", 2, 8));
    const int64_t blockSize = whole(info[6], "block size", 1, INT64_MAX / 2048);
    const int64_t blocks = (w.count + blockSize - 1) / blockSize;
    const int64_t packed = w.count / 512 * 64 * bits + (w.count % 512 * bits + 7) / 8;
    uint8_t* codes = array<uint8_t>(info[0], "codes", packed).data;
    const Coding coding{w.bytes, w.type, bits, blockSize, array<float>(info[7], "absmax", blocks).data,
                        array<double>(info[8], "midpoints", 256).data,
                        static_cast<uint8_t>(whole(info[9], "zero code", 0, (1 << bits) - 1))};
    pool_->run(partsOf(to - from), [&](int64_t part) {
      const int64_t start = from + part * PartWeights, end = std::min(start + PartWeights, to);
      functions_->encode(codes, coding, start, end);
    });
  }

  // counts, weights, storage, slots, shift, digitBits: adds to counts (slots, 2^digitBits)
  void countDigits(const Napi::CallbackInfo& info) {
    const Weights w = weightsOf(info[1], info[2]);
    const int64_t keyBits = w.type == Storage::F32 ? 32 : 16;
    const int64_t digitBits = whole(info[5], "digit bits", 1, 16), shift = whole(info[4], "shift", 0, keyBits - digitBits);
    const auto counts = array<uint32_t>(info[0], "counts");
    const auto given = array<int16_t>(info[3], "slots", int64_t{1} << (keyBits - shift - digitBits));
    const std::vector<int16_t> slots(given.data, given.data + given.length);
    const int64_t most = counts.length >> digitBits;
    require(info.Env(), std::all_of(slots.begin(), slots.end(), [&](int16_t slot) { return slot < most; }), "a slot is outside");
    const int64_t parts = std::min<int64_t>(pool_->threads() == 1 ? 1 : pool_->threads() * 4, partsOf(w.count));
    std::vector<std::vector<uint32_t>> own(parts);
    pool_->run(parts, [&](int64_t part) {
      own[part].resize(most << digitBits);
      functions_->countDigits(own[part].data(), w.bytes, w.type, w.count * part / parts, w.count * (part + 1) / parts,
                              slots.data(), static_cast<int>(shift), static_cast<int>(digitBits));
    });
    for (const auto& some : own)
      for (size_t i = 0; i < some.size(); i++) counts.data[i] += some[i];
  }

  void close(const Napi::CallbackInfo&) { pool_ = std::make_unique<Pool>(1); }

  const Functions* functions_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace kbit
