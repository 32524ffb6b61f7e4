import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type StorageType, storageTypes } from "../../src/tensor/tensor.ts";
import { transposeTensor } from "../../src/tensor/transpose.ts";

describe("transposeTensor", () => {
  it("moves the bytes of row r, column c to row c, column r, for every type and any shape", () => {
    const types = Object.keys(storageTypes) as StorageType[];
    const size = fc.integer({ min: 1, max: 70 });
    fc.assert(
      fc.property(fc.constantFrom(...types), size, size, fc.boolean(), (type, rows, columns, isMisaligned) => {
        const width = storageTypes[type].bytes;
        const memory = Uint8Array.from({ length: rows * columns * width + 1 }, (_, i) => (i * 31) % 64);
        const bytes = memory.subarray(isMisaligned ? 1 : 0, memory.length - (isMisaligned ? 0 : 1));
        const turned = transposeTensor({ name: "w", type, shape: [rows, columns], bytes });
        expect(turned).toMatchObject({ name: "w", type, shape: [columns, rows] });
        for (let i = 0; i < rows * columns; i++) {
          const [row, column] = [Math.floor(i / columns), i % columns];
          const from = bytes.subarray(i * width, (i + 1) * width);
          const at = (column * rows + row) * width;
          if (Buffer.compare(from, turned.bytes.subarray(at, at + width)) !== 0)
            throw new Error(`value [${row}, ${column}]`);
        }
      }),
      { numRuns: 60 },
    );
  });
});
