// All kernels for one instruction set; compiled once for each with its own flags and namespace (-DKBIT_ISA=avx512, ..).
#include "attention.h"
#include "elementwise.h"
#include "encode.h"
#include "probe.h"

#define KBIT_TEXT_(x) #x
#define KBIT_TEXT(x) KBIT_TEXT_(x)

namespace kbit::KBIT_ISA {

static void row(float* out, const Matrix& w, int64_t index) { readRow(out, w, index, 0, w.columns); }

extern const Functions functions = {
    KBIT_TEXT(KBIT_ISA), generate, score, targets, attend, placeHeads, layerNorm, rmsNorm, activate, add, multiply, row,
    roundToBfloat16, largest, encode, countDigits, readBytes, multiplyAdd,
};

}  // namespace kbit::KBIT_ISA
