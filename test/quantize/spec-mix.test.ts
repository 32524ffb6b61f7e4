import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MixSpec } from "../../src/quantize/spec.ts";
import { findInMix, fits } from "../../src/quantize/spec-mix.ts";
import { createMix, formatMix, formatSpec, parseMixText, parseSpec } from "../../src/quantize/spec-text.ts";

const read = (map: unknown) => parseMixText(JSON.stringify(map), "m.json") as MixSpec;
const specOf = (map: unknown, name: string) => {
  const spec = findInMix(read(map), name);
  return spec && formatSpec(spec);
};

describe("patterns", () => {
  it("fit as a regular expression of the same meaning does", () => {
    const words = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?"), maxLength: 9 });
    const names = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 12 });
    fc.assert(
      fc.property(words, names, (pattern, name) => {
        const expression = pattern.replaceAll(".", "\\.").replaceAll("?", ".").replaceAll("*", ".*");
        expect(fits(pattern, name)).toBe(new RegExp(`^${expression}$`).test(name));
      }),
      { numRuns: 2000 },
    );
  });

  it("end in good time however many stars they have", () => {
    const started = performance.now();
    expect(fits(`${"*a".repeat(200)}*b`, "a".repeat(3000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("a mix", () => {
  const map = {
    default: "nf4:b64",
    "*.down_proj.weight": "nf6:b64",
    "model.layers.0.*": "int8",
    "model.layers.0.down_proj.weight": "stored",
  };

  it("gives a name the spec of the pattern that describes it most closely, whatever the order", () => {
    for (const entries of [Object.entries(map), Object.entries(map).reverse()]) {
      const mix = Object.fromEntries(entries);
      expect(specOf(mix, "model.layers.1.up_proj.weight")).toBe("nf4:b64");
      expect(specOf(mix, "model.layers.1.down_proj.weight")).toBe("nf6:b64");
      expect(specOf(mix, "model.layers.0.up_proj.weight")).toBe("int8");
      expect(specOf(mix, "model.layers.0.down_proj.weight")).toBe("stored");
    }
    expect(specOf({ "a*": "nf4" }, "b")).toBeUndefined();
    expect(specOf({ "a*b": "nf4", "a*": "nf3", ab: "nf5", "ab*": "nf2" }, "ab")).toBe("nf5");
  });

  it("refuses two patterns that fit a name equally well, unless they say the same", () => {
    expect(() => specOf({ "a.*": "nf4", "*.b": "nf5" }, "a.b")).toThrow(
      'The mix is not clear on a.b: "*.b" and "a.*" fit it equally well; name it in full.',
    );
    expect(specOf({ "a.*": "nf4", "*.b": "nf4" }, "a.b")).toBe("nf4");
  });

  it("is named by what it says: not by order, writing or path", () => {
    const name = formatSpec(read(map));
    expect(name).toMatch(/^mix:[0-9a-f]{16}$/);
    expect(formatSpec(read(Object.fromEntries(Object.entries(map).reverse())))).toBe(name);
    expect(formatSpec(parseMixText(JSON.stringify({ ...map, "*.down_proj.weight": " nf6:b64" }), "other"))).toBe(name);
    expect(formatSpec(read({ "*": "float4:b64", a: "nf4" }))).toBe(
      formatSpec(read({ default: "float4:e2:ieee:b64", a: "nf4" })),
    );
    expect(formatSpec(read({ ...map, default: "nf4:b32" }))).not.toBe(name);
    // The name is stored in results: it must not change. FNV-1a of the canonical JSON, computed by hand elsewhere.
    const two = read({ a: "nf4", "*": "nf4:b64" });
    expect(formatMix(two)).toBe('{"default":"nf4:b64","a":"nf4"}');
    expect(formatSpec(two)).toBe("mix:3c1d707be1ba507d");
  });

  it("of one spec for everything is that spec", () => {
    expect(parseMixText('{"*": "nf4:b64"}', "m.json")).toEqual(parseSpec("nf4:b64"));
    expect(parseSpec("mix:m.json", () => '{"default": "bf16"}')).toEqual(parseSpec("bf16"));
    expect(formatSpec(read({ "a*": "nf4:b64" }))).toMatch(/^mix:/);
  });

  it("comes back from its canonical text and its canonical JSON", () => {
    const patterns = fc.string({
      unit: fc.constantFrom("a", "b", ".", "*", "0", "_", "ü"),
      minLength: 1,
      maxLength: 6,
    });
    const specs = fc.constantFrom(
      "nf4:b64",
      "int8",
      "stored",
      "bf16",
      "float4:e2:ieee:b64:dq:proxy2:embed",
      "quantile3",
    );
    fc.assert(
      fc.property(
        fc.dictionary(
          patterns.filter((p) => p !== "*" && p !== "default"),
          specs,
          { minKeys: 2 },
        ),
        (map) => {
          const mix = read(map);
          expect(read(JSON.parse(formatMix(mix)))).toEqual(mix);
          expect(createMix([...mix.entries].reverse())).toEqual(mix);
          const named = parseSpec(formatSpec(mix));
          expect(formatSpec(named)).toBe(formatSpec(mix));
          expect(parseSpec(formatSpec(named))).toEqual(named);
        },
      ),
    );
  });

  it("is read whatever its strings hold", () => {
    const names = fc.uniqueArray(fc.string({ unit: fc.constantFrom('"', "\\", "{", "}", ":", ",", "a", " ") }), {
      minLength: 2,
    });
    fc.assert(
      fc.property(names, (all) => {
        const patterns = all.filter((name) => name !== "");
        const map = Object.fromEntries(patterns.map((name) => [name, "nf4"]));
        fc.pre(patterns.length > 0);
        expect(
          read(map)
            .entries.map(({ pattern }) => pattern)
            .sort(),
        ).toEqual([...patterns].sort());
        const twice = `{${[...patterns, patterns[0]].map((name) => `${JSON.stringify(name)}:"nf4"`)}}`;
        expect(() => parseMixText(twice, "m.json")).toThrow("twice; keep one of them");
      }),
    );
    expect(() => read({ a: { b: "nf4", c: ["x", "x"] } })).toThrow('"a" has {"b":"nf4"');
  });

  it("is read from its file, with a codebook of the user's own in it", () => {
    const files: Record<string, string> = {
      "a b:c.json": '{"default": "file:v.json:b64", "a": "nf4"}',
      "v.json": "[-1, 0, 1]",
    };
    const mix = parseSpec("mix:a b:c.json", (path) => files[path]);
    expect(mix).toMatchObject({
      kind: "mix",
      entries: [{ pattern: "default", spec: { type: "file", bits: 2 } }, { pattern: "a" }],
    });
  });

  it("that is known by its hash alone can be compared, but says nothing of a name", () => {
    const named = parseSpec("mix:0123456789abcdef");
    expect(formatSpec(named)).toBe("mix:0123456789abcdef");
    if (named.kind !== "mix") throw new Error("not a mix");
    expect(() => findInMix(named, "a")).toThrow("names a mix by its content alone; give its file");
    expect(() => formatMix(named)).toThrow("give its file");
  });

  it("that is wrong is refused in a sentence with its place", () => {
    const refusals: [string, RegExp][] = [
      ["{", /^mix m\.json is not JSON: /],
      ["[]", /^mix m\.json: expected a map from patterns to specs/],
      ["{}", /^mix m\.json is empty/],
      ['{"a": "nf4", "b": "nf4", "a": "nf5"}', /^mix m\.json has the pattern "a" twice; keep one of them$/],
      ['{"\\u0061" : "nf4:b64",\n"a"\t: "nf4:b64"}', /^mix m\.json has the pattern "a" twice/],
      ['{"a": 4}', /^m\.json: "a" has 4; expected a spec/],
      ['{"a": "nf9"}', /^m\.json: "a": spec "nf9": nf has 2 to 8 bits, not 9$/],
      ['{"a": "mix:other.json"}', /^m\.json: "a" is itself a mix; write its specs out$/],
      ['{"": "nf4"}', /^m\.json: a pattern is empty/],
      ['{"*": "nf4", "default": "nf4"}', /"\*" and "default" mean the same/],
      ['{"a": "file:v.json"}', /a codebook file cannot be read here/],
    ];
    for (const [text, sentence] of refusals) expect(() => parseMixText(text, "m.json"), text).toThrow(sentence);
    expect(() => parseSpec("mix:")).toThrow("a mix needs the path of its file");
    expect(() => parseSpec("mix")).toThrow("a mix needs the path of its file");
    expect(() => parseSpec("mix:m.json")).toThrow("the file of a mix cannot be read here");
  });
});
