// Files mapped into memory: weights are read from the page cache in place.
#pragma once
#include "arguments.h"
#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace kbit {

// (path): the whole file as an ArrayBuffer that must not be written to; undefined where it cannot be mapped.
inline Napi::Value mapFile(const Napi::CallbackInfo& info) {
#if defined(_WIN32)
  return info.Env().Undefined();
#else
  const std::string path = info[0].ToString();
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return info.Env().Undefined();
  struct stat facts;
  const bool ordinary = fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size > 0;
  const size_t size = ordinary ? static_cast<size_t>(facts.st_size) : 0;
  // A private map: what JavaScript writes by mistake stays in this process and never reaches the file.
  void* bytes = ordinary ? mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0) : MAP_FAILED;
  ::close(file);
  if (bytes == MAP_FAILED) return info.Env().Undefined();
  madvise(bytes, size, MADV_WILLNEED);
  auto buffer = Napi::ArrayBuffer::New(info.Env(), bytes, size,
                                       [](Napi::Env, void* bytes, size_t* size) {
                                         munmap(bytes, *size);
                                         delete size;
                                       },
                                       new size_t(size));
  return buffer;
#endif
}

}  // namespace kbit
