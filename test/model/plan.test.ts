import { describe, expect, it } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { openCheckpointFiles } from "../../src/checkpoint/open.ts";
import { formatSafetensors } from "../../src/checkpoint/safetensors.ts";
import { countOutliers, createOutlierFinder } from "../../src/model/outlier-columns.ts";
import { planQuantization } from "../../src/model/plan.ts";
import type { MatrixRole } from "../../src/model/roles.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { createRandom } from "../../src/tensor/random.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { openFixture } from "./open.ts";

const spec = (text: string) => parseSpec(text) as QuantizedSpec;

/** Names of the matrices that a spec quantizes in a fixture, by their end. */
async function quantized(fixture: string, text: string): Promise<string[]> {
  const plan = planQuantization(await openFixture(`test/fixtures/architectures/${fixture}`), parseSpec(text));
  return plan.filter(({ isQuantized }) => isQuantized).map(({ role }) => role.name.replace(/^.*layers\.(\d)\./, "$1 "));
}

describe("which matrices are quantized", () => {
  it("is all linear layers of the blocks, and embedding and head where the spec asks", async () => {
    const blocks = ["attention.query_key_value", "attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"];
    const linear = [0, 1].flatMap((layer) => blocks.map((name) => `${layer} ${name}.weight`));
    expect(await quantized("neox-sequential", "int4")).toEqual(linear);
    expect(await quantized("neox-sequential", "int4:embed")).toEqual(["gpt_neox.embed_in.weight", ...linear]);
    expect(await quantized("neox-sequential", "int4:head")).toEqual([...linear, "embed_out.weight"]);
    expect(await quantized("neox-sequential", "fp16")).toEqual([]);
  });

  it("is a tied head and its embedding once, on either request", async () => {
    for (const text of ["int4:embed", "int4:head", "int4:embed:head"]) {
      const names = await quantized("gpt2", text);
      expect(names.filter((name) => name.includes("wte"))).toHaveLength(1);
      expect(names).toHaveLength(9);
    }
    expect(await quantized("gpt2", "int4")).toHaveLength(8);
  });

  it("leaves position embeddings and projections outside the blocks, with a reason", async () => {
    const checkpoint = await openFixture("test/fixtures/architectures/opt-350m");
    const plan = planQuantization(checkpoint, spec("int4:embed:head"));
    const reasons = new Map(plan.map(({ role, isQuantized, reason }) => [role.name, `${isQuantized}: ${reason}`]));
    expect(reasons.get("model.decoder.embed_positions.weight")).toBe("false: position embedding");
    expect(reasons.get("model.decoder.project_in.weight")).toBe("false: projection outside the blocks");
    expect(reasons.get("model.decoder.embed_tokens.weight")).toBe("true: embedding and head (tied), as the spec asks");
  });

  it("has the shape (out, in) where the checkpoint stores (in, out)", async () => {
    const checkpoint = await openFixture("test/fixtures/architectures/gpt2");
    const up = planQuantization(checkpoint, spec("int4")).find(({ role }) => role.name.includes("c_fc"))!;
    expect(checkpoint.tensors.get(up.role.name)!.shape).toEqual([24, 96]);
    expect(up.shape).toEqual([96, 24]);
  });

  it("refuses weights that are missing, no matrix, or no floating-point numbers", async () => {
    const role: MatrixRole = { name: "w", part: "ffn", layer: 0, operation: "up", transposed: false, writers: [] };
    const plan = async (tensor: Tensor) => planQuantization(await open([tensor]), spec("int4"), [role]);
    const bytes = new Uint8Array(4);
    await expect(plan({ name: "v", type: "F16", shape: [2, 1], bytes })).rejects.toThrow(
      /w, which config\.json asks for, is missing/,
    );
    await expect(plan({ name: "w", type: "F16", shape: [2], bytes })).rejects.toThrow(
      /w is F16 \[2\]; expected a matrix/,
    );
    await expect(plan({ name: "w", type: "I8", shape: [2, 2], bytes })).rejects.toThrow(/w is I8/);
  });
});

function open(tensors: readonly Tensor[]): Promise<Checkpoint> {
  const files = new Map([
    ["config.json", new TextEncoder().encode("{}")],
    ["model.safetensors", formatSafetensors(tensors)],
  ]);
  return openCheckpointFiles(files, "made");
}

/** A float32 matrix whose row r has the spread `spreads[r]`, its values around a mean that must not matter. */
function rowsOfSpread(name: string, columns: number, spreads: readonly number[], mean = 3): Tensor {
  const random = createRandom(name.length);
  const values = spreads.flatMap((spread) => Array.from({ length: columns }, () => mean + spread * random.normal()));
  return {
    name,
    type: "F32",
    shape: [spreads.length, columns],
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  };
}

const reader = (writers: MatrixRole["writers"]): MatrixRole => ({
  name: "reader",
  part: "attention",
  layer: 1,
  operation: "qkv",
  transposed: false,
  writers,
});

describe("outlier columns", () => {
  const weights = rowsOfSpread("reader", 6, [1, 1, 1], 0);
  const rows = rowsOfSpread("rows", 50, [1, 1, 9, 1, 5, 1]);

  async function find(role: MatrixRole, tensors: readonly Tensor[], text = "int4:proxy34"): Promise<number[]> {
    const checkpoint = await open(tensors);
    const writers = role.writers.map(({ name }) => ({ ...role, name, transposed: name === "turned", writers: [] }));
    const [matrix] = planQuantization(checkpoint, spec(text), [role]);
    const columns = await createOutlierFinder(checkpoint, [role, ...writers]).find(matrix);
    expect(countOutliers(matrix)).toBe(columns?.length ?? 0);
    return Array.from(columns ?? []);
  }

  it("are the inputs whose writer's units have the widest weights, whatever their mean", async () => {
    expect(await find(reader([{ name: "rows", axis: "rows" }]), [weights, rows])).toEqual([2, 4]);
  });

  it("are at least one, and otherwise the rounded share", async () => {
    const role = reader([{ name: "rows", axis: "rows" }]);
    expect(await find(role, [weights, rows], "int4:proxy1")).toEqual([2]);
    expect(await find(role, [weights, rows], "int4:proxy26")).toEqual([2, 4]);
    expect(await find(role, [weights, rows], "int4")).toEqual([]);
  });

  it("come of the embedding's columns where that writes the inputs", async () => {
    const { shape, bytes } = rows;
    const values = new Float32Array(bytes.slice().buffer);
    const columns = Float32Array.from({ length: 300 }, (_, i) => values[(i % 6) * 50 + Math.floor(i / 6)]);
    const embedding: Tensor = {
      name: "embedding",
      type: "F32",
      shape: [shape[1], 6],
      bytes: new Uint8Array(columns.buffer),
    };
    expect(await find(reader([{ name: "embedding", axis: "columns" }]), [weights, embedding])).toEqual([2, 4]);
    // The same numbers, stored as (in, out) and turned when read.
    const turned = { ...embedding, name: "turned" };
    expect(await find(reader([{ name: "turned", axis: "rows" }]), [weights, turned])).toEqual([2, 4]);
  });

  it("are taken over the rows of several writers joined", async () => {
    // Each alone finds nothing at unit 5: both are narrow there, but around different means.
    const low = rowsOfSpread("low", 40, [1, 1, 1, 1, 1, 0.1], 0);
    const high = rowsOfSpread("high", 40, [1, 1, 1, 1, 1, 0.1], 0);
    const values = new Float32Array(high.bytes.buffer);
    for (let i = 200; i < 240; i++) values[i] += 30;
    const role = reader([
      { name: "low", axis: "rows" },
      { name: "high", axis: "rows" },
    ]);
    expect(await find(role, [weights, low, high], "int4:proxy1")).toEqual([5]);
  });

  it("follow units that serve several inputs, as grouped values do", async () => {
    const values = rowsOfSpread("values", 50, [1, 9, 1]);
    const units = Int32Array.of(0, 1, 0, 1, 2, 2);
    expect(await find(reader([{ name: "values", axis: "rows", units }]), [weights, values])).toEqual([1, 3]);
  });

  it("are the matrix's own widest columns by the rule of bitsandbytes", async () => {
    const own = new Float32Array([0, 0, 0, 7, 0, 1, 0, 0, 0, -7, 0, 2, 0, 0, 0, 1, 0, 9]);
    const tensor: Tensor = { name: "reader", type: "F32", shape: [3, 6], bytes: new Uint8Array(own.buffer) };
    expect(await find(reader([{ name: "rows", axis: "rows" }]), [tensor, rows], "int4:proxy34-self")).toEqual([3, 5]);
  });

  it("are none where nothing writes the inputs", async () => {
    expect(await find(reader([]), [weights])).toEqual([]);
  });

  it("are refused if the writer has not as many units as the matrix has inputs", async () => {
    const narrow = rowsOfSpread("narrow", 50, [1, 1, 9]);
    await expect(find(reader([{ name: "narrow", axis: "rows" }]), [weights, narrow])).rejects.toThrow(
      /reader has 6 inputs, but narrow, which writes them, has 3 units/,
    );
  });
});
