import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemorySource } from "../../src/checkpoint/bytes.ts";
import { formatSafetensors, maxHeaderBytes, openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { InputError } from "../../src/input-error.ts";
import { type StorageType, storageTypes, type Tensor } from "../../src/tensor/tensor.ts";

/** A file of a header text and some data, unchecked. */
function forge(header: unknown, dataBytes: number, headerLength?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, headerLength ?? BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

const open = (bytes: Uint8Array) => openSafetensors(createMemorySource("m.safetensors", bytes));

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await open(bytes).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InputError);
  return (error as InputError).message;
}

const f32 = (shape: number[], start: number, end: number) => ({ dtype: "F32", shape, data_offsets: [start, end] });

describe("a well-formed file", () => {
  it("gives back every tensor that was written, whatever its name, type and shape", async () => {
    const tensor = fc
      .record({
        name: fc.string({ minLength: 1 }).filter((name) => name !== "__metadata__"),
        type: fc.constantFrom(...(Object.keys(storageTypes) as StorageType[])),
        shape: fc.array(fc.nat(5), { maxLength: 4 }),
      })
      .chain((header) => {
        const bytes = header.shape.reduce((a, b) => a * b, 1) * storageTypes[header.type].bytes;
        return fc
          .uint8Array({ minLength: bytes, maxLength: bytes })
          .map((data): Tensor => ({ ...header, bytes: data }));
      });
    const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(tensors, async (written) => {
        const bytes = formatSafetensors(written, { format: "pt" });
        const file = await open(bytes);
        expect(file.metadata).toEqual([{ format: "pt" }]);
        expect(file.tensors.size).toBe(written.length);
        for (const { name, type, shape, bytes: data } of written) {
          expect(file.tensors.get(name)).toMatchObject({ type, shape });
          expect(await file.readBytes(name)).toEqual(data);
        }
      }),
    );
  });

  it("has its data at a multiple of 8 bytes and the layout of the format, byte by byte", () => {
    const tensor: Tensor = { name: "a", type: "U8", shape: [3], bytes: Uint8Array.of(7, 8, 9) };
    const json = '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}';
    const file = formatSafetensors([tensor]);
    expect([...file.subarray(0, 8)]).toEqual([56, 0, 0, 0, 0, 0, 0, 0]);
    expect(new TextDecoder().decode(file.subarray(8, 64))).toBe(json.padEnd(56));
    expect([...file.subarray(64)]).toEqual([7, 8, 9]);
  });
});

describe("a hostile or broken file", () => {
  it("is refused if it is empty or shorter than its header", async () => {
    expect(await refusal(new Uint8Array(0))).toMatch(/truncated/);
    expect(await refusal(new Uint8Array(7))).toMatch(/truncated/);
    expect(await refusal(forge({}, 0, 100n))).toMatch(/truncated.*at least 108/);
  });

  it("is refused if its header is longer than the limit, before anything is allocated", async () => {
    expect(await refusal(forge({}, 0, BigInt(maxHeaderBytes) + 1n))).toMatch(/header would have 100000001 bytes/);
    expect(await refusal(forge({}, 0, 2n ** 64n - 1n))).toMatch(/18446744073709551615/);
  });

  it("is refused if it is a Git LFS pointer, with what to do", async () => {
    const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
    expect(await refusal(pointer)).toMatch(/git lfs pull/);
  });

  it("is refused if its header is not a JSON object", async () => {
    expect(await refusal(forge("{", 0))).toMatch(/not valid JSON/);
    expect(await refusal(forge("[]", 0))).toMatch(/not a JSON object/);
    expect(await refusal(forge({ a: 1 }, 0))).toMatch(/tensor a has no description/);
    expect(await refusal(forge({ __metadata__: { a: 1 } }, 0))).toMatch(/must map text to text/);
  });

  it.each([
    ["an unknown type", { a: { dtype: "F8_E4M3", shape: [1], data_offsets: [0, 1] } }, 1, /type "F8_E4M3"/],
    [
      "a type that is a property of every object",
      { a: { dtype: "toString", shape: [], data_offsets: [0, 0] } },
      0,
      /type/,
    ],
    ["a negative shape", { a: f32([-1], 0, 4) }, 4, /shape \[-1\]/],
    ["a broken shape", { a: f32([1.5], 0, 6) }, 6, /shape \[1.5\]/],
    ["a shape beyond whole numbers", { a: f32([2 ** 40, 2 ** 40], 0, 4) }, 4, /too large/],
    ["a shape that is no list", { a: { dtype: "F32", shape: 4, data_offsets: [0, 4] } }, 4, /shape 4/],
    ["reversed offsets", { a: f32([1], 4, 0) }, 4, /data_offsets \[4,0\]/],
    ["fewer bytes than its shape", { a: f32([2], 0, 4) }, 4, /has 4 bytes, but F32 of shape \[2\] takes 8/],
    ["overlapping tensors", { a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8, /b overlaps/],
    ["the same bytes twice", { a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4, /overlaps/],
    ["a gap", { a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12, /4 bytes before tensor b/],
    ["a tensor beyond the end", { a: f32([2], 0, 8) }, 4, /truncated/],
    ["a rest", { a: f32([1], 0, 4) }, 5, /1 bytes at the end/],
  ])("is refused with %s", async (_, header, dataBytes, message) => {
    expect(await refusal(forge(header, dataBytes))).toMatch(message);
  });

  it("never fails in any other way than with a sentence", async () => {
    const good = formatSafetensors([{ name: "w", type: "F16", shape: [2, 2], bytes: new Uint8Array(8) }]);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), async (at, value, cut) => {
        const bad = good.slice();
        bad[at] = value;
        const error = await open(bad.subarray(0, cut)).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error !== undefined) expect(error).toBeInstanceOf(InputError);
      }),
      { numRuns: 500 },
    );
  });
});
