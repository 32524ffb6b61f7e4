import fc from "fast-check";
import { expect, test } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { dataTypes } from "../../src/quantize/data-types.ts";
import { formatSpec, parseSpec } from "../../src/quantize/spec-text.ts";

const readText = (path: string) => (path === "C:\\my.json:dir\\v.json" ? "[-1, 0, 0.5, 1, 0.5]" : "[-3, -1, 0, 1, 3]");
const canonical = (text: string) => formatSpec(parseSpec(text, readText));
const failure = (text: string) => {
  try {
    parseSpec(text, readText);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message;
  }
  throw new Error(`"${text}" was accepted`);
};

test("a text is parsed into every choice, made explicit", () => {
  expect(parseSpec("float4:e3:b64:dq:proxy2")).toEqual({
    kind: "quantized",
    type: "float",
    bits: 4,
    exponentBits: 3,
    block: 64,
    scales: "double",
    center: "none",
    proxy: { percent: 2, rule: "previous" },
    embed: false,
    head: false,
  });
  expect(parseSpec("quantile3:sram:brow:a32:center-block:proxy0.5-self:embed:head")).toEqual({
    kind: "quantized",
    type: "quantile",
    bits: 3,
    estimator: "sram",
    block: "row",
    scales: "float32",
    center: "block",
    proxy: { percent: 0.5, rule: "self" },
    embed: true,
    head: true,
  });
  expect(parseSpec(" bf16 ")).toEqual({ kind: "baseline", type: "bf16" });
});

test.each([
  ["int4", "int4"],
  ["int4:head:embed:center:dq:b064", "int4:b64:dq:center:embed:head"],
  ["float2", "float2:e1"],
  ["float3", "float3:e2"],
  ["float4", "float4:e2:ieee"],
  ["float5", "float5:e3:ieee"],
  ["float6", "float6:e3:ieee"],
  ["float7", "float7:e4:ieee"],
  ["float8", "float8:e4:ieee"],
  ["float4:e3:appendix", "float4:e3"],
  ["float4:appendix:e2", "float4:e2:appendix"],
  ["int4:center-block", "int4:center"],
  ["int4:center-block:brow", "int4:brow:center-block"],
  ["int4:proxy02.50", "int4:proxy2.5"],
  ["quantile4:eq6:b4096", "quantile4:eq6:b4096"],
  ["nf4:b64:center-median", "nf4:b64:center-median"],
  ["stored", "stored"],
])("the canonical text of %s is %s", (text, expected) => {
  expect(canonical(text)).toBe(expected);
});

test("a codebook file is named by its content, whatever its path, order, repetitions and scale", () => {
  const text = canonical("file:values.json:b64");
  expect(text).toMatch(/^file3:[0-9a-f]{16}:b64$/);
  expect(canonical("file:a/b.json:b64")).toBe(text);
  expect(formatSpec(parseSpec("file:x.json", () => '{"codebook": [1, 0, -1, 0, 0.3333, -0.3333, 1]}'))).toBe(
    text.replace(":b64", ""),
  );
  expect(canonical(text)).toBe(text);
  expect(parseSpec("file:values.json", readText)).toMatchObject({
    bits: 3,
    file: { path: "values.json", codebook: [-1, Math.fround(Math.f16round(-1 / 3)), 0, Math.f16round(1 / 3), 1] },
  });
});

test("the hash of a codebook is FNV-1a of its float16 bytes", () => {
  // -1 and 1 are the bytes 00 bc 00 3c.
  let hash = 0xcbf29ce484222325n;
  for (const byte of [0x00n, 0xbcn, 0x00n, 0x3cn]) hash = ((hash ^ byte) * 0x100000001b3n) % 2n ** 64n;
  expect(formatSpec(parseSpec("file:x.json", () => "[-1, 1]"))).toBe(`file2:${hash.toString(16).padStart(16, "0")}`);
});

test("colons and .json inside a path do not confuse it with options", () => {
  expect(parseSpec("file:C:\\my.json:dir\\v.json:b32:dq", readText)).toMatchObject({
    file: { path: "C:\\my.json:dir\\v.json", codebook: [-1, 0, 0.5, 1] },
    block: 32,
    scales: "double",
  });
});

const optional = (...words: string[]) => fc.constantFrom("", ...words.map((word) => `:${word}`));
const anyText = fc
  .constantFrom(...(Object.keys(dataTypes) as (keyof typeof dataTypes)[]))
  .chain((type) => fc.tuple(fc.constant(type), fc.constantFrom(...dataTypes[type].bits)))
  .chain(([type, bits]) =>
    fc.tuple(
      fc.constant(type === "file" ? `file${bits}:00112233aabbccdd` : `${type}${bits}`),
      type === "float" ? optional(...Array.from({ length: bits - 1 }, (_, i) => `e${i + 1}`)) : fc.constant(""),
      type === "float"
        ? optional("ieee", "bnb", "appendix")
        : type === "quantile"
          ? optional("sram", "eq6")
          : fc.constant(""),
      fc.oneof(
        optional("brow"),
        fc.integer({ min: 16, max: 4096 }).map((size) => `:b${size}`),
      ),
      optional("a32", "dq"),
      optional("center", "center-median", "center-block"),
      fc.oneof(
        optional(),
        fc.integer({ min: 1, max: 99_000_000 }).map((millionths) => `:proxy${(millionths / 1e6).toFixed(6)}`),
      ),
      optional("embed"),
      optional("head"),
    ),
  )
  .map((parts) => parts.join(""));

test("parsing a formatted spec gives the spec back, and equal specs have one text", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const spec = parseSpec(text);
      expect(parseSpec(formatSpec(spec))).toEqual(spec);
      expect(canonical(formatSpec(spec))).toBe(formatSpec(spec));
    }),
    { numRuns: 500 },
  );
});

test("the order of options does not matter", () => {
  fc.assert(
    fc.property(
      anyText.filter((text) => !text.startsWith("file")),
      fc.infiniteStream(fc.nat()),
      (text, keys) => {
        const [head, ...options] = text.split(":");
        const shuffled = options.map((word) => [keys.next().value, word] as const).sort(([a], [b]) => a - b);
        expect(canonical([head, ...shuffled.map(([, word]) => word)].join(":"))).toBe(canonical(text));
      },
    ),
  );
});

test("any text is either a spec or an InputError", () => {
  const pieces = fc.constantFrom(
    "int",
    "float",
    "4",
    ":",
    "b64",
    "e2",
    "proxy",
    "-",
    "file:",
    ".json",
    "dq",
    "\n",
    "é",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((list) => list.join("")),
      ),
      (text) => {
        try {
          parseSpec(text, readText);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      },
    ),
  );
});

test.each([
  ["flaot4:b64", 'spec "flaot4:b64": unknown data type "flaot"; did you mean "float4"?'],
  ["fp17", 'did you mean "fp16"?'],
  ["nf4b64:dq", 'options stand behind colons; did you mean "nf4:b64:dq"?'],
  ["float4e2", 'did you mean "float4:e2"?'],
  ["nf4_64", 'did you mean "nf4"?'],
  ["nf3-4:b64", "a range of bits is for studies; give one, such as nf4"],
  ["nf3-9", "nf has 2 to 8 bits, not 9"],
  ["float4:e9", '"e9" is out of range; float4 has 1 to 3 exponent bits'],
  ["", "a spec is empty; write one such as int4:b64, or stored"],
  ["constructor4", 'unknown data type "constructor"'],
  ["int", 'spec "int": int needs its bits, such as int4'],
  ["int1", "int has 2 to 8 bits, not 1"],
  ["int16:b64", "int has 2 to 8 bits, not 16"],
  ["af3", "af has 4 bits, not 3"],
  ["float4:e4", "float4 has 1 to 3 exponent bits beside its sign, not e4; write float4:e2"],
  ["int4:e2", '"e2" is an option of float, not of int'],
  ["int4:b8", '"b8" is out of range; block sizes go from 16 to 4096'],
  ["int4:b5000", '"b5000" is out of range'],
  ["int4:b64:brow", '"b64" and "brow" contradict each other; keep one of them'],
  ["int4:dq:a32", '"dq" and "a32" contradict each other'],
  ["int4:dq:dq", '"dq" stands twice'],
  ["int4:proxy100", '"proxy100" is out of range; percents go from 0.000001 to 99'],
  ["int4:proxy0", '"proxy0" is out of range'],
  ["int4:centre", 'unknown option "centre"; did you mean "center"?'],
  ["int4:", "an option is empty"],
  ["int4::b64", "an option is empty"],
  ["fp16:b64", "the baseline fp16 takes no options"],
  ["file:values.txt:b64", "the path of a codebook ends in .json"],
  ["file4", "file4 needs the hash of a codebook, or write file:PATH.json"],
])("%j is refused with the part that is wrong", (text, message) => {
  expect(failure(text)).toContain(message);
});

test.each([
  ["{", "codebook v.json is not JSON"],
  ["3", 'codebook v.json: expected an array of numbers, or an object with one as "codebook"'],
  ["null", "codebook v.json: expected an array"],
  ["[1]", "codebook v.json: expected 2 to 256 values, found 1"],
  [JSON.stringify(Array.from({ length: 257 }, (_, i) => i)), "expected 2 to 256 values, found 257"],
  ['[0, "1"]', 'codebook v.json: value 1 is not a number: "1"'],
  ["[0, 1e999]", "codebook v.json: value 1 is not a number"],
  ["[0.5, 0.50001]", "codebook v.json: all values are equal in float16"],
])("the codebook file %s is refused with what is wrong in it", (json, message) => {
  expect(() => parseSpec("file:v.json", () => json)).toThrow(message);
});

test("a codebook file is refused where nothing can read it", () => {
  expect(() => parseSpec("file:v.json")).toThrow("a codebook file cannot be read here");
});
