// Expansion of specs: every legal combination once, what is illegal or excluded left out.

import { describe, expect, test } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { expandSpecs } from "../../src/study/grid.ts";
import type { Grid } from "../../src/study/study-schema.ts";

const noFile = () => {
  throw new InputError("no file");
};
const fail = (index: number, sentence: string) => new InputError(`entry ${index}: ${sentence}`);
const expand = (...entries: (string | Grid)[]) => expandSpecs(entries, noFile, fail);
const texts = (...entries: (string | Grid)[]) => expand(...entries).specs.map((spec) => spec.text);

describe("expandSpecs", () => {
  test("keeps the order and drops the second of equal specs, however they are written", () => {
    expect(texts("fp16", "float4:e2:b64", "float4:b64:ieee", "int3", "fp16")).toEqual([
      "fp16",
      "float4:e2:ieee:b64",
      "int3",
    ]);
  });

  test("expands a range of bits in a spec", () => {
    expect(texts("int3-5:b64")).toEqual(["int3:b64", "int4:b64", "int5:b64"]);
  });

  test("makes every combination of a grid", () => {
    expect(texts({ bits: "3-4", types: ["int", "dynamic"], blocks: [64, "row", "none"], baselines: "fp16" })).toEqual([
      "int3:b64",
      "int3:brow",
      "int3",
      "int4:b64",
      "int4:brow",
      "int4",
      "dynamic3:b64",
      "dynamic3:brow",
      "dynamic3",
      "dynamic4:b64",
      "dynamic4:brow",
      "dynamic4",
      "fp16",
    ]);
  });

  test("gives exponent bits to float only, and options of a type to that type", () => {
    expect(texts({ bits: 5, types: ["int", "float", "quantile:sram"], exponentBits: [2, 3] })).toEqual([
      "int5",
      "float5:e2:ieee",
      "float5:e3:ieee",
      "quantile5:sram",
    ]);
  });

  test("tells that exponent bits say nothing where no type is float", () => {
    const note = (types: Grid["types"]) => expand({ bits: 4, types, exponentBits: 2 }).notes;
    expect(note(["bnbfp", "nf"])).toEqual([
      "exponentBits says nothing of bnbfp, nf: only float has exponent bits of choice.",
    ]);
    expect(note(["nf", "float"])).toEqual([]);
  });

  test("puts scales, centering, proxy, embedding and head where the grammar has them", () => {
    const grid: Grid = {
      bits: 4,
      types: "int",
      blocks: 64,
      scales: ["float32", "double"],
      centering: "median",
      proxy: [2, "3-self"],
      embed: true,
      head: [true, false],
    };
    expect(texts(grid)).toEqual([
      "int4:b64:a32:center-median:proxy2:embed:head",
      "int4:b64:a32:center-median:proxy2:embed",
      "int4:b64:a32:center-median:proxy3-self:embed:head",
      "int4:b64:a32:center-median:proxy3-self:embed",
      "int4:b64:dq:center-median:proxy2:embed:head",
      "int4:b64:dq:center-median:proxy2:embed",
      "int4:b64:dq:center-median:proxy3-self:embed:head",
      "int4:b64:dq:center-median:proxy3-self:embed",
    ]);
  });

  test("leaves out illegal combinations with a note that names each", () => {
    const { specs, notes } = expand({ bits: [3, 4], types: ["bnbfp", "int"], blocks: 64 });
    expect(specs.map((spec) => spec.text)).toEqual(["bnbfp4:b64", "int3:b64", "int4:b64"]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^Left out bnbfp3:b64: /);
    const many = expand({ bits: "3-8", types: ["bnbfp", "int"], blocks: [64, 128] });
    expect(many.notes).toEqual(["Left out bnbfp3:b64 and 9 more: bnbfp has 4 bits, not 3"]);
  });

  test("excludes what has more options than the pattern, and tells of a rule that leaves nothing out", () => {
    const grid: Grid = { bits: "3-4", types: ["nf", "int"], blocks: 64, embed: true };
    const { specs, notes } = expand({ ...grid, exclude: ["nf*:b64", "int3", { types: "float" }] });
    expect(specs.map(({ text }) => text)).toEqual(["int3:b64:embed", "int4:b64:embed"]);
    expect(notes).toEqual(['exclude "int3" leaves nothing out.', 'exclude {"types":"float"} leaves nothing out.']);
  });

  test("excludes by pattern and by values that all fit", () => {
    const grid: Grid = { bits: "3-5", types: ["int", "float"], blocks: [64, 128] };
    expect(texts({ ...grid, exclude: ["int*", "*:b128"] })).toEqual([
      "float3:e2:b64",
      "float4:e2:ieee:b64",
      "float5:e3:ieee:b64",
    ]);
    expect(texts({ ...grid, exclude: [{ types: "float" }, { bits: "4-5", blocks: 128 }] })).toEqual([
      "int3:b64",
      "int3:b128",
      "int4:b64",
      "int5:b64",
    ]);
  });

  test("refuses a written spec that is wrong, and an entry of which nothing is left", () => {
    expect(() => expand("int4", "imt4")).toThrow(/^entry 1: .*int/);
    expect(() => expand({ bits: 3, types: "bnbfp" })).toThrow(/^entry 0: nothing is left of these specs/);
    expect(() => expand({ bits: 3, types: "int", exclude: "*" })).toThrow(/exclude leaves everything out/);
    // Each by its own reason, whatever was left out of an entry before it or which rule of its own was idle.
    expect(() => expand({ bits: "3-4", types: "bnbfp" }, { bits: 3, types: "int", exclude: "*" })).toThrow(
      /^entry 1: nothing is left of these specs; exclude leaves everything out\.$/,
    );
    expect(() => expand({ bits: 3, types: "bnbfp", exclude: "nf*" })).toThrow(/these specs; Left out bnbfp3: /);
  });

  test("carries specs that survive being sent to a worker", () => {
    for (const { spec } of expand("float4:b64:dq:proxy2", "quantile3:eq6:brow").specs)
      expect(structuredClone(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
  });
});
