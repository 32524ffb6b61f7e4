// Threads that share the parts of one call. Each begins with a stretch of neighbouring parts, as memory is read fastest in
// order, then helps the others. The caller takes parts like them and waits only for threads that have begun one, so that a
// core that is busy elsewhere costs its own share and no more; idle threads spin for a moment, then sleep.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kbit {

class Pool {
 public:
  explicit Pool(int threads) : stretches_(threads) {
    for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { work(i); });
  }

  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      calls_.fetch_add(1);
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  int threads() const { return static_cast<int>(stretches_.size()); }

  // Calls part(i) for i = 0 .. parts - 1, each once, on whichever threads are free.
  void run(int64_t parts, const std::function<void(int64_t)>& part) {
    if (parts <= 1 || workers_.empty()) {
      for (int64_t i = 0; i < parts; i++) part(i);
      return;
    }
    {
      std::lock_guard lock(mutex_);
      part_ = &part;
      const int64_t count = threads();
      for (int64_t i = 0; i < count; i++) {
        stretches_[i].next.store(parts * i / count);
        stretches_[i].end = parts * (i + 1) / count;
      }
      calls_.fetch_add(1);
    }
    wake_.notify_all();
    take(0, part);
    // All parts are taken: whoever has not come by now is not needed, whoever has must finish.
    {
      std::lock_guard lock(mutex_);
      part_ = nullptr;
    }
    spinUntil([this] { return active_.load(std::memory_order_acquire) == 0; });
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return active_.load() == 0; });
  }

 private:
  // About as long as waking a thread that sleeps would take: the next call of a forward mostly comes sooner.
  static constexpr std::chrono::microseconds SpinTime{100};

  template <typename Condition>
  static void spinUntil(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + SpinTime;
    while (!condition() && std::chrono::steady_clock::now() < end) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }

  struct alignas(64) Stretch {
    std::atomic<int64_t> next{0};  // the next part to take
    int64_t end = 0;
  };

  void take(size_t own, const std::function<void(int64_t)>& part) {
    for (size_t k = 0; k < stretches_.size(); k++) {
      Stretch& stretch = stretches_[(own + k) % stretches_.size()];
      for (int64_t i; (i = stretch.next.fetch_add(1)) < stretch.end;) part(i);
    }
  }

  void work(size_t own) {
    uint64_t seen = 0;
    for (;;) {
      spinUntil([&] { return calls_.load(std::memory_order_acquire) != seen; });
      const std::function<void(int64_t)>* part;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return calls_.load() != seen; });
        if (stopped_) return;
        seen = calls_.load();
        if (!part_) continue;
        part = part_;
        active_.fetch_add(1);
      }
      take(own, *part);
      std::lock_guard lock(mutex_);
      if (active_.fetch_sub(1) == 1) done_.notify_one();
    }
  }

  std::vector<Stretch> stretches_;  // one a thread, the caller's first
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<uint64_t> calls_{0};  // how often `run` was called: what idle threads watch
  std::atomic<int> active_{0};      // threads besides the caller that are taking parts
  const std::function<void(int64_t)>* part_ = nullptr;  // null once all parts are taken
  bool stopped_ = false;
};

}  // namespace kbit
