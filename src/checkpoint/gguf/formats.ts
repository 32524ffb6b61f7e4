// The table of storage formats of GGUF files: one row a format, with its block size, its bytes a block and its decoding
// to float32. The layouts are ggml's; what they decode to is what the `gguf` package of Python gives, to the bit.

/** How one format stores weights: blocks of `blockSize` weights in `bytes` bytes. */
export interface GgufFormat {
  readonly name: string;
  readonly blockSize: number;
  readonly bytes: number;
  /** Decodes the block at byte `at` to `out[to ..]`. */
  readonly decode: (block: BlockReader, at: number, out: Float32Array, to: number) => void;
}

/** The bytes of a tensor, to be read in several ways. */
export interface BlockReader {
  readonly bytes: Uint8Array;
  readonly signed: Int8Array;
  readonly view: DataView;
}

type Decode = GgufFormat["decode"];

/** A reader of the bytes of a tensor. */
function createBlockReader(bytes: Uint8Array): BlockReader {
  const { buffer, byteOffset, length } = bytes;
  return { bytes, signed: new Int8Array(buffer, byteOffset, length), view: new DataView(buffer, byteOffset, length) };
}

/** Values of the 4-bit codes of IQ4_NL and IQ4_XS. */
const nonlinearValues = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
/** Twice the values of 4-bit floats with two exponent bits. */
const e2m1Values = Int8Array.of(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

const half = ({ view }: BlockReader, at: number) => view.getFloat16(at, true);

const decodeF32: Decode = ({ view }, at, out, to) => {
  out[to] = view.getFloat32(at, true);
};
const decodeF16: Decode = (block, at, out, to) => {
  out[to] = half(block, at);
};
const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);
const decodeBF16: Decode = ({ view }, at, out, to) => {
  words[0] = view.getUint16(at, true) << 16;
  out[to] = floats[0];
};

/** 32 codes of 4 bits at byte `at`: the low halves of 16 bytes, then the high halves. */
const nibble = (bytes: Uint8Array, at: number, i: number) => (i < 16 ? bytes[at + i] & 15 : bytes[at + i - 16] >> 4);

/** d, 16 bytes of codes: `d (q - 8)`. */
const decodeQ4_0: Decode = (block, at, out, to) => {
  const d = half(block, at);
  for (let i = 0; i < 32; i++) out[to + i] = d * (nibble(block.bytes, at + 2, i) - 8);
};

/** d, m, 16 bytes of codes: `d q + m`. */
const decodeQ4_1: Decode = (block, at, out, to) => {
  const [d, m] = [half(block, at), half(block, at + 2)];
  for (let i = 0; i < 32; i++) out[to + i] = d * nibble(block.bytes, at + 4, i) + m;
};

/** d, 32 fifth bits, 16 bytes of the lower four: `d (q - 16)`. */
const decodeQ5_0: Decode = (block, at, out, to) => {
  const d = half(block, at);
  const high = block.view.getUint32(at + 2, true);
  for (let i = 0; i < 32; i++) {
    out[to + i] = d * ((nibble(block.bytes, at + 6, i) | (((high >>> i) & 1) << 4)) - 16);
  }
};

/** d, m, 32 fifth bits, 16 bytes of the lower four: `d q + m`. */
const decodeQ5_1: Decode = (block, at, out, to) => {
  const [d, m] = [half(block, at), half(block, at + 2)];
  const high = block.view.getUint32(at + 4, true);
  for (let i = 0; i < 32; i++) {
    out[to + i] = d * (nibble(block.bytes, at + 8, i) | (((high >>> i) & 1) << 4)) + m;
  }
};

/** d, 32 signed bytes: `d q`. */
const decodeQ8_0: Decode = (block, at, out, to) => {
  const d = half(block, at);
  for (let i = 0; i < 32; i++) out[to + i] = d * block.signed[at + 2 + i];
};

/** 16 bytes of a 4-bit scale and a 4-bit minimum for 16 weights each, 64 bytes of 2-bit codes, d, dmin. */
const decodeQ2_K: Decode = (block, at, out, to) => {
  const { bytes } = block;
  const [d, dmin] = [half(block, at + 80), half(block, at + 82)];
  for (let i = 0; i < 256; i++) {
    const scales = bytes[at + (i >> 4)];
    // Codes of 128 weights lie in 32 bytes: weight 32 s + j in bits 2 s of byte j.
    const q = (bytes[at + 16 + (i >> 7) * 32 + (i & 31)] >> (((i >> 5) & 3) * 2)) & 3;
    out[to + i] = d * (scales & 15) * q - dmin * (scales >> 4);
  }
};

/** 32 bytes of third bits, 64 bytes of 2-bit codes, 12 bytes of sixteen 6-bit scales, d: `d (scale - 32) (q - 4)`. */
const decodeQ3_K: Decode = (block, at, out, to) => {
  const { bytes } = block;
  const d = half(block, at + 108);
  for (let group = 0; group < 16; group++) {
    const low = (bytes[at + 96 + (group & 7)] >> (group < 8 ? 0 : 4)) & 15;
    const high = (bytes[at + 104 + (group & 3)] >> ((group >> 2) * 2)) & 3;
    const scale = d * ((low | (high << 4)) - 32);
    for (let i = group * 16; i < group * 16 + 16; i++) {
      const q = (bytes[at + 32 + (i >> 7) * 32 + (i & 31)] >> (((i >> 5) & 3) * 2)) & 3;
      const third = (bytes[at + (i & 31)] >> (i >> 5)) & 1;
      out[to + i] = scale * (q - (third ? 0 : 4));
    }
  }
};

/** 6-bit scale and minimum of group 0 to 7, of the 12 bytes at `at`. */
function readScale(bytes: Uint8Array, at: number, group: number): [scale: number, minimum: number] {
  if (group < 4) return [bytes[at + group] & 63, bytes[at + 4 + group] & 63];
  const rest = bytes[at + 4 + group];
  return [(rest & 15) | ((bytes[at + group - 4] >> 6) << 4), (rest >> 4) | ((bytes[at + group] >> 6) << 4)];
}

/** d, dmin, 12 bytes of scales and minima, 128 bytes of 4-bit codes: `d scale q - dmin minimum`. */
const decodeQ4_K: Decode = (block, at, out, to) => {
  const { bytes } = block;
  const [d, dmin] = [half(block, at), half(block, at + 2)];
  for (let group = 0; group < 8; group++) {
    const [scale, minimum] = readScale(bytes, at + 4, group);
    const codes = at + 16 + (group >> 1) * 32;
    for (let i = 0; i < 32; i++) {
      const q = (bytes[codes + i] >> ((group & 1) * 4)) & 15;
      out[to + group * 32 + i] = d * scale * q - dmin * minimum;
    }
  }
};

/** As Q4_K, with 32 bytes of fifth bits before the codes. */
const decodeQ5_K: Decode = (block, at, out, to) => {
  const { bytes } = block;
  const [d, dmin] = [half(block, at), half(block, at + 2)];
  for (let group = 0; group < 8; group++) {
    const [scale, minimum] = readScale(bytes, at + 4, group);
    const codes = at + 48 + (group >> 1) * 32;
    for (let i = 0; i < 32; i++) {
      const q = ((bytes[codes + i] >> ((group & 1) * 4)) & 15) | (((bytes[at + 16 + i] >> group) & 1) << 4);
      out[to + group * 32 + i] = d * scale * q - dmin * minimum;
    }
  }
};

/** 128 bytes of lower four bits, 64 bytes of upper two, 16 signed scales, d: `d scale (q - 32)`. */
const decodeQ6_K: Decode = (block, at, out, to) => {
  const { bytes, signed } = block;
  const d = half(block, at + 208);
  for (let i = 0; i < 256; i++) {
    const part = i >> 7;
    const low = (bytes[at + part * 64 + (i & 63)] >> (((i >> 6) & 1) * 4)) & 15;
    const high = (bytes[at + 128 + part * 32 + (i & 31)] >> (((i >> 5) & 3) * 2)) & 3;
    out[to + i] = d * signed[at + 192 + (i >> 4)] * ((low | (high << 4)) - 32);
  }
};

/** d, 16 bytes of codes: `d values[q]`. */
const decodeIQ4_NL: Decode = (block, at, out, to) => {
  const d = half(block, at);
  for (let i = 0; i < 32; i++) out[to + i] = d * nonlinearValues[nibble(block.bytes, at + 2, i)];
};

/** d, upper two bits and lower four of eight scales, 128 bytes of codes: `d (scale - 32) values[q]`. */
const decodeIQ4_XS: Decode = (block, at, out, to) => {
  const { bytes } = block;
  const d = half(block, at);
  const high = block.view.getUint16(at + 2, true);
  for (let group = 0; group < 8; group++) {
    const low = (bytes[at + 4 + (group >> 1)] >> ((group & 1) * 4)) & 15;
    const scale = d * ((low | (((high >> (2 * group)) & 3) << 4)) - 32);
    const codes = at + 8 + group * 16;
    for (let i = 0; i < 32; i++) out[to + group * 32 + i] = scale * nonlinearValues[nibble(bytes, codes, i)];
  }
};

/** The exponent e of a power of two, 16 bytes of 4-bit floats: `2^(e - 128) values[q]`. */
const decodeMXFP4: Decode = (block, at, out, to) => {
  const d = 2 ** (block.bytes[at] - 128);
  for (let i = 0; i < 32; i++) out[to + i] = d * e2m1Values[nibble(block.bytes, at + 1, i)];
};

/** Every format that is read, by ggml's number. @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
export const ggufFormats: ReadonlyMap<number, GgufFormat> = new Map([
  [0, { name: "F32", blockSize: 1, bytes: 4, decode: decodeF32 }],
  [1, { name: "F16", blockSize: 1, bytes: 2, decode: decodeF16 }],
  [2, { name: "Q4_0", blockSize: 32, bytes: 18, decode: decodeQ4_0 }],
  [3, { name: "Q4_1", blockSize: 32, bytes: 20, decode: decodeQ4_1 }],
  [6, { name: "Q5_0", blockSize: 32, bytes: 22, decode: decodeQ5_0 }],
  [7, { name: "Q5_1", blockSize: 32, bytes: 24, decode: decodeQ5_1 }],
  [8, { name: "Q8_0", blockSize: 32, bytes: 34, decode: decodeQ8_0 }],
  [10, { name: "Q2_K", blockSize: 256, bytes: 84, decode: decodeQ2_K }],
  [11, { name: "Q3_K", blockSize: 256, bytes: 110, decode: decodeQ3_K }],
  [12, { name: "Q4_K", blockSize: 256, bytes: 144, decode: decodeQ4_K }],
  [13, { name: "Q5_K", blockSize: 256, bytes: 176, decode: decodeQ5_K }],
  [14, { name: "Q6_K", blockSize: 256, bytes: 210, decode: decodeQ6_K }],
  [20, { name: "IQ4_NL", blockSize: 32, bytes: 18, decode: decodeIQ4_NL }],
  [23, { name: "IQ4_XS", blockSize: 256, bytes: 136, decode: decodeIQ4_XS }],
  [30, { name: "BF16", blockSize: 1, bytes: 2, decode: decodeBF16 }],
  [39, { name: "MXFP4", blockSize: 32, bytes: 17, decode: decodeMXFP4 }],
]);

/** The values of a tensor of `count` weights. */
export function decodeGguf(format: GgufFormat, bytes: Uint8Array, count: number): Float32Array {
  const out = new Float32Array(count);
  const reader = createBlockReader(bytes);
  for (let block = 0; block < count / format.blockSize; block++) {
    format.decode(reader, block * format.bytes, out, block * format.blockSize);
  }
  return out;
}
