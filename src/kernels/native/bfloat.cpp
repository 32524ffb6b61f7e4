// The products of bfloat.h, for processors that have what they need; addon.cpp asks first.
#include "bfloat.h"
#include "probe.h"

namespace kbit::KBIT_ISA {

extern const WideFunctions wideFunctions = {arrange, generateWide, scoreWide, multiplyAdd};

}  // namespace kbit::KBIT_ISA
