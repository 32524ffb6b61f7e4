// How fast llama.cpp's own quantizer makes Q4_0 of float16 weights: the loop of its `llama-quantize` (float16 to float32, then
// ggml_quantize_chunk) on several threads, chunk by chunk in the cache. Called from the library that node-llama-cpp ships,
// as that package has no binding for it.
//
//   c++ -O2 -std=c++20 ggml-quantize.cpp -o ggml-quantize -ldl -pthread
//   ggml-quantize LIBGGML_BASE THREADS ROWS COLUMNS          seconds of the fastest of some runs, one a line read
#include <dlfcn.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <iostream>
#include <thread>
#include <vector>

int main(int, char** arguments) {
  void* library = dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL);
  if (!library) return std::fprintf(stderr, "%s\n", dlerror()), 1;
  auto widen = reinterpret_cast<void (*)(const uint16_t*, float*, int64_t)>(dlsym(library, "ggml_fp16_to_fp32_row"));
  auto narrow = reinterpret_cast<void (*)(const float*, uint16_t*, int64_t)>(dlsym(library, "ggml_fp32_to_fp16_row"));
  auto quantize = reinterpret_cast<size_t (*)(int, const float*, void*, int64_t, int64_t, int64_t, const float*)>(
      dlsym(library, "ggml_quantize_chunk"));
  if (!widen || !narrow || !quantize) return std::fprintf(stderr, "the library lacks the quantizer\n"), 1;
  constexpr int q4_0 = 2;
  const int threads = std::atoi(arguments[2]);
  const int64_t rows = std::atoll(arguments[3]), columns = std::atoll(arguments[4]), step = 8;
  std::vector<float> row(columns);
  std::vector<uint16_t> weights(rows * columns);
  uint32_t state = 1;
  for (int64_t r = 0; r < rows; r++) {
    for (float& value : row) {  // about normal: a sum of uniform numbers
      int64_t sum = 0;
      for (int n = 0; n < 4; n++) sum += static_cast<int32_t>(state = state * 1664525u + 1013904223u);
      value = static_cast<float>(sum) * (0.02f / 2147483648.0f);
    }
    narrow(row.data(), weights.data() + r * columns, columns);
  }
  std::vector<uint8_t> out(rows * columns / 32 * 18);
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    double best = 1e9;
    for (int run = 0; run < 5; run++) {
      std::atomic<int64_t> next{0};
      const auto start = std::chrono::steady_clock::now();
      auto work = [&] {
        std::vector<float> some(step * columns);
        for (int64_t r; (r = next.fetch_add(step)) < rows;) {
          const int64_t count = std::min(step, rows - r);
          widen(weights.data() + r * columns, some.data(), count * columns);
          quantize(q4_0, some.data(), out.data() + r * columns / 32 * 18, 0, count, columns, nullptr);
        }
      };
      std::vector<std::thread> others;
      for (int i = 1; i < threads; i++) others.emplace_back(work);
      work();
      for (auto& other : others) other.join();
      const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
      best = std::min(best, elapsed.count());
    }
    std::printf("[%g]\n", best);
    std::fflush(stdout);
  }
}
