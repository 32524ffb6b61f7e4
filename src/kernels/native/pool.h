// Threads that share the parts of one call. The caller works too, takes parts like the others, and waits for the rest;
// idle threads spin for a moment and then sleep, so that a machine that is busy elsewhere loses nothing to them.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kbit {

class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; i++) workers_.emplace_back([this] { work(); });
  }

  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      generation_.fetch_add(1);
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls part(i) for i = 0 .. parts - 1, each once, on whichever threads are free.
  void run(int64_t parts, const std::function<void(int64_t)>& part) {
    if (parts <= 1 || workers_.empty()) {
      for (int64_t i = 0; i < parts; i++) part(i);
      return;
    }
    {
      std::lock_guard lock(mutex_);
      part_ = &part;
      parts_ = parts;
      next_.store(0);
      busy_.store(static_cast<int>(workers_.size()));
      generation_.fetch_add(1);
    }
    wake_.notify_all();
    take(part, parts);
    for (int spins = 0; busy_.load(std::memory_order_acquire) > 0; spins++) {
      if (spins < SpinLimit) continue;
      std::unique_lock lock(mutex_);
      done_.wait(lock, [this] { return busy_.load() == 0; });
    }
  }

 private:
  static constexpr int SpinLimit = 4000;

  void take(const std::function<void(int64_t)>& part, int64_t parts) {
    for (int64_t i; (i = next_.fetch_add(1)) < parts;) part(i);
  }

  void work() {
    uint64_t seen = 0;
    for (;;) {
      for (int spins = 0; generation_.load(std::memory_order_acquire) == seen && spins < SpinLimit; spins++) {
      }
      const std::function<void(int64_t)>* part;
      int64_t parts;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load() != seen; });
        if (stopped_) return;
        seen = generation_.load();
        part = part_;
        parts = parts_;
      }
      take(*part, parts);
      if (busy_.fetch_sub(1) == 1) {
        std::lock_guard lock(mutex_);
        done_.notify_one();
      }
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> busy_{0};
  const std::function<void(int64_t)>* part_ = nullptr;
  int64_t parts_ = 0;
  bool stopped_ = false;
};

}  // namespace kbit
