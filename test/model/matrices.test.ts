// What each matrix is for, and which matrices write what it reads.

import { describe, expect, test } from "vitest";
import { describeMatrices } from "../../src/model/architectures/index.ts";
import type { MatrixRole } from "../../src/model/roles.ts";
import { openFixture } from "./open.ts";

async function rolesOf(name: string): Promise<(part: string) => MatrixRole> {
  const checkpoint = await openFixture(`test/fixtures/architectures/${name}`);
  const roles = describeMatrices(checkpoint.config, checkpoint.tensors);
  return (part) => roles.find((role) => role.name.endsWith(part))!;
}
const writersOf = (role: MatrixRole) => role.writers.map(({ name, axis }) => `${name} ${axis}`);

describe("roles", () => {
  test.each([
    "opt",
    "opt-350m",
    "bloom-3-heads",
    "gpt2",
    "neox-parallel",
    "llama-tied-bias",
    "qwen2",
    "gptj",
    "gemma3",
    "phi3",
    "falcon-40b",
    "gpt2-hub",
    "neox-hub",
  ])("%s: every matrix of the checkpoint has one, with the shape that its writers imply", async (name) => {
    const checkpoint = await openFixture(`test/fixtures/architectures/${name}`);
    const roles = describeMatrices(checkpoint.config, checkpoint.tensors);
    const shapeOf = (name: string) => checkpoint.tensors.get(name)!.shape;
    const columnsOf = (role: MatrixRole) => shapeOf(role.name)[role.transposed ? 0 : 1];
    const rowsOf = (role: MatrixRole) => shapeOf(role.name)[role.transposed ? 1 : 0];
    for (const role of roles) {
      for (const writer of role.writers) {
        const writing = roles.find((candidate) => candidate.name === writer.name)!;
        const units = writer.axis === "rows" ? rowsOf(writing) : columnsOf(writing);
        if (writer.units) {
          expect(writer.units.length).toBe(columnsOf(role));
          expect(Math.max(...writer.units)).toBeLessThan(units);
        } else expect(units).toBe(columnsOf(role));
      }
    }
    const matrices = [...checkpoint.tensors.values()].filter(({ shape }) => shape.length === 2);
    expect(roles.map((role) => role.name).sort()).toEqual(matrices.map((header) => header.name).sort());
  });

  test("GPT-2 stores its linear layers as (in, out), its embeddings not", async () => {
    const role = await rolesOf("gpt2");
    expect(role("h.0.attn.c_attn.weight")).toMatchObject({ transposed: true, operation: "qkv", part: "attention" });
    expect(role("wte.weight")).toMatchObject({ transposed: false, part: "embedding", layer: -1, writers: [] });
    expect(role("wpe.weight").part).toBe("position");
  });
});

describe("writers", () => {
  test("a sequential block reads one writer at each step", async () => {
    const role = await rolesOf("opt");
    expect(writersOf(role("layers.0.self_attn.q_proj.weight"))).toEqual(["model.decoder.embed_tokens.weight columns"]);
    expect(writersOf(role("layers.1.self_attn.v_proj.weight"))).toEqual(["model.decoder.layers.0.fc2.weight rows"]);
    expect(writersOf(role("layers.1.self_attn.out_proj.weight"))).toEqual([
      "model.decoder.layers.1.self_attn.v_proj.weight rows",
    ]);
    expect(writersOf(role("layers.1.fc1.weight"))).toEqual(["model.decoder.layers.1.self_attn.out_proj.weight rows"]);
    expect(writersOf(role("layers.1.fc2.weight"))).toEqual(["model.decoder.layers.1.fc1.weight rows"]);
  });

  test("parallel branches read both writers of the previous block", async () => {
    const role = await rolesOf("neox-parallel");
    const both = ["gpt_neox.layers.0.attention.dense.weight rows", "gpt_neox.layers.0.mlp.dense_4h_to_h.weight rows"];
    expect(writersOf(role("layers.1.attention.query_key_value.weight"))).toEqual(both);
    expect(writersOf(role("layers.1.mlp.dense_h_to_4h.weight"))).toEqual(both);
    expect(writersOf(role("layers.0.mlp.dense_h_to_4h.weight"))).toEqual(["gpt_neox.embed_in.weight columns"]);
    const sequential = await rolesOf("neox-sequential");
    expect(writersOf(sequential("layers.1.mlp.dense_h_to_4h.weight"))).toEqual([
      "gpt_neox.layers.1.attention.dense.weight rows",
    ]);
  });

  test("the attention's output reads the value rows of a fused projection", async () => {
    // Interleaved: head h has its values at rows 3 h s + 2 s of head size s = 16.
    const neox = (await rolesOf("neox-parallel"))("layers.0.attention.dense.weight").writers[0].units!;
    expect([neox[0], neox[15], neox[16], neox[31]]).toEqual([32, 47, 80, 95]);
    // Side by side: values are the last third.
    const gpt2 = (await rolesOf("gpt2"))("h.0.attn.c_proj.weight").writers[0].units!;
    expect([gpt2[0], gpt2[23]]).toEqual([48, 71]);
  });

  test("grouped values repeat for each query head", async () => {
    // 4 heads on 2 key-value heads of 8 values each.
    const units = (await rolesOf("llama-gqa-llama3"))("layers.0.self_attn.o_proj.weight").writers[0].units!;
    expect([units[0], units[8], units[16], units[24], units[31]]).toEqual([0, 0, 8, 8, 15]);
  });

  test("a gated feed-forward layer is read through up", async () => {
    const role = await rolesOf("llama");
    expect(writersOf(role("layers.0.mlp.down_proj.weight"))).toEqual(["model.layers.0.mlp.up_proj.weight rows"]);
    expect(role("layers.0.mlp.gate_proj.weight").writers).toEqual(role("layers.0.mlp.up_proj.weight").writers);
  });

  test("OPT-350M's projections stand between embedding, blocks and head", async () => {
    const role = await rolesOf("opt-350m");
    expect(writersOf(role("project_in.weight"))).toEqual(["model.decoder.embed_tokens.weight columns"]);
    expect(writersOf(role("layers.0.self_attn.q_proj.weight"))).toEqual(["model.decoder.project_in.weight rows"]);
    expect(writersOf(role("project_out.weight"))).toEqual(["model.decoder.layers.1.fc2.weight rows"]);
  });
});
