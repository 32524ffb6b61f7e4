// Conformance of everything that reads no weights: norms, heads, attention, activations, elementwise operations.

import { afterAll, describe, expect, test } from "vitest";
import type { AttentionSpans, HeadLayout, Kernels } from "../../src/kernels/kernels.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { fromFloat32 } from "../../src/tensor/convert.ts";
import { bufferOf, randomValues, testedSets, worstError } from "./sets.ts";

const reference = createReferenceKernels();

/** Runs one operation that writes `length` values to a buffer. */
async function run(kernels: Kernels, length: number, operation: (out: ReturnType<typeof bufferOf>) => void) {
  const out = kernels.createBuffer(length);
  operation(out);
  const result = await kernels.read(out);
  kernels.release(out);
  return result;
}

describe.each(testedSets)("$name", ({ create }) => {
  const single = create(1);
  const threaded = create(2);
  afterAll(async () => {
    await (await single).close();
    await (await threaded).close();
  });

  /** The operation on the reference, and on the set by one and by two threads; gives the worst error. */
  async function compare(
    length: number,
    scale: number,
    operation: (kernels: Kernels) => (out: ReturnType<typeof bufferOf>) => void,
  ) {
    const expected = await run(reference, length, operation(reference));
    const computed = await run(await single, length, operation(await single));
    expect(await run(await threaded, length, operation(await threaded))).toEqual(computed);
    return worstError(computed, expected, scale);
  }

  test.each([1, 3, 4, 48, 100, 1023])("norms of %d values match the reference", async (width) => {
    for (const tokens of [1, 7, 300]) {
      const x = randomValues(tokens * width, 1).map((value) => value * 3 + 2);
      const [gain, bias] = [randomValues(width, 2), randomValues(width, 3)];
      for (const added of [undefined, bias]) {
        const error = await compare(tokens * width, 1, (kernels) => (out) => {
          const shift = added && bufferOf(kernels, added);
          kernels.layerNorm(out, bufferOf(kernels, x), tokens, bufferOf(kernels, gain), shift, 1e-5);
        });
        expect(error).toBeLessThan(1e-5);
      }
      const error = await compare(tokens * width, 1, (kernels) => (out) => {
        kernels.rmsNorm(out, bufferOf(kernels, x), tokens, bufferOf(kernels, gain), 1e-6);
      });
      expect(error).toBeLessThan(1e-5);
    }
  });

  test("a norm may be taken in place", async () => {
    const kernels = await single;
    const x = randomValues(5 * 48, 1);
    const [gain, bias] = [bufferOf(kernels, randomValues(48, 2)), bufferOf(kernels, randomValues(48, 3))];
    const apart = await run(kernels, x.length, (out) =>
      kernels.layerNorm(out, bufferOf(kernels, x), 5, gain, bias, 1e-5),
    );
    const place = bufferOf(kernels, x);
    kernels.layerNorm(place, place, 5, gain, bias, 1e-5);
    expect(await kernels.read(place)).toEqual(apart);
  });

  test.each(["relu", "gelu", "geluTanh", "silu"] as const)(
    "%s matches the reference from -30 to 30 and beyond",
    async (activation) => {
      const x = Float32Array.from({ length: 60_003 }, (_, i) => (i - 30_000) / 1000);
      x.set([0, -0, 1e-30, -1e-30, 200, -200, 1e20, -1e20], 5);
      const apply = async (kernels: Kernels) => {
        const buffer = bufferOf(kernels, x);
        kernels.activate(buffer, activation, x.length - 1); // the last value stays
        return kernels.read(buffer);
      };
      const expected = await apply(reference);
      const computed = await apply(await single);
      const sizes = x.map((value) => Math.max(Math.abs(value), 1e-30));
      expect(worstError(computed, expected, sizes)).toBeLessThan(1e-6);
      expect(computed.at(-1)).toBe(x.at(-1));
      expect(await apply(await threaded)).toEqual(computed);
    },
  );

  test.each(["gelu", "silu"] as const)("%s keeps its relative precision in the negative tail", async (activation) => {
    const x = Float32Array.from({ length: 1000 }, (_, i) => -i / 100 - 0.01);
    const apply = (kernels: Kernels) => {
      const buffer = bufferOf(kernels, x);
      kernels.activate(buffer, activation, x.length);
      return kernels.read(buffer);
    };
    const expected = await apply(reference);
    expect(worstError(await apply(await single), expected, expected.map(Math.abs))).toBeLessThan(2e-6);
  });

  test("sums, products and gathered rows are exact", async () => {
    for (const length of [1, 7, 64, 700_001]) {
      const [a, b] = [randomValues(length, 1), randomValues(length, 2)];
      expect(await compare(length, 1, (k) => (out) => k.add(out, bufferOf(k, a), bufferOf(k, b), length))).toBe(0);
      expect(await compare(length, 1, (k) => (out) => k.multiply(out, bufferOf(k, a), bufferOf(k, b), length))).toBe(0);
    }
    for (const width of [1, 5, 96]) {
      const rows = Int32Array.of(3, 0, 3, 9);
      const x = randomValues(10 * width, 3);
      expect(await compare(4 * width, 1, (k) => (out) => k.gather(out, bufferOf(k, x), rows, width))).toBe(0);
    }
  });

  test("heads go to their slots, turned by their position", async () => {
    const tokens = 9;
    for (const [heads, headSize, rotarySize] of [
      [2, 24, 6],
      [4, 32, 8],
      [3, 32, 32],
      [1, 5, 2],
      [2, 16, 0],
      [5, 64, 20],
    ]) {
      const width = 3 * heads * headSize + 1;
      const layout: HeadLayout = {
        tokens,
        heads,
        headSize,
        width,
        offset: headSize + 1,
        stride: 2 * headSize,
        slots: Int32Array.of(3, 1, 4, 10, 5, 9, 2, 6, 0),
        rotary: rotarySize
          ? {
              size: rotarySize,
              positions: Int32Array.of(0, 1, 2, 77, 3, 4, 4095, 5, 6),
              frequencies: Float32Array.from({ length: rotarySize / 2 }, (_, i) => 10000 ** ((-2 * i) / rotarySize)),
              magnitude: 1.25,
            }
          : undefined,
      };
      const x = randomValues(tokens * width, 5);
      const error = await compare(11 * heads * headSize, 1, (k) => (out) => k.placeHeads(out, bufferOf(k, x), layout));
      expect(error).toBeLessThan(1e-6);
    }
  });

  test("positions turn right in whatever order they are first met", async () => {
    const frequencies = Float32Array.of(1, 0.1);
    for (const position of [0, 63, 64, 65, 127, 128, 5, 1000]) {
      const layout: HeadLayout = {
        tokens: 1,
        heads: 1,
        headSize: 4,
        width: 4,
        offset: 0,
        stride: 4,
        slots: Int32Array.of(0),
        rotary: { size: 4, positions: Int32Array.of(position), frequencies, magnitude: 1 },
      };
      const x = randomValues(4, 5);
      expect(await compare(4, 1, (k) => (out) => k.placeHeads(out, bufferOf(k, x), layout))).toBeLessThan(1e-6);
    }
  });

  /** Random spans over a cache: a prefix shared by all, then each token's own run up to itself. */
  function spansOver(slots: number, tokens: number, prefixLength: number): Int32Array {
    const spans = new Int32Array(tokens * 4);
    for (let t = 0; t < tokens; t++) {
      const ownLength = 1 + (t % (slots - prefixLength - 3));
      spans.set([2, prefixLength, prefixLength + 2, ownLength], t * 4);
    }
    return spans;
  }

  test.each([
    { heads: 2, keyHeads: 2, headSize: 24, slots: 40, tokens: 12, prefix: 9 },
    { heads: 4, keyHeads: 2, headSize: 32, slots: 300, tokens: 150, prefix: 0 },
    { heads: 6, keyHeads: 1, headSize: 5, slots: 30, tokens: 5, prefix: 3 },
    { heads: 3, keyHeads: 3, headSize: 70, slots: 1100, tokens: 2, prefix: 1001 },
    { heads: 1, keyHeads: 1, headSize: 64, slots: 12, tokens: 1, prefix: 1 },
  ])(
    "attention of $heads heads on $keyHeads, size $headSize, over $slots slots matches the reference",
    async (shape) => {
      const { heads, keyHeads, headSize, slots, tokens, prefix } = shape;
      const query = randomValues(tokens * heads * headSize, 1);
      const keys = randomValues(slots * keyHeads * headSize, 2);
      const values = randomValues(slots * keyHeads * headSize, 3);
      for (const slopes of [undefined, Float32Array.from({ length: heads }, (_, h) => 2 ** -(h + 1))]) {
        const layout: AttentionSpans = {
          tokens,
          heads,
          keyHeads,
          headSize,
          scale: 1 / Math.sqrt(headSize),
          spans: spansOver(slots, tokens, prefix),
          slopes,
        };
        const error = await compare(query.length, 1, (k) => (out) => {
          k.attend(out, bufferOf(k, query), bufferOf(k, keys), bufferOf(k, values), layout);
        });
        expect(error).toBeLessThan(3e-6);
      }
    },
  );

  test("attention has the same bits however the same keys are divided into prefix and own, alone or together", async () => {
    const kernels = await single;
    const [heads, headSize, slots] = [2, 20, 50];
    const query = randomValues(heads * headSize, 1);
    const keys = bufferOf(kernels, randomValues(slots * heads * headSize, 2));
    const values = bufferOf(kernels, randomValues(slots * heads * headSize, 3));
    const attend = (tokens: number, spans: Int32Array) =>
      run(kernels, tokens * query.length, (out) => {
        const repeated = Float32Array.from({ length: tokens * query.length }, (_, i) => query[i % query.length]);
        kernels.attend(out, bufferOf(kernels, repeated), keys, values, {
          tokens,
          heads,
          keyHeads: heads,
          headSize,
          scale: 0.3,
          spans,
        });
      });
    const whole = await attend(1, Int32Array.of(0, 0, 0, 47));
    expect(await attend(1, Int32Array.of(0, 13, 13, 34))).toEqual(whole);
    const three = await attend(3, Int32Array.of(0, 46, 46, 1, 5, 3, 9, 9, 0, 20, 20, 27));
    expect(three.slice(0, query.length)).toEqual(whole);
    expect(three.slice(2 * query.length)).toEqual(whole);
  });

  test("capped scores and logits match the reference", async () => {
    const [tokens, heads, headSize, rows] = [7, 2, 20, 131];
    const query = randomValues(tokens * heads * headSize, 1, 3);
    const [keys, values] = [randomValues(query.length, 2, 3), randomValues(query.length, 3)];
    const spans = Int32Array.from({ length: 4 * tokens }, (_, i) => (i % 4 === 3 ? (i + 1) / 4 : 0));
    const layout = { tokens, heads, keyHeads: heads, headSize, scale: 1, spans };
    const attendAt = (cap?: number) => (k: Kernels) => (out: ReturnType<typeof bufferOf>) =>
      k.attend(out, bufferOf(k, query), bufferOf(k, keys), bufferOf(k, values), { ...layout, cap });
    expect(await compare(query.length, 1, attendAt(2))).toBeLessThan(3e-6);
    expect(await run(reference, query.length, attendAt(2)(reference))).not.toEqual(
      await run(reference, query.length, attendAt()(reference)),
    );
    const width = heads * headSize;
    const head = fromFloat32("head", randomValues(rows * width, 4), [rows, width], "F32");
    const targets = Int32Array.from({ length: tokens }, (_, t) => 19 * t);
    const score = (k: Kernels) => k.scoreTargets(bufferOf(k, query), k.loadWeight(head), targets, undefined, 50);
    const expected = await score(reference);
    const computed = await score(await threaded);
    expect(worstError(computed.logProbs, expected.logProbs, 1)).toBeLessThan(1e-5);
    expect(computed.best).toEqual(expected.best);
  });

  test("scores far apart neither overflow nor turn into NaN", async () => {
    const [headSize, slots] = [4, 3];
    const keys = Float32Array.of(100, 100, 100, 100, -100, -100, -100, -100, 0, 0, 0, 0);
    const values = randomValues(slots * headSize, 3);
    const spans = Int32Array.of(0, 0, 0, 3);
    const error = await compare(headSize, 1, (k) => (out) => {
      const query = bufferOf(k, Float32Array.of(50, 50, 50, 50));
      k.attend(out, query, bufferOf(k, keys), bufferOf(k, values), {
        tokens: 1,
        heads: 1,
        keyHeads: 1,
        headSize,
        scale: 1,
        spans,
      });
    });
    expect(error).toBeLessThan(1e-6);
  });

  test("calls whose sizes do not fit throw and name what is wrong", async () => {
    const kernels = await single;
    const small = kernels.createBuffer(3);
    const large = kernels.createBuffer(100);
    expect(() => kernels.add(small, large, large, 4)).toThrow("add holds 3 values, 4 are needed");
    expect(() => kernels.gather(large, large, Int32Array.of(50), 2)).toThrow("gather: row 50 is outside 0 to 49");
    expect(() => kernels.write(small, new Float32Array(4))).toThrow();
    await expect(kernels.read(small, 1, 3)).rejects.toThrow();
    const layout = { tokens: 1, heads: 1, keyHeads: 1, headSize: 4, scale: 1, spans: Int32Array.of(0, 0, 0, 26) };
    expect(() => kernels.attend(large, large, large, large, layout)).toThrow("leaves the cache of 25 slots");
    kernels.release(small);
    expect(() => kernels.write(small, new Float32Array(1))).toThrow("released");
    expect(() => kernels.release(small)).toThrow();
  });
});
