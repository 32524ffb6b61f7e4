// A weight matrix made in JavaScript: a Matrix (table.h) whose pointers lead into typed arrays that it keeps alive.
#pragma once
#include <bit>
#include <memory>
#include <mutex>
#include <set>
#include <vector>
#include "arguments.h"
#include "table.h"

namespace kbit {

class Weight {
 public:
  // dense: (storage, rows, columns, bytes)
  // codes: (3, rows, columns, codes, tailCodes, blockSize, absmax float32 or float16 as Uint16Array, centers, bits,
  //         outlierColumns, outlierValues, codebook of 256)
  static Napi::Value create(const Napi::CallbackInfo& info) {
    auto weight = std::make_unique<Weight>(info);
    std::lock_guard lock(mutex());
    live().insert(weight.get());
    return Napi::External<Weight>::New(info.Env(), weight.release(), [](Napi::Env, Weight* weight) {
      std::lock_guard lock(mutex());
      live().erase(weight);
      delete weight;
    });
  }

  // (weight): lets go of its arrays at once; from then on it is no weight.
  static void release(const Napi::CallbackInfo& info) {
    Weight* weight = find(info[0]);
    std::lock_guard lock(mutex());
    live().erase(weight);
    weight->parts_.clear();
  }

  // The matrix of an argument, if its memory is still there.
  static const Matrix& of(const Napi::Value& value) {
    const Weight* weight = find(value);
    for (const Part& part : weight->parts_) {
      napi_typedarray_type type;
      size_t length = 0;
      void* data = nullptr;
      napi_get_typedarray_info(value.Env(), part.array.Value(), &type, &length, &data, nullptr, nullptr);
      require(value.Env(), data == part.data && length == part.length, "a weight whose memory was taken away");
    }
    return weight->matrix_;
  }

  explicit Weight(const Napi::CallbackInfo& info) {
    Matrix& w = matrix_;
    w.storage = static_cast<Storage>(whole(info[0], "storage", 0, 3));
    w.rows = whole(info[1], "rows", 1);
    w.columns = whole(info[2], "columns", 1);
    if (w.storage == Storage::Codes) {
      readCodes(info);
      return;
    }
    const int64_t width = w.storage == Storage::F32 ? 4 : 2;
    w.values = keep<uint8_t>(info[3], "values", w.rows * w.columns * width);
    require(info.Env(), reinterpret_cast<uintptr_t>(w.values) % width == 0, "values do not begin at a multiple of their width");
  }

 private:
  struct Part {
    Napi::Reference<Napi::TypedArray> array;
    const void* data;
    size_t length;
  };

  static Weight* find(const Napi::Value& value) {
    Weight* weight = value.IsExternal() ? value.As<Napi::External<Weight>>().Data() : nullptr;
    std::lock_guard lock(mutex());
    require(value.Env(), live().count(weight) == 1, "not a weight");
    return weight;
  }

  void readCodes(const Napi::CallbackInfo& info) {
    Matrix& w = matrix_;
    const int64_t count = w.rows * w.columns;
    w.bits = static_cast<int32_t>(whole(info[8], "bits", 2, 8));
    w.codes = keep<uint8_t>(info[3], "codes", count / 512 * 64 * w.bits);
    w.tailCodes = keep<uint8_t>(info[4], "tail codes", 512);
    w.blockSize = whole(info[5], "block size", 1, INT64_MAX / 2048);
    const auto size = static_cast<uint64_t>(w.blockSize);
    w.blockShift = std::has_single_bit(size) ? std::countr_zero(size) : -1;
    const int64_t blocks = (count + w.blockSize - 1) / w.blockSize;
    const bool halves = info[6].IsTypedArray() && info[6].As<Napi::TypedArray>().TypedArrayType() == napi_uint16_array;
    if (halves) w.absmaxHalves = keep<uint16_t>(info[6], "absmax", blocks);
    else w.absmax = keep<float>(info[6], "absmax", blocks);
    if (!info[7].IsUndefined() && !info[7].IsNull()) {
      w.centerCount = array<float>(info[7], "centers", 1).length;
      w.centers = keep<float>(info[7], "centers", w.centerCount == 1 ? 1 : blocks);
    }
    if (!info[9].IsUndefined() && !info[9].IsNull()) {
      const auto columns = array<uint32_t>(info[9], "outlier columns");
      outlierColumns_.assign(columns.data, columns.data + columns.length);
      for (uint32_t column : outlierColumns_) require(info.Env(), column < w.columns, "an outlier column is outside");
      w.outlierCount = static_cast<int32_t>(columns.length);
      w.outlierColumns = outlierColumns_.data();
      w.outlierValues = keep<uint16_t>(info[10], "outlier values", w.rows * w.outlierCount);
    }
    const auto codebook = array<float>(info[11], "codebook", 256);
    std::copy_n(codebook.data, 256, w.codebook);
  }

  // An array of at least `least` elements that stays where it is for as long as this does.
  template <typename T>
  T* keep(const Napi::Value& value, const char* name, int64_t least) {
    const Array<T> kept = array<T>(value, name, least);
    parts_.push_back({Napi::Reference<Napi::TypedArray>::New(value.As<Napi::TypedArray>(), 1), kept.data,
                      static_cast<size_t>(kept.length)});
    return kept.data;
  }

  static std::mutex& mutex() {
    static std::mutex all;
    return all;
  }
  static std::set<const Weight*>& live() {
    static std::set<const Weight*> all;
    return all;
  }

  Matrix matrix_{};
  std::vector<Part> parts_;
  std::vector<uint32_t> outlierColumns_;
};

}  // namespace kbit
