// Arguments from JavaScript, checked: whatever is passed, nothing outside the arrays is read or written. TypeScript checks
// first and says more; what fails here is a programming error.
#pragma once
#include <napi.h>
#include <cmath>
#include <string>

namespace kbit {

[[noreturn]] inline void refuse(Napi::Env env, const std::string& what) { throw Napi::RangeError::New(env, what); }

inline void require(Napi::Env env, bool holds, const char* what) {
  if (!holds) refuse(env, what);
}

// A whole number in low .. high.
inline int64_t whole(const Napi::Value& value, const char* name, int64_t low = 0, int64_t high = INT32_MAX) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) || number != std::floor(number))
    refuse(value.Env(), std::string(name) + " is not a whole number in range");
  return static_cast<int64_t>(number);
}

inline float real(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) refuse(value.Env(), std::string(name) + " is not a number");
  return value.As<Napi::Number>().FloatValue();
}

inline bool truth(const Napi::Value& value) { return value.ToBoolean(); }

template <typename T> constexpr napi_typedarray_type arrayType = napi_uint8_array;
template <> constexpr napi_typedarray_type arrayType<float> = napi_float32_array;
template <> constexpr napi_typedarray_type arrayType<double> = napi_float64_array;
template <> constexpr napi_typedarray_type arrayType<int16_t> = napi_int16_array;
template <> constexpr napi_typedarray_type arrayType<int32_t> = napi_int32_array;
template <> constexpr napi_typedarray_type arrayType<uint32_t> = napi_uint32_array;
template <> constexpr napi_typedarray_type arrayType<uint16_t> = napi_uint16_array;

template <typename T>
struct Array {
  T* data = nullptr;
  int64_t length = 0;
};

// A typed array of T with at least `least` elements. Detached and shrunk ones are empty.
template <typename T>
Array<T> array(const Napi::Value& value, const char* name, int64_t least = 0) {
  if (!value.IsTypedArray()) refuse(value.Env(), std::string(name) + " is not a typed array");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != arrayType<T>)
    refuse(value.Env(), std::string(name) + " is a typed array of another type");
  if (static_cast<int64_t>(length) < least)
    refuse(value.Env(), std::string(name) + " has " + std::to_string(length) + " elements; " + std::to_string(least) + " are needed");
  return {static_cast<T*>(data), static_cast<int64_t>(length)};
}

// The same, or nothing where there is none.
template <typename T>
Array<T> optionalArray(const Napi::Value& value, const char* name, int64_t least = 0) {
  return value.IsUndefined() || value.IsNull() ? Array<T>{} : array<T>(value, name, least);
}

}  // namespace kbit
