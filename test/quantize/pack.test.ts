import fc from "fast-check";
import { expect, test } from "vitest";
import { hasHighestCode, packCodes, packedBytes, unpackCodes } from "../../src/quantize/pack.ts";
import { createRandom } from "../../src/tensor/random.ts";

const widths = [2, 3, 4, 5, 6, 7, 8];
const randomCodes = (bits: number, count: number, seed = 0) => {
  const random = createRandom(seed);
  return Uint8Array.from({ length: count }, () => random.integer(2 ** bits));
};

test("a 3-bit group has its codes at the drawn bits", () => {
  const codes = new Uint8Array(512);
  codes[0] = 5; // lane 0, position 0: word 0, bits 0 .. 2
  codes[16] = 3; // lane 0, position 1: word 0, bits 3 .. 5
  codes[1] = 7; // lane 1, position 0: its word 0 is the group's word 1
  codes[160] = 6; // lane 0, position 10: word 1, which is the group's word 16
  codes[480] = 0b110; // lane 0, positions 30 and 31: 101 110 in the bits left over,
  codes[496] = 0b101; // 10 in word 0, 11 in word 1, 10 in word 2
  const expected = new Uint8Array(192);
  expected[0] = 0b00_011_101;
  expected[3] = 0b10_000000;
  expected[4] = 7;
  expected[64] = 6;
  expected[64 + 3] = 0b11_000000;
  expected[128 + 3] = 0b10_000000;
  expect(packCodes(codes, 3)).toEqual(expected);
});

test("a 4-bit group has its codes at the drawn bits", () => {
  const codes = new Uint8Array(512);
  codes[2] = 1; // lane 2, position 0
  codes[18] = 2; // lane 2, position 1
  codes[114] = 15; // lane 2, position 7
  codes[130] = 9; // lane 2, position 8: word 1
  const expected = new Uint8Array(256);
  expected[8] = 0x21;
  expected[11] = 0xf0;
  expected[64 + 8] = 0x09;
  expect(packCodes(codes, 4)).toEqual(expected);
});

test("the last codes are a plain stream of bits", () => {
  expect(packCodes(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0, 1), 3)).toEqual(Uint8Array.of(0xd1, 0x58, 0x1f, 0x01));
  expect(packCodes(Uint8Array.of(0x7f, 0x01, 0x40), 7)).toEqual(Uint8Array.of(0xff, 0x00, 0x10));
});

test.each(widths)("every bit of a %d-bit group is where the rule of the layout puts it", (bits) => {
  const codes = randomCodes(bits, 512);
  const perWord = Math.floor(32 / bits);
  const left = 32 - perWord * bits;
  const expected = new Uint8Array(64 * bits);
  codes.forEach((code, n) => {
    const [lane, position] = [n % 16, Math.floor(n / 16)];
    for (let bit = 0; bit < bits; bit++) {
      const rest = (position - perWord * bits) * bits + bit; // place in the stream of bits left over
      const word = rest < 0 ? Math.floor(position / perWord) : Math.floor(rest / left);
      const place = rest < 0 ? (position % perWord) * bits + bit : perWord * bits + (rest % left);
      const byte = 4 * (word * 16 + lane) + (place >> 3);
      expected[byte] |= ((code >> bit) & 1) << (place & 7);
    }
  });
  expect(packCodes(codes, bits)).toEqual(expected);
});

test("unpacking gives back any codes of any width and number, in exactly the bytes they need", () => {
  fc.assert(
    fc.property(fc.constantFrom(...widths), fc.integer({ min: 0, max: 1600 }), fc.integer(), (bits, count, seed) => {
      const codes = randomCodes(bits, count, seed);
      const packed = packCodes(codes, bits);
      expect(packed.length).toBe(64 * bits * Math.floor(count / 512) + Math.ceil(((count % 512) * bits) / 8));
      expect(packed.length).toBe(packedBytes(count, bits));
      expect(unpackCodes(packed, bits, count)).toEqual(codes);
    }),
  );
});

test("packed bytes may lie anywhere in a file", () => {
  const codes = randomCodes(5, 1111);
  const file = new Uint8Array(packedBytes(1111, 5) + 3);
  file.set(packCodes(codes, 5), 3);
  expect(unpackCodes(file.subarray(3), 5, 1111)).toEqual(codes);
});

test("too few bytes are refused", () => {
  expect(() => unpackCodes(new Uint8Array(10), 4, 21)).toThrow("21 codes of 4 bits need 11 bytes, not 10");
});

test("a code of all ones is found wherever it stands, and nowhere else", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 8 }),
      fc.integer({ min: 1, max: 1600 }),
      fc.nat(),
      fc.integer({ min: 0, max: 3 }),
      fc.integer(),
      (bits, count, at, offset, seed) => {
        const random = createRandom(seed);
        const codes = Uint8Array.from({ length: count }, () => Math.floor(random.uniform() * (2 ** bits - 1)));
        const packed = (values: Uint8Array) => {
          const bytes = packCodes(values, bits);
          const moved = new Uint8Array(bytes.length + offset);
          moved.set(bytes, offset);
          return moved.subarray(offset);
        };
        expect(hasHighestCode(packed(codes), bits, count)).toBe(false);
        codes[at % count] = 2 ** bits - 1;
        expect(hasHighestCode(packed(codes), bits, count)).toBe(true);
      },
    ),
  );
});
