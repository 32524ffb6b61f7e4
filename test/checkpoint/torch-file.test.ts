import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemorySource } from "../../src/checkpoint/bytes.ts";
import { openTorchFile } from "../../src/checkpoint/torch-file.ts";
import { InputError } from "../../src/input-error.ts";
import { toFloat32 } from "../../src/tensor/convert.ts";

const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`../fixtures/torch/${name}`, import.meta.url)));
const expected: Record<string, { shape: number[]; values: number[] }> = JSON.parse(
  new TextDecoder().decode(fixture("expected.json")),
);
const open = (bytes: Uint8Array) => openTorchFile(createMemorySource("pytorch_model.bin", bytes));

async function refusal(bytes: Uint8Array, name?: string): Promise<string> {
  const error = await open(bytes)
    .then((file) => name && file.readBytes(name))
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InputError);
  return (error as InputError).message;
}

/** A file of the zip form: stored entries, with what a test wants wrong. */
function zip(
  entries: { name: string; bytes: Uint8Array; method?: number; flags?: number; size?: number; at?: number }[],
): Uint8Array {
  const out: number[] = [];
  const directory: number[] = [];
  const u16 = (n: number) => [n & 255, (n >> 8) & 255];
  const u32 = (n: number) => [...u16(n & 0xffff), ...u16(n >>> 16)];
  const text = (s: string) => [...new TextEncoder().encode(s)];
  for (const { name, bytes, method = 0, flags = 0, size = bytes.length, at = out.length } of entries) {
    const facts = [
      ...u16(flags),
      ...u16(method),
      ...u32(0),
      ...u32(0),
      ...u32(size),
      ...u32(size),
      ...u16(name.length),
    ];
    directory.push(
      ...text("PK\x01\x02"),
      ...u16(20),
      ...u16(20),
      ...facts,
      ...u16(0),
      ...u16(0),
      ...u16(0),
      ...u16(0),
      ...u32(0),
      ...u32(at),
      ...text(name),
    );
    out.push(...text("PK\x03\x04"), ...u16(20), ...facts, ...u16(0), ...text(name), ...bytes);
  }
  const start = out.length;
  const count = [...u16(entries.length), ...u16(entries.length)];
  const end = [...text("PK\x05\x06"), ...u32(0), ...count, ...u32(directory.length), ...u32(start), ...u16(0)];
  return Uint8Array.from([...out, ...directory, ...end]);
}

const latin = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const archive = (pickle: string) => zip([{ name: "m/data.pkl", bytes: latin(pickle) }]);
const int = (n: number) => `J${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255)}`;
const text = (s: string) => `X${int(s.length).slice(1)}${s}`;
const tuple = (items: string) => `(${items}t`;

/** A pickle of `{"w": tensor}` over storage "0" of `length` float32 values. */
function pickleTensor(length: number, offset: number, shape: number[], strides: number[]): string {
  const storage = `${tuple(`${text("storage")}ctorch\nFloatStorage\n${text("0")}${text("cpu")}${int(length)}`)}Q`;
  const args = `${storage}${int(offset)}${tuple(shape.map(int).join(""))}${tuple(strides.map(int).join(""))}\x89N`;
  return `\x80\x02}${text("w")}ctorch._utils\n_rebuild_tensor_v2\n${tuple(args)}Rs.`;
}
const withStorage = (pickle: string, values: number[]) =>
  zip([
    { name: "m/data.pkl", bytes: latin(pickle) },
    { name: "m/data/0", bytes: new Uint8Array(Float32Array.from(values).buffer) },
  ]);

describe("what PyTorch wrote", () => {
  it.each(["zip.bin", "legacy.bin", "protocol4.bin"])(
    "is read from %s value by value, windows and ties included",
    async (name) => {
      const file = await open(fixture(name));
      expect([...file.tensors.keys()]).toEqual(Object.keys(expected));
      for (const [tensor, { shape, values }] of Object.entries(expected)) {
        const header = file.tensors.get(tensor)!;
        expect(header.shape).toEqual(shape);
        const read = toFloat32({ ...header, bytes: await file.readBytes(tensor) });
        expect(Array.from(read)).toEqual(Array.from(values, Math.fround));
      }
    },
  );

  it("keeps the storage type of each tensor", async () => {
    const { tensors } = await open(fixture("zip.bin"));
    const types = ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"];
    expect(types.map((name) => tensors.get(name)!.type)).toEqual(types.map((name) => name.toUpperCase()));
  });
});

describe("a pickle that would run code", () => {
  it("is refused by the name it refers to, without any call", async () => {
    const call = `cos\nsystem\n${tuple(text("touch /tmp/owned"))}R.`;
    expect(await refusal(archive(`\x80\x02${call}`))).toMatch(/refers to os\.system.*not executed/);
    expect(await refusal(archive(`\x80\x04\x8c\x05posix\x8c\x06system\x93${text("id")}\x85R.`))).toMatch(
      /posix\.system/,
    );
    expect(await refusal(archive(`\x80\x02cbuiltins\neval\n${text("1")}\x85R.`))).toMatch(/builtins\.eval/);
    expect(await refusal(archive("\x80\x02ctorch\nload\n."))).toMatch(/torch\.load/);
    expect(await refusal(archive("\x80\x02c__main__\ntoString\n."))).toMatch(/__main__\.toString/);
  });

  it.each([
    ["INST", "(ios\nsystem\n.", "'i'"],
    ["OBJ", "(o.", "'o'"],
    ["NEWOBJ", "}}\x81.", "0x81"],
    ["EXT1", "\x82\x01.", "0x82"],
    ["PERSID", "Pabc\n.", "'P'"],
  ])("is refused by its opcode, such as %s", async (_, pickle, sign) => {
    expect(await refusal(archive(pickle))).toMatch(`uses the pickle opcode`);
    expect(await refusal(archive(pickle))).toMatch(sign);
  });

  it("is refused if it sets the state of anything but a dict, or calls with arguments that do not fit", async () => {
    expect(await refusal(archive("ctorch\nFloatStorage\n}b."))).toMatch(/BUILD/);
    expect(await refusal(archive("ctorch\nFloatStorage\n)R."))).toMatch(/calls torch\.FloatStorage/);
    expect(await refusal(archive("ctorch._utils\n_rebuild_tensor_v2\n)R."))).toMatch(/arguments that do not fit/);
    expect(await refusal(archive(`${text("a")}Q.`))).toMatch(/persistent id/);
  });

  it("is refused if it is broken, and never runs on", async () => {
    for (const [pickle, message] of [
      ["", /truncated/],
      [".", /takes more from its stack/],
      ["t.", /mark that was not opened/],
      ["h\x05.", /memo 5/],
      ["N(Ku", /truncated|no dict/],
      [`X\xff\xff\xff\x7fabc`, /truncated/],
      ["Na.", /takes more|no list/],
      ["}.", /holds no tensors/],
      ["K\x01.", /holds no tensors/],
    ] as const) {
      expect(await refusal(archive(pickle))).toMatch(message);
    }
  });
});

describe("a tensor record", () => {
  it("is read where it lies within its storage", async () => {
    const file = await open(withStorage(pickleTensor(6, 1, [2, 2], [1, 2]), [0, 1, 2, 3, 4, 5]));
    const bytes = await file.readBytes("w");
    expect([...new Float32Array(bytes.buffer)]).toEqual([1, 3, 2, 4]);
  });

  it.each([
    ["beyond its storage", pickleTensor(4, 1, [2, 2], [2, 1])],
    ["far beyond it", pickleTensor(4, 0, [2, 2], [2 ** 30, 1])],
    ["at a negative place", pickleTensor(4, -1, [2], [1])],
    ["repeated to more than it holds", pickleTensor(4, 0, [2 ** 30, 4], [0, 1])],
    ["of too large a shape", pickleTensor(4, 0, [2 ** 30, 2 ** 30], [0, 0])],
  ])("is refused %s", async (_, pickle) => {
    expect(await refusal(withStorage(pickle, [1, 2, 3, 4]))).toMatch(/reaches out of|do not fit|too large/);
  });

  it("is refused when read if its storage is missing or of another size", async () => {
    expect(await refusal(archive(pickleTensor(4, 0, [4], [1])), "w")).toMatch(/no storage 0/);
    expect(await refusal(withStorage(pickleTensor(4, 0, [4], [1]), [1, 2, 3]), "w")).toMatch(/12 bytes; expected 16/);
  });
});

describe("an archive", () => {
  const pickle = latin(pickleTensor(1, 0, [1], [1]));
  const data = { name: "m/data/0", bytes: new Uint8Array(4) };
  it.each([
    ["is compressed", [{ name: "m/data.pkl", bytes: pickle, method: 8 }], /compressed/],
    ["is encrypted", [{ name: "m/data.pkl", bytes: pickle, flags: 1 }], /encrypted/],
    ["says it has more than it has", [{ name: "m/data.pkl", bytes: pickle, size: 1e9 }], /overlaps/],
    [
      "lets two entries share their bytes",
      [
        { name: "m/data.pkl", bytes: pickle },
        { ...data, at: 0 },
      ],
      /overlaps/,
    ],
    ["has two entries of one name", [{ name: "m/data.pkl", bytes: pickle }, data, data], /two entries m\/data\/0/],
    ["points an entry beyond its end", [{ name: "m/data.pkl", bytes: pickle, at: 1e9 }], /overlaps/],
    ["has no pickle", [data], /no data.pkl/],
    [
      "was written by a big-endian machine",
      [
        { name: "m/data.pkl", bytes: pickle },
        { name: "m/byteorder", bytes: latin("big") },
      ],
      /big-endian/,
    ],
  ])("is refused if it %s", async (_, entries, message) => {
    expect(await refusal(zip(entries))).toMatch(message);
  });

  it("is refused if it is cut or is something else", async () => {
    const bytes = fixture("zip.bin");
    expect(await refusal(bytes.subarray(0, bytes.length - 1))).toMatch(/no directory at its end/);
    expect(await refusal(new Uint8Array(0))).toMatch(/not a PyTorch checkpoint/);
    expect(await refusal(latin("GGUF and so on"))).toMatch(/not a PyTorch checkpoint/);
    expect(await refusal(fixture("legacy.bin").subarray(0, 2500))).toMatch(/truncated/);
  });

  it("never fails in any other way than with a sentence", async () => {
    for (const name of ["zip.bin", "legacy.bin"]) {
      const good = fixture(name);
      await fc.assert(
        fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), async (at, value) => {
          const bad = good.slice();
          bad[at] = value;
          const error = await open(bad)
            .then(async (file) => {
              for (const tensor of file.tensors.keys()) await file.readBytes(tensor);
            })
            .catch((reason: unknown) => reason);
          if (error !== undefined) expect(error).toBeInstanceOf(InputError);
        }),
        { numRuns: 400 },
      );
    }
  });
});
