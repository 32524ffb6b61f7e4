// Configs and tensors that do not fit are refused in a sentence that names the field or the tensor.

import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { computeSlopes } from "../../src/model/architectures/bloom.ts";
import { loadModel } from "../../src/model/load.ts";
import { fromFloat32, toFloat32 } from "../../src/tensor/convert.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { alterCheckpoint, openFixture } from "./open.ts";

async function load(name: string, change: (checkpoint: Checkpoint) => Partial<Checkpoint>, options = {}) {
  const checkpoint = await openFixture(`test/fixtures/architectures/${name}`);
  return loadModel(alterCheckpoint(checkpoint, change(checkpoint)), createReferenceKernels(), options);
}
const withConfig = (name: string, fields: Record<string, unknown>) =>
  load(name, ({ config }) => ({ config: { ...config, ...fields } }));

describe("a wrong config", () => {
  test.each([
    [
      "llama",
      { model_type: "lama" },
      "architecture lama is not supported; opt, bloom, gpt2, gpt_neox, gptj, llama, mistral, ",
    ],
    ["llama", { model_type: undefined }, "model_type is missing"],
    ["llama", { hidden_size: "24" }, 'hidden_size is "24"; a whole number from 1 to 1e9 is expected.'],
    ["llama", { hidden_size: -24 }, "hidden_size is -24"],
    ["llama", { num_attention_heads: null }, "num_attention_heads is missing"],
    ["llama", { num_key_value_heads: 3 }, "4 heads are not a multiple of 3 key-value heads"],
    ["llama", { num_hidden_layers: 1e8 }, "num_hidden_layers is 100000000; at most 10000"],
    ["llama", { hidden_act: "tanh" }, 'hidden_act is "tanh"; one of relu, gelu, gelu_new'],
    ["llama", { rms_norm_eps: 0 }, "rms_norm_eps is 0; a number above 0 is expected."],
    ["llama", { rope_scaling: { type: "wavy" } }, 'rope_scaling: type is "wavy"; one of default, linear'],
    [
      "phi3-longrope",
      { rope_parameters: { type: "longrope", short_factor: [1], rope_theta: 1e4 } },
      "short_factor has 1 numbers; 3 above 0 are expected.",
    ],
    ["gptj", { rotary_dim: 5 }, "rotary_dim is 5; an even number of at most 8 is expected."],
    ["stablelm", { qk_layernorm: true }, "qk_layernorm is true"],
    ["falcon-40b", { num_kv_heads: 3 }, "4 heads are not a multiple of 3 key-value heads."],
    ["llama", { rope_scaling: { rope_type: "linear" } }, "rope_scaling: factor is missing"],
    ["llama", { rope_scaling: "linear" }, 'rope_scaling is "linear"; an object is expected.'],
    ["llama", { tie_word_embeddings: "yes" }, 'tie_word_embeddings is "yes"; true or false is expected.'],
    ["llama", { rope_interleaved: true }, "rope_interleaved is true"],
    ["llama", { quantization_config: { bits: 4 } }, "quantized by another tool"],
    ["opt", { num_attention_heads: 5 }, "a width of 24 is not a multiple of 5 heads"],
    ["gpt2", { add_cross_attention: true }, "add_cross_attention is true"],
    ["neox-parallel", { rotary_pct: 0.2 }, "rotary positions turn 3 of 16 values of a head"],
  ])("%s with %o is refused", async (name, fields, sentence) => {
    await expect(withConfig(name, fields)).rejects.toThrow(sentence);
    await expect(withConfig(name, fields)).rejects.toThrow("config.json of altered");
  });
});

describe("tensors that do not fit the config", () => {
  test("another shape is named with both shapes", async () => {
    await expect(withConfig("llama", { intermediate_size: 44 })).rejects.toThrow(
      "altered: model.layers.0.mlp.gate_proj.weight has shape (40, 24), but config.json asks for (44, 24).",
    );
  });
  test("a missing one is named, with the nearest that is there", async () => {
    const missing = load("llama", ({ tensors }) => {
      const renamed = new Map(tensors);
      renamed.delete("model.norm.weight");
      renamed.set("model.norms.weight", { name: "model.norms.weight", type: "F32", shape: [24] });
      return { tensors: renamed };
    });
    await expect(missing).rejects.toThrow(
      "altered: tensor model.norm.weight, which config.json asks for, is missing. The nearest name it has is model.norms.weight.",
    );
  });
  test("all blocks that are not there are counted", async () => {
    await expect(withConfig("llama", { num_hidden_layers: 3 })).rejects.toThrow(
      "tensor model.layers.2.input_layernorm.weight (and 8 more), which config.json asks for, is missing.",
    );
  });
  test("an unexpected one is named", async () => {
    await expect(withConfig("llama", { num_hidden_layers: 1 })).rejects.toThrow(
      /tensor model\.layers\.1\.\S+ \(and 8 more\) does not belong to the model that config.json describes/,
    );
  });
  test("biases that the config denies are unexpected", async () => {
    await expect(withConfig("llama-tied-bias", { attention_bias: false })).rejects.toThrow("_proj.bias");
  });
  test("a copy of a tied head is left alone", async () => {
    const model = await load("llama-tied-bias", ({ tensors }) => ({
      tensors: new Map([...tensors, ["lm_head.weight", { name: "lm_head.weight", type: "F32", shape: [96, 24] }]]),
    }));
    expect(model.vocabularySize).toBe(96);
  });
});

describe("names as checkpoints vary them", () => {
  test.each([
    ["opt", "model.decoder.", "decoder."],
    ["opt-350m", "model.decoder.", ""],
    ["bloom-4-heads", "transformer.", ""],
    ["neox-parallel", "gpt_neox.", ""],
    ["neox-parallel", "embed_out.", "lm_head."],
    ["llama", "model.", ""],
    ["qwen2-tied", "model.", "base_model.model.model."],
  ])("%s: %s may be %j", async (name, prefix, other) => {
    const rename = (tensor: string) => (tensor.startsWith(prefix) ? other + tensor.slice(prefix.length) : tensor);
    const renamed = await load(name, ({ tensors, read }) => {
      const original = new Map([...tensors.keys()].map((tensor) => [rename(tensor), tensor]));
      return {
        tensors: new Map([...tensors.values()].map((header) => [rename(header.name), header])),
        read: (tensor) => read(original.get(tensor)!),
      };
    });
    const tokens = [3, 1, 4, 1, 5];
    expect(await renamed.logits(tokens)).toEqual(await (await load(name, () => ({}))).logits(tokens));
  });
});

describe("weights", () => {
  const replace =
    (name: string, change: (values: Float32Array) => Float32Array, type?: Tensor["type"]) =>
    ({ read }: Checkpoint): Partial<Checkpoint> => ({
      async read(asked) {
        const tensor = (await read(asked)) as Tensor;
        if (asked !== name) return tensor;
        return fromFloat32(name, change(toFloat32(tensor).slice()), tensor.shape, type ?? tensor.type);
      },
    });
  const spoil = (value: number) => (values: Float32Array) => values.fill(value, 5, 6);

  test.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "%s is refused by the tensor's name, unless allowed",
    async (value) => {
      for (const name of ["model.layers.1.mlp.up_proj.weight", "model.norm.weight"]) {
        await expect(load("llama", replace(name, spoil(value)))).rejects.toThrow(
          `value 5 of ${name} is NaN or infinite`,
        );
        await expect(load("llama", replace(name, spoil(value)), { allowNonfinite: true })).resolves.toBeDefined();
      }
      const name = "model.layers.1.mlp.up_proj.weight";
      await expect(load("llama", replace(name, spoil(value), "F16"))).rejects.toThrow("value 5");
      await expect(load("llama", replace(name, spoil(value), "BF16"))).rejects.toThrow("value 5");
    },
  );
  test("stored as whole numbers are refused", async () => {
    const name = "model.layers.1.mlp.up_proj.weight";
    await expect(
      load(
        "llama",
        replace(name, (values) => values, "I8"),
      ),
    ).rejects.toThrow(`${name} is stored as I8; weights are F16, BF16, F32, F64.`);
  });
  test("a load that fails leaves nothing in the kernels", async () => {
    const kernels = createReferenceKernels();
    let handles = 0;
    const count = <T>(by: number, result: T): T => {
      handles += by;
      return result;
    };
    const counted: typeof kernels = {
      ...kernels,
      createBuffer: (length) => count(1, kernels.createBuffer(length)),
      loadWeight: (weight) => count(1, kernels.loadWeight(weight)),
      release: (handle) => count(-1, kernels.release(handle)),
    };
    const checkpoint = await openFixture("test/fixtures/architectures/llama");
    const spoiled = alterCheckpoint(checkpoint, replace("model.norm.weight", spoil(Number.NaN))(checkpoint));
    await expect(loadModel(spoiled, counted)).rejects.toThrow("NaN");
    expect(handles).toBe(0);
    const model = await loadModel(checkpoint, counted);
    await model.score([{ context: [1], continuations: [[2, 3]] }]);
    expect(handles).toBeGreaterThan(0);
    await model.close();
    expect(handles).toBe(0);
  });
});

describe("ALiBi slopes", () => {
  test("are powers of 2 to the -8 / n for n a power of two", () => {
    expect([...computeSlopes(4)]).toEqual([2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8]);
  });
  test("of other counts take every other slope of the next power", () => {
    const slopes = computeSlopes(6);
    [2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8, 2 ** -1, 2 ** -3].forEach((slope, i) => {
      expect(slopes[i]).toBeCloseTo(slope, 7);
    });
  });
});
