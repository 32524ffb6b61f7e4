// The C++ side of the kernel contract: a weight matrix as it lies in memory, and the table of functions that each
// instruction set fills. isa.cpp is compiled once for every set; addon.cpp picks one at run time.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kbit {

enum class Storage : int32_t { F32, F16, BF16, Codes };

// A matrix (rows, columns), row-major. Nothing is repacked: the pointers lead into the checkpoint's own bytes.
struct Matrix {
  Storage storage;
  int64_t rows, columns;
  const void* values;  // dense: (rows, columns) in the storage type

  // Codes: weight i is codebook[code i] * absmax[i / blockSize] + center (see quantize/pack.ts for the layout)
  const uint8_t* codes;
  const uint8_t* tailCodes;  // (rows * columns % 512), unpacked, a byte a code
  int64_t blockSize;
  int32_t blockShift;       // log2 of blockSize, or -1 where it is no power of two
  const float* absmax;             // (blocks), or
  const uint16_t* absmaxHalves;    // (blocks), float16
  const float* centers;     // (centerCount); null: none
  int64_t centerCount;      // 1: the tensor's; else one a block
  int32_t bits;
  int32_t outlierCount;
  const uint32_t* outlierColumns;  // (outlierCount), ascending
  const uint16_t* outlierValues;   // (rows, outlierCount), float16
  alignas(64) float codebook[256];  // repeated to fill all 256 places, so that unused high bits of an index do no harm
};

struct Spans {
  int32_t tokens, heads, keyHeads, headSize;
  float scale;
  float cap;             // a scaled score s becomes cap tanh(s / cap); 0: none
  const int32_t* spans;  // (tokens, 4): prefixStart, prefixLength, ownStart, ownLength
  const float* slopes;   // (heads) or null
};

struct Heads {
  int32_t heads, headSize;
  int64_t width, offset, stride;
  const int32_t* slots;            // (tokens)
  int32_t turned;                  // values of a head that the rotary embedding turns; 0: none
  const float *cosines, *sines;    // (tokens, turned / 2)
};

enum class Activation : int32_t { Relu, Gelu, GeluTanh, Silu };

// What the codes of a matrix's weights depend on (encode.h).
struct Coding {
  const uint8_t* weights;   // in their storage type, F32, F16 or BF16; wherever they begin
  Storage type;
  int32_t bits;
  int64_t blockSize;
  const float* absmax;      // (blocks), not negative
  const double* midpoints;  // (256), of neighbours in the codebook, ascending; infinity past them
  uint8_t zeroCode;         // of the value nearest to 0: what the weights of a block of absmax 0 have
};

// A function that takes a range does the part of its work from `..From` to `..To` - 1: ranges that do not overlap write
// different outputs (countDigits adds to the counts it is given), each computed the same way whatever the range.
struct Functions {
  const char* name;
  // out (tokens, rows); columns of x at outlier columns must be zero in `xKept` (same as x where there are none).
  void (*generate)(float* out, const float* x, const float* xKept, const Matrix& w, const float* bias, int64_t tokens,
                   int64_t rowFrom, int64_t rowTo);
  void (*score)(float* out, const float* x, const Matrix& w, const float* bias, int64_t tokens, int64_t rowFrom,
                int64_t rowTo);
  void (*targets)(float* logProbs, int32_t* best, const float* x, const Matrix& head, const float* bias,
                  float cap, const int32_t* targets, int64_t tokenFrom, int64_t tokenTo);
  void (*attend)(float* out, const float* query, const float* keys, const float* values, const Spans& spans,
                 int64_t headFrom, int64_t headTo, int64_t tokenFrom, int64_t tokenTo);
  void (*placeHeads)(float* out, const float* x, const Heads& heads, int64_t tokenFrom, int64_t tokenTo);
  void (*layerNorm)(float* out, const float* x, int64_t width, const float* gain, const float* bias, float epsilon,
                    int64_t tokenFrom, int64_t tokenTo);
  void (*rmsNorm)(float* out, const float* x, int64_t width, const float* gain, float epsilon, int64_t tokenFrom,
                  int64_t tokenTo);
  void (*activate)(float* x, Activation activation, int64_t from, int64_t to);
  void (*add)(float* out, const float* a, const float* b, int64_t from, int64_t to);
  void (*multiply)(float* out, const float* a, const float* b, int64_t from, int64_t to);
  // out (columns): one row of the matrix, decoded.
  void (*row)(float* out, const Matrix& w, int64_t row);
  void (*roundToBfloat16)(float* x, int64_t count);
  // Quantization (encode.h).
  uint32_t (*largest)(const uint8_t* weights, Storage type, int64_t from, int64_t to);
  void (*encode)(uint8_t* packed, const Coding& coding, int64_t from, int64_t to);
  void (*countDigits)(uint32_t* counts, const uint8_t* weights, Storage type, int64_t from, int64_t to,
                      const int16_t* slots, int shift, int digitBits);
  // What the machine can do at most (probe.h).
  float (*readBytes)(const uint8_t* bytes, int64_t count);
  double (*multiplyAdd)(int64_t rounds, bool bfloat16);
};

// Products in bfloat16 (bfloat.h) of matrices that are `isWhole`, or while scoring of columns that are multiples of 64, and
// in float32 (bytes.h) of those that are `isWhole`, of 6 bits or more.
struct WideFunctions {
  // Activations in the order and type that the products read; `bits` of the codes if the matrix `isWhole`, else 0.
  void (*arrange)(uint16_t* out, const float* x, int64_t count, int bits);
  void (*generate)(float* out, const uint16_t* x, const Matrix& w, int64_t tokens, int64_t rowFrom, int64_t rowTo);
  void (*score)(float* out, const uint16_t* x, const Matrix& w, int64_t tokens, int64_t rowFrom, int64_t rowTo);
  double (*multiplyAdd)(int64_t rounds, bool bfloat16);
  // The same in float32.
  void (*turn)(float* out, const float* x, int64_t count);
  void (*generateBytes)(float* out, const float* x, const Matrix& w, int64_t tokens, int64_t rowFrom, int64_t rowTo);
};

// Whether rows are whole groups, in blocks of multiples of 64 without centers: what the fastest products take.
inline bool isWhole(const Matrix& w) {
  return w.columns % 512 == 0 && (w.blockSize % 64 == 0 || w.blockSize >= w.rows * w.columns) && !w.centers;
}

}  // namespace kbit
