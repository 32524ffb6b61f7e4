// A mix over a model: which spec falls to which matrix, what it costs, and that its packed file stands on its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { countHeaderBytes, writePackedCheckpoint } from "../../src/checkpoint/write-packed-node.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { averageCodeBits, countBits, countParameters } from "../../src/model/count.ts";
import { loadModel } from "../../src/model/load.ts";
import { planQuantization } from "../../src/model/plan.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { isQuantized } from "../../src/quantize/quantized.ts";
import { nominalBits } from "../../src/quantize/size.ts";
import type { MatrixSpec } from "../../src/quantize/spec.ts";
import { formatSpec, parseMixText, parseSpec } from "../../src/quantize/spec-text.ts";
import { openFixture } from "./open.ts";

const fixture = (name: string) => openFixture(`test/fixtures/architectures/${name}`);
const mixOf = (map: Record<string, string>) => parseMixText(JSON.stringify(map), "mix.json");
const viewAt = (checkpoint: Checkpoint, map: Record<string, string>) => quantizeCheckpoint(checkpoint, mixOf(map));

const varied = {
  default: "nf4:b16",
  "*.down_proj.weight": "int6:b32:dq:proxy10",
  "*.layers.1.self_attn.*": "quantile3:b64:center-block",
  "*.layers.0.mlp.up_proj.weight": "bf16",
  "model.embed_tokens.weight": "float8:e3:ieee:brow:embed",
  "lm_head.weight": "fp32",
};

it("each matrix is what the whole model would have at the spec that falls to it", async () => {
  const checkpoint = await fixture("llama");
  const view = viewAt(checkpoint, varied);
  const plan = planQuantization(checkpoint, mixOf(varied));
  const specOf = new Map(plan.map(({ role, spec }) => [role.name, spec]));
  const texts = new Set([...specOf.values()].map(formatSpec));
  expect(texts).toEqual(new Set(Object.values(varied)));
  for (const name of view.tensors.keys()) {
    const alone = quantizeCheckpoint(checkpoint, specOf.get(name) ?? { kind: "baseline", type: "stored" });
    expect(await view.read(name), name).toEqual(await alone.read(name));
    expect(view.storedAs!(name), name).toEqual(alone.storedAs!(name));
  }
});

it("counts what each matrix takes, and its mean bits are over what the mix decides", async () => {
  const checkpoint = await fixture("llama");
  const view = viewAt(checkpoint, varied);
  let [weights, codes, nominal, quantized] = [0, 0, 0, 0];
  for (const { role, shape, spec, isQuantized } of planQuantization(checkpoint, mixOf(varied))) {
    const size = shape[0] * shape[1];
    if (role.part === "head") continue;
    weights += size;
    codes += size * (spec.kind === "quantized" ? spec.bits : 16);
    if (!isQuantized) continue;
    quantized += size;
    nominal += size * nominalBits(spec, shape[1]);
  }
  expect(averageCodeBits(view)).toBeCloseTo(codes / weights, 12);
  const count = await countBits(view);
  expect(count.nominalPerParameter).toBeCloseTo(nominal / quantized, 12);
  expect(countParameters(view).quantizedParameters).toBe(quantized);
  expect(count.quantized).toBeLessThan(count.total);
});

it("a packed file of a mix is of the counted size, says its spec, and loads without the mix's own file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kbit-mix-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ["llama", "gpt2", "neox-parallel", "qwen2-tied"]) {
    const checkpoint = await fixture(name);
    const map: Record<string, string> = name === "llama" ? varied : { default: "nf4:b16:embed", "*0*": "int5:proxy10" };
    const view = viewAt(checkpoint, map);
    const out = join(folder, name);
    const reserved = countHeaderBytes(view);
    const written = await writePackedCheckpoint(view, out);
    const { total } = await countBits(view);
    expect(written.tensorBytes).toBe(total / 8);
    expect(written.fileBytes).toBe(total / 8 + reserved);

    const packed = await openCheckpoint(out);
    onTestFinished(() => packed.close());
    expect(packed.spec).toEqual(mixOf(map));
    expect(await countBits(packed)).toEqual(await countBits(view));
    expect(averageCodeBits(packed)).toBe(averageCodeBits(view));
    expect(quantizeCheckpoint(packed, mixOf(map))).toBe(packed);
    expect(() => quantizeCheckpoint(packed, parseSpec("nf4"))).toThrow(
      /is already at mix:\w{16} and cannot be brought/,
    );
    const kernels = createReferenceKernels();
    const tokens = [5, 3, 8, 1];
    const logitsOf = async (one: Checkpoint) => (await loadModel(one, kernels)).logits(tokens);
    expect(await logitsOf(packed), name).toEqual(await logitsOf(view));
  }
});

it("a mix of one spec is the model at that spec", async () => {
  const checkpoint = await fixture("neox-tied");
  const spec = parseSpec("int4:b64:embed") as MatrixSpec;
  const view = viewAt(checkpoint, { "*": "int4:b64:embed", "*.mlp.*": "int4:b64:embed" });
  const plain = quantizeCheckpoint(checkpoint, spec);
  expect(await countBits(view)).toEqual(await countBits(plain));
  expect(averageCodeBits(view)).toBe(4);
  for (const name of view.tensors.keys()) expect(await view.read(name)).toEqual(await plain.read(name));
  expect([...view.tensors.keys()].filter((name) => name.includes("embed_in"))).toHaveLength(1);
  expect(isQuantized(await view.read("gpt_neox.embed_in.weight"))).toBe(true);
});

it("a pattern that would do nothing is refused in a sentence", async () => {
  const llama = await fixture("llama");
  const refusals: [Record<string, string>, RegExp][] = [
    [
      { default: "nf4", "*.downproj.weight": "nf6" },
      /^The pattern "\*\.downproj\.weight" of mix:\w{16} fits no matrix of .*llama.*; did you mean "model\.layers\.0\.mlp\.down_proj\.weight"\? kbit inspect MODEL --all/,
    ],
    [
      { default: "nf4", "model.norm.weight": "nf6" },
      /fits model\.norm\.weight, which is no matrix: norms and biases stay as stored/,
    ],
    [
      { default: "nf4", "*layernorm*": "stored" },
      /fits model\.layers\.0\.\w+layernorm\.weight, which is no matrix: norms/,
    ],
    [{ default: "nf4", "*.something.*": "nf6" }, /fits no matrix of [^;?]*\. kbit inspect MODEL --all/],
    [{ default: "nf4", "lm_hed.weight": "nf6" }, /did you mean "lm_head\.weight"\?/],
    [{ default: "nf4", "lm_head.weight": "nf6" }, /names lm_head\.weight, the head; write "nf6:head" to quantize it/],
    [{ default: "nf4", "*embed*": "nf6" }, /names model\.embed_tokens\.weight, the embedding; write "nf6:embed"/],
    [
      { "*.down_proj.weight": "nf6" },
      /says nothing of model\.layers\.0\.self_attn\.q_proj\.weight in .*; add a "default"/,
    ],
    [{ "*": "nf4", "*.0.mlp.*": "nf5", "*up_proj*": "nf6" }, /is not clear on model\.layers\.0\.mlp\.up_proj\.weight/],
  ];
  for (const [map, sentence] of refusals) expect(() => viewAt(llama, map), JSON.stringify(map)).toThrow(sentence);
  const opt = await fixture("opt-350m");
  expect(() => viewAt(opt, { default: "nf4", "*embed_positions*": "nf6" })).toThrow(
    /a position embedding, which is never/,
  );
  expect(() => viewAt(opt, { default: "nf4", "*project_in*": "nf6" })).toThrow(/a projection outside the blocks/);
  expect(() => quantizeCheckpoint(llama, parseSpec("mix:0123456789abcdef"))).toThrow(
    /give its file, as in mix:mix\.json/,
  );
  // What fits an embedding among others is no mistake; it stays as it is.
  const view = viewAt(llama, { "*": "nf4", "model.*": "nf5" });
  expect(isQuantized(await view.read("model.embed_tokens.weight"))).toBe(false);
});
