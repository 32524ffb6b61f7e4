// Which of the compiled instruction sets this processor has.
#pragma once
#include <string>
#include <vector>
#include "table.h"

namespace kbit {

#define KBIT_DECLARE(isa) namespace isa { extern const Functions functions; }
KBIT_DECLARE(portable)
#ifdef KBIT_X64
KBIT_DECLARE(avx2)
KBIT_DECLARE(avx512)
#endif
#ifdef KBIT_BFLOAT16
namespace avx512bf16 { extern const WideFunctions wideFunctions; }
#endif

struct Choice {
  const Functions* functions;
  std::string missing;  // instructions that the processor lacks, separated by commas
};

#ifdef KBIT_X64
#define KBIT_NEED(list, feature) \
  if (!__builtin_cpu_supports(feature)) list += (list.empty() ? "" : ", ") + std::string(feature)
#endif

// Fastest first.
inline std::vector<Choice> choices() {
  std::vector<Choice> list;
#ifdef KBIT_X64
  __builtin_cpu_init();
  std::string avx2, avx512;
  KBIT_NEED(avx2, "avx2");
  KBIT_NEED(avx2, "fma");
  KBIT_NEED(avx2, "f16c");
  avx512 = avx2;
  KBIT_NEED(avx512, "avx512f");
  KBIT_NEED(avx512, "avx512bw");
  KBIT_NEED(avx512, "avx512vl");
  KBIT_NEED(avx512, "avx512dq");
  list.push_back({&avx512::functions, avx512});
  list.push_back({&avx2::functions, avx2});
#endif
  list.push_back({&portable::functions, ""});
  return list;
}

// The set of that name; null where the processor lacks it.
inline const Functions* findFunctions(const std::string& name) {
  for (const Choice& choice : choices())
    if (choice.missing.empty() && name == choice.functions->name) return choice.functions;
  return nullptr;
}

// Products in bfloat16 by the processor's own instructions; null where it has none.
inline const WideFunctions* wideFunctions() {
#ifdef KBIT_BFLOAT16
  __builtin_cpu_init();
  if (choices()[0].missing.empty() && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vbmi") &&
      __builtin_cpu_supports("avx512vbmi2"))
    return &avx512bf16::wideFunctions;
#endif
  return nullptr;
}

}  // namespace kbit
