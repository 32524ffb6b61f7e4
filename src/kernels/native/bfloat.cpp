// The products of bfloat.h and bytes.h, for processors that have what they need; addon.cpp asks first.
#include "bfloat.h"
#include "bytes.h"
#include "probe.h"

namespace kbit::KBIT_ISA {

extern const WideFunctions wideFunctions = {arrange, generateWide, scoreWide, multiplyAdd, turn, generateBytes};

}  // namespace kbit::KBIT_ISA
