import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { writePackedCheckpoint } from "../../src/checkpoint/write-packed-node.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { countBits, countParameters } from "../../src/model/count.ts";
import { loadModel } from "../../src/model/load.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { QuantizedTensor } from "../../src/quantize/quantized.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { toFloat32 } from "../../src/tensor/convert.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { alterCheckpoint, openFixture, root } from "./open.ts";

const fixture = (name: string) => openFixture(`test/fixtures/architectures/${name}`);
const at = (checkpoint: Checkpoint, spec: string, options = {}) =>
  quantizeCheckpoint(checkpoint, parseSpec(spec), options);

/** The checkpoint with one weight of a tensor replaced. */
function poison(checkpoint: Checkpoint, name: string, value: number): Checkpoint {
  return alterCheckpoint(checkpoint, {
    async read(wanted) {
      const tensor = (await checkpoint.read(wanted)) as Tensor;
      if (wanted !== name) return tensor;
      const values = toFloat32(tensor).slice();
      values[5] = value;
      return { ...tensor, type: "F32", bytes: new Uint8Array(values.buffer) };
    },
  });
}

describe("a view at a spec", () => {
  it("quantizes the linear layers when they are read, and leaves the rest as stored", async () => {
    const checkpoint = await fixture("neox-float16");
    const view = at(checkpoint, "int4:b64");
    expect(view.spec).toEqual(parseSpec("int4:b64"));
    const name = "gpt_neox.layers.0.mlp.dense_h_to_4h.weight";
    const tensor = (await checkpoint.read(name)) as Tensor;
    const shape = tensor.shape as [number, number];
    const expected = quantize(toFloat32(tensor), shape, view.spec as QuantizedSpec, { name });
    expect(await view.read(name)).toEqual(expected);
    for (const other of ["gpt_neox.embed_in.weight", "gpt_neox.final_layer_norm.bias"]) {
      expect(await view.read(other)).toEqual(await checkpoint.read(other));
    }
    await expect(view.read("nothing")).rejects.toThrow(/has no tensor nothing/);
  });

  it("turns matrices that are stored as (in, out), quantized or not", async () => {
    const checkpoint = await fixture("gpt2");
    const name = "transformer.h.1.mlp.c_fc.weight";
    const stored = (await checkpoint.read(name)) as Tensor;
    const [columns, rows] = stored.shape;
    const values = toFloat32(stored);
    const turned = Float32Array.from(
      { length: rows * columns },
      (_, i) => values[(i % columns) * rows + Math.floor(i / columns)],
    );
    const spec = parseSpec("nf4:b32") as QuantizedSpec;
    const view = at(checkpoint, "nf4:b32");
    expect(view.tensors.get(name)!.shape).toEqual([rows, columns]);
    expect(await view.read(name)).toEqual(quantize(turned, [rows, columns], spec, { name }));
    const plain = (await at(checkpoint, "stored").read(name)) as Tensor;
    expect(plain.shape).toEqual([rows, columns]);
    expect(toFloat32(plain)).toEqual(turned);
    // Embeddings are not turned.
    expect(await view.read("transformer.wpe.weight")).toEqual(await checkpoint.read("transformer.wpe.weight"));
  });

  it("keeps outlier columns in 16 bits, those that the previous layer's units point to", async () => {
    const checkpoint = await fixture("opt");
    const view = at(checkpoint, "int3:b32:proxy10");
    const name = "model.decoder.layers.0.fc2.weight";
    const { outliers, shape } = (await view.read(name)) as QuantizedTensor;
    const writer = (await checkpoint.read("model.decoder.layers.0.fc1.weight")) as Tensor;
    const values = toFloat32(writer);
    const deviations = Array.from({ length: writer.shape[0] }, (_, row) => {
      const units = values.subarray(row * writer.shape[1], (row + 1) * writer.shape[1]);
      const mean = units.reduce((sum, x) => sum + x, 0) / units.length;
      return units.reduce((sum, x) => sum + (x - mean) ** 2, 0);
    });
    const widest = [...deviations.keys()]
      .sort((a, b) => deviations[b] - deviations[a])
      .slice(0, Math.round(shape[1] / 10));
    expect([...outliers!.columns]).toEqual(widest.sort((a, b) => a - b));
    const original = toFloat32((await checkpoint.read(name)) as Tensor);
    const kept = [...outliers!.columns].map((column) => original[column]);
    expect([...outliers!.values.subarray(0, kept.length)]).toEqual([...new Float16Array(kept)]);
  });

  it("leaves out the copy of a tied head and old masks", async () => {
    const checkpoint = await fixture("gpt2-torch-legacy");
    expect(checkpoint.tensors.has("lm_head.weight")).toBe(true);
    expect(at(checkpoint, "int4").tensors.has("lm_head.weight")).toBe(false);
  });

  it("rounds every floating-point tensor to a baseline's width", async () => {
    const checkpoint = await fixture("llama");
    const widths = { fp16: "F16", bf16: "BF16", fp32: "F32" };
    for (const [spec, type] of Object.entries(widths)) {
      const view = at(checkpoint, spec);
      for (const name of view.tensors.keys()) {
        expect(view.tensors.get(name)!.type).toBe(type);
        expect(((await view.read(name)) as Tensor).type).toBe(type);
      }
    }
    const half = (await at(checkpoint, "fp16").read("model.norm.weight")) as Tensor;
    const full = (await checkpoint.read("model.norm.weight")) as Tensor;
    expect(toFloat32(half)).toEqual(new Float32Array(new Float16Array(toFloat32(full))));
  });
});

describe("a model loaded through a view", () => {
  const tokens = [3, 1, 4, 1, 5, 9, 2, 6];
  const loadAll = async (checkpoint: Checkpoint) => {
    const model = await loadModel(checkpoint, createReferenceKernels());
    const logits = await model.logits(tokens);
    expect(logits.every(Number.isFinite)).toBe(true);
    return logits;
  };

  it.each(readdirSync(`${root}test/fixtures/architectures`).filter((name) => !name.includes(".")))(
    "scores as the model itself as stored, and as the written file at a spec: %s",
    async (name) => {
      const checkpoint = await fixture(name);
      expect(await loadAll(at(checkpoint, "stored"))).toEqual(await loadAll(checkpoint));
      const folder = mkdtempSync(join(tmpdir(), "kbit-view-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const view = at(checkpoint, "quantile4:b32:proxy5:embed");
      await writePackedCheckpoint(view, join(folder, "out"));
      const packed = await openCheckpoint(join(folder, "out"));
      onTestFinished(() => packed.close());
      expect(await loadAll(packed)).toEqual(await loadAll(view));
    },
  );

  it("is refused if a tensor has not the shape that the config asks for", async () => {
    const checkpoint = await fixture("llama");
    const altered = alterCheckpoint(checkpoint, { config: { ...checkpoint.config, intermediate_size: 48 } });
    expect(() => at(altered, "int4")).toThrow(/has shape .* but config\.json asks for/);
  });
});

describe("weights that are not finite", () => {
  it.each([
    ["model.layers.0.mlp.up_proj.weight", "int4:b64"],
    ["model.norm.weight", "int4:b64"],
    ["model.embed_tokens.weight", "fp16"],
    ["model.layers.1.self_attn.q_proj.weight", "stored"],
  ])("are refused in %s at %s by name, unless they are allowed", async (name, spec) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const checkpoint = poison(await fixture("llama"), name, value);
      await expect(at(checkpoint, spec).read(name)).rejects.toThrow(name);
      await expect(at(checkpoint, spec).read(name)).rejects.toThrow(/allow-nonfinite/);
      expect(await at(checkpoint, spec, { allowNonfinite: true }).read(name)).toBeDefined();
    }
  });

  it("are refused where rounding to float16 would make them", async () => {
    const name = "model.norm.weight";
    const checkpoint = poison(await fixture("llama"), name, 70_000);
    await expect(at(checkpoint, "fp16").read(name)).rejects.toThrow(
      /model\.norm\.weight holds weights beyond the range of float16/,
    );
    expect(await at(checkpoint, "bf16").read(name)).toBeDefined();
  });
});

describe("a checkpoint that has a spec already", () => {
  it("is itself at that spec and as stored, and is refused at another", async () => {
    const view = at(await fixture("llama"), "int4:b64");
    expect(at(view, "int4:b64")).toBe(view);
    expect(at(view, "stored")).toBe(view);
    expect(() => at(view, "int3:b64")).toThrow(
      /is already at int4:b64 and cannot be brought to int3:b64; give the original/,
    );
  });
});

describe("counting", () => {
  it("adds up what is stored, in three counts, by hand", async () => {
    const checkpoint = await fixture("llama");
    const sizes = [...checkpoint.tensors.values()].map(({ name, shape }) => ({
      name,
      size: shape.reduce((a, b) => a * b, 1),
    }));
    const sum = (test: (name: string) => boolean) =>
      sizes.filter(({ name }) => test(name)).reduce((total, { size }) => total + size, 0);
    const parameters = sum(() => true);
    const embeddings = sum((name) => /embed_tokens|lm_head/.test(name));
    const linear = sizes.filter(({ name }) => /_proj\.weight$/.test(name));
    const quantizedParameters = linear.reduce((total, { size }) => total + size, 0);
    const view = at(checkpoint, "int4:b32");
    expect(countParameters(view)).toEqual({
      parameters,
      nonEmbeddingParameters: parameters - embeddings,
      quantizedParameters,
    });
    const codes = linear.reduce(
      (bits, { size }) => bits + 8 * Math.ceil((size * 4) / 8) + 16 * Math.ceil(size / 32),
      0,
    );
    const rest = 32 * (parameters - quantizedParameters);
    expect(await countBits(view)).toEqual({
      total: codes + rest,
      nonEmbedding: codes + rest - 32 * embeddings,
      quantized: codes,
      nominalPerParameter: 4.5,
    });
  });

  it("counts a tied head once, though the file has it under two names", async () => {
    const copy = await fixture("gpt2-torch-legacy");
    const single = await fixture("gpt2");
    expect(countParameters(copy)).toEqual(countParameters(single));
    expect((await countBits(copy)).total).toBe((await countBits(single)).total);
  });

  it("takes what is known without reading, and reads for codebooks that depend on data", async () => {
    const checkpoint = await fixture("llama");
    let reads = 0;
    const counting = alterCheckpoint(checkpoint, {
      read(name) {
        reads++;
        return checkpoint.read(name);
      },
    });
    await countBits(at(counting, "nf4:b64:dq:proxy2"));
    expect(reads).toBe(0);
    const view = at(counting, "quantile4:b64");
    const bits = await countBits(view);
    expect(reads).toBe(14);
    expect(await countBits(view)).toEqual(bits);
    expect(reads).toBe(14);
  });

  it("measures a checkpoint that does not tell how it stores", async () => {
    const view = at(await fixture("llama"), "quantile4:b64:dq");
    expect(await countBits(alterCheckpoint(view, { storedAs: undefined }))).toEqual(await countBits(view));
  });

  it("gives a baseline its width", async () => {
    const checkpoint = await fixture("llama");
    const { parameters } = countParameters(checkpoint);
    expect(await countBits(at(checkpoint, "bf16"))).toMatchObject({
      total: 16 * parameters,
      quantized: 0,
      nominalPerParameter: 16,
    });
    expect(await countBits(checkpoint)).toMatchObject({ total: 32 * parameters, nominalPerParameter: 32 });
  });
});
