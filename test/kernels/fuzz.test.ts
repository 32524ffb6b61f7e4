// The native addon called directly and wrongly: whatever JavaScript passes, it throws or computes, and never reads or writes
// outside its arguments. `node test/native/sanitize.mjs` runs this under AddressSanitizer; here canaries stand around.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadAddon } from "../../src/kernels/native/addon-node.ts";
import { testedSets } from "./sets.ts";

const hasAddon = testedSets.some(({ name }) => name.startsWith("native"));
const runs = Number(process.env["KBIT_FUZZ_RUNS"] ?? 300);

type Method = (...values: unknown[]) => unknown;
interface RawAddon {
  Kernels: new (...values: unknown[]) => Record<string, Method>;
  Quantizer: new (...values: unknown[]) => Record<string, Method>;
  createMatrix: Method;
  releaseMatrix: Method;
  listInstructionSets(): { name: string; missing: string }[];
  mapFile: Method;
}

const methods = [
  "matmul",
  "embed",
  "scoreTargets",
  "attend",
  "placeHeads",
  "layerNorm",
  "rmsNorm",
  "activate",
  "combine",
];

/** A view into a larger array whose surroundings must stay as they are. */
const canary = 0x5a;
const arrays: Uint8Array[] = [];
function guarded<T extends ArrayBufferView>(
  type: new (buffer: ArrayBuffer, offset: number, length: number) => T,
  bytes: number,
  length: number,
): T {
  const whole = new Uint8Array(128 + length * bytes).fill(canary);
  arrays.push(whole);
  const view = new type(whole.buffer as ArrayBuffer, 64, length);
  new Uint8Array(whole.buffer, 64, length * bytes).fill(1);
  return view;
}
function expectCanaries(): void {
  for (const whole of arrays.splice(0)) {
    expect(whole.subarray(0, 64).every((byte) => byte === canary)).toBe(true);
    expect(whole.subarray(-64).every((byte) => byte === canary)).toBe(true);
  }
}

const length = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 3000 }));
const anything = fc.oneof(
  { weight: 6, arbitrary: length.map((n) => () => guarded(Float32Array, 4, n)) },
  {
    weight: 3,
    arbitrary: fc.array(fc.integer({ min: -2, max: 70 }), { maxLength: 64 }).map((v) => () => Int32Array.from(v)),
  },
  { weight: 2, arbitrary: length.map((n) => () => guarded(Uint8Array, 1, n)) },
  { weight: 2, arbitrary: length.map((n) => () => guarded(Uint16Array, 2, n)) },
  { weight: 1, arbitrary: fc.array(fc.nat(40), { maxLength: 5 }).map((v) => () => Uint32Array.from(v)) },
  { weight: 6, arbitrary: fc.integer({ min: -1, max: 40 }).map((n) => () => n) },
  { weight: 3, arbitrary: fc.oneof(fc.integer(), fc.double()).map((n) => () => n) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown[]>(undefined, null, "text", {}, true, 2 ** 53, -0.5).map((v) => () => v),
  },
);

describe.skipIf(!hasAddon)("the native addon", () => {
  const addon = hasAddon ? (loadAddon() as unknown as RawAddon) : undefined;
  const names = addon?.listInstructionSets().filter(({ missing }) => missing === "") ?? [];
  const sets = names.flatMap(({ name }) => [false, true].map((bfloat16) => new addon!.Kernels(name, 2, bfloat16)));

  function makeMatrix(values: readonly (() => unknown)[]): unknown {
    try {
      return addon!.createMatrix(...values.map((value) => value()));
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      return undefined;
    }
  }

  /** A matrix that is right, of a shape that the fuzzer chose. */
  function rightMatrix(rows: number, columns: number, bits: number): unknown {
    const count = rows * columns;
    if (bits === 0) return addon!.createMatrix(1, rows, columns, guarded(Uint8Array, 1, count * 2));
    const codes = guarded(Uint8Array, 1, Math.floor(count / 512) * 64 * bits + 64);
    const absmax = guarded(Uint16Array, 2, Math.ceil(count / 64));
    const table = new Float32Array(256).fill(0.5);
    const tail = new Uint8Array(512);
    return addon!.createMatrix(3, rows, columns, codes, tail, 64, absmax, undefined, bits, undefined, undefined, table);
  }

  test("survives any arguments to any function", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...methods),
        fc.array(anything, { maxLength: 13 }),
        fc.tuple(
          fc.integer({ min: 1, max: 40 }),
          fc.constantFrom(1, 5, 64, 100, 512, 1024),
          fc.constantFrom(0, 2, 3, 4, 5, 6, 7, 8),
        ),
        fc.boolean(),
        (method, given, [rows, columns, bits], isRight) => {
          const matrix = isRight ? rightMatrix(rows, columns, bits) : makeMatrix(given);
          for (const set of sets) {
            const values = given.map((value) => value());
            const place = { matmul: 2, embed: 1, scoreTargets: 3 }[method];
            if (place !== undefined) values[place] = matrix;
            try {
              set[method](...values);
            } catch (error) {
              expect(error).toBeInstanceOf(Error);
            }
          }
          expectCanaries();
        },
      ),
      { numRuns: runs },
    );
  });

  test("computes with sizes that just fit, and refuses those that do not", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.constantFrom(1, 5, 64, 100, 512, 1024),
        fc.constantFrom(0, 2, 3, 4, 5, 6, 7, 8),
        fc.integer({ min: 0, max: 20 }),
        fc.boolean(),
        (rows, columns, bits, tokens, generating) => {
          const matrix = rightMatrix(rows, columns, bits);
          for (const set of sets) {
            const out = guarded(Float32Array, 4, tokens * rows);
            const x = guarded(Float32Array, 4, tokens * columns);
            set.matmul(out, x, matrix, tokens, generating, undefined);
            expect(() => set.matmul(out, x, matrix, tokens + 1, generating, undefined)).toThrow(/needed/);
            expect(() => set.matmul(out.subarray(1), x, matrix, tokens || 1, generating, undefined)).toThrow(/needed/);
          }
          expectCanaries();
        },
      ),
      { numRuns: runs / 5 },
    );
  });

  test("quantizes within its arrays, and refuses ranges, sizes and slots that do not fit", () => {
    const quantizers = names.map(({ name }) => new addon!.Quantizer(name, 2));
    const [midpoints, slots] = [new Float64Array(256).fill(Infinity), new Int16Array(1)];
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.constantFrom(0, 1, 2),
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 1, max: 700 }),
        fc.constantFrom("measureAbsmax", "encode", "countDigits"),
        fc.array(anything, { maxLength: 10 }),
        (count, storage, bits, blockSize, method, given) => {
          const width = storage === 0 ? 4 : 2;
          const weights = guarded(Uint8Array, 1, count * width);
          const absmax = guarded(Float32Array, 4, Math.ceil(count / blockSize));
          const packed = Math.floor(count / 512) * 64 * bits + Math.ceil(((count % 512) * bits) / 8);
          const codes = guarded(Uint8Array, 1, packed);
          for (const quantizer of quantizers) {
            const encode = (to: Uint8Array, from: number, end: number) =>
              quantizer.encode(to, weights, storage, from, end, bits, blockSize, absmax, midpoints, 0);
            quantizer.measureAbsmax(absmax, weights, storage, blockSize);
            encode(codes, 0, count);
            expect(() => quantizer.measureAbsmax(absmax.subarray(1), weights, storage, blockSize)).toThrow(/needed/);
            expect(() => encode(codes.subarray(1), 0, count)).toThrow(/needed/);
            expect(() => encode(codes, 1, count)).toThrow(/groups|range/);
            expect(() => encode(codes, 0, count + 1)).toThrow(/range/);
            const counts = guarded(Uint32Array, 4, 2 ** 8);
            quantizer.countDigits(counts, weights, storage, new Int16Array(2 ** 8), 8 * width - 16, 8);
            expect(() => quantizer.countDigits(counts, weights, storage, slots, 0, 8)).toThrow(/needed/);
            expect(() => quantizer.countDigits(counts, weights, 1, new Int16Array(256).fill(1), 0, 8)).toThrow(/slot/);
            try {
              quantizer[method](...given.map((value) => value()));
            } catch (error) {
              expect(error).toBeInstanceOf(Error);
            }
          }
          expectCanaries();
        },
      ),
      { numRuns: runs / 5 },
    );
  });

  test("refuses a weight whose memory was taken away, and what is no weight", () => {
    const values = new Uint8Array(2 * 64);
    const matrix = addon!.createMatrix(1, 1, 64, values);
    const [set] = sets;
    const call = (weight: unknown) => () =>
      set.matmul(new Float32Array(1), new Float32Array(64), weight, 1, true, undefined);
    expect(call(matrix)).not.toThrow();
    structuredClone(values.buffer, { transfer: [values.buffer] });
    expect(call(matrix)).toThrow(/taken away/);
    expect(call({})).toThrow(/not a weight/);
    const released = rightMatrix(1, 64, 4);
    addon!.releaseMatrix(released);
    expect(call(released)).toThrow(/not a weight/);
    expect(() => addon!.releaseMatrix(released)).toThrow(/not a weight/);
    expect(() => (set.matmul as Method).call({}, 1)).toThrow();
    expect(() => addon!.createMatrix(1, 2 ** 31 - 1, 2 ** 31 - 1, new Uint8Array(8))).toThrow(/needed/);
    expect(addon!.mapFile("/no such file")).toBeUndefined();
    expect(addon!.mapFile("/")).toBeUndefined();
  });
});
