import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { formatSafetensors, formatSafetensorsHeader, placeTensors } from "../../src/checkpoint/safetensors.ts";
import { addQuantizeCommand } from "../../src/cli/quantize.ts";
import { InputError } from "../../src/input-error.ts";
import type { TensorHeader } from "../../src/tensor/tensor.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const llama = `${root}test/fixtures/architectures/llama`;

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kbit-cli-"));
  out = join(folder, "out");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(...args: string[]) {
  const child = spawn(process.execPath, [`${root}src/cli/kbit.ts`, ...args]);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const done = new Promise<Run>((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
  return { child, done };
}

/** Runs the command in this process; exit codes are those that kbit.ts gives. */
async function kbit(...args: string[]): Promise<Run> {
  let stdout = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += text;
    return true;
  });
  try {
    const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
    addQuantizeCommand(program);
    for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
    await program.parseAsync(["quantize", ...args], { from: "user" });
    return { code: 0, stdout, stderr: "" };
  } catch (error) {
    expect([InputError, CommanderError]).toContain((error as object).constructor);
    return { code: 2, stdout, stderr: (error as Error).message };
  } finally {
    write.mockRestore();
  }
}

/** A checkpoint of zeros that takes no room on the disk. */
function makeSparseModel(layers: number): string {
  const path = join(folder, "model");
  const [width, ffn] = [1024, 4096];
  mkdirSync(path);
  const config = {
    model_type: "llama",
    vocab_size: 64,
    hidden_size: width,
    intermediate_size: ffn,
    hidden_act: "silu",
  };
  const sizes = { num_hidden_layers: layers, num_attention_heads: 16, max_position_embeddings: 64, rms_norm_eps: 1e-5 };
  writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, ...sizes, tie_word_embeddings: true }));
  const tensor = (name: string, ...shape: number[]): TensorHeader => ({
    name: `model.${name}.weight`,
    type: "F16",
    shape,
  });
  const headers = [tensor("embed_tokens", 64, width), tensor("norm", width)];
  for (let layer = 0; layer < layers; layer++) {
    const own = (name: string, ...shape: number[]) => headers.push(tensor(`layers.${layer}.${name}`, ...shape));
    for (const name of ["input_layernorm", "post_attention_layernorm"]) own(name, width);
    for (const name of ["q_proj", "k_proj", "v_proj", "o_proj"]) own(`self_attn.${name}`, width, width);
    for (const name of ["gate_proj", "up_proj"]) own(`mlp.${name}`, ffn, width);
    own("mlp.down_proj", width, ffn);
  }
  const placed = placeTensors(headers);
  const header = formatSafetensorsHeader(placed, {});
  const file = openSync(join(path, "model.safetensors"), "w");
  writeSync(file, header);
  ftruncateSync(file, header.length + placed.at(-1)!.end);
  closeSync(file);
  return path;
}

describe("kbit quantize", () => {
  it("writes a packed checkpoint and says what it costs", async () => {
    const { code, stdout } = await kbit(llama, "--spec", "float4:b64", "--out", out);
    expect(code).toBe(0);
    expect(stdout).toMatch(/float4:e2:ieee:b64, .* in one file/);
    expect(stdout).toMatch(/4\.250 over the .* quantized \(nominal 4\.250\)/);
    const checkpoint = await openCheckpoint(out);
    expect(checkpoint.spec).toMatchObject({ type: "float", bits: 4, block: 64 });
    await checkpoint.close();
  });

  it("prints one JSON document with --json", async () => {
    const { code, stdout, stderr } = await start("quantize", llama, "--spec", "int3:b32:dq", "--out", out, "--json")
      .done;
    const summary = JSON.parse(stdout);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(summary).toMatchObject({ model: llama, out, spec: "int3:b32:dq", files: ["model.safetensors"] });
    expect(summary.totalModelBits).toBe(8 * summary.tensorBytes);
    expect(summary.bitsPerParameter).toBeCloseTo(summary.totalModelBits / summary.parameters);
  });

  it("refuses bad input in one sentence with exit code 2, and leaves nothing", async () => {
    const expectRefusal = async (args: string[], message: RegExp) => {
      const { code, stdout, stderr } = await kbit(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(message);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(existsSync(out)).toBe(false);
    };
    await expectRefusal([llama, "--spec", "int9", "--out", out], /int has 2 to 8 bits, not 9/);
    await expectRefusal([join(folder, "none"), "--spec", "int4", "--out", out], /no file or folder/);
    await expectRefusal([llama, "--spec", "int4"], /--out/);
    await expectRefusal([llama, "--spec", "file:none.json", "--out", out], /There is no file none\.json/);
    await expectRefusal([llama, "--spec", "int4", "--out", `${root}docs`], /is not empty.*--force/);
    await expectRefusal([llama, "--spec", "int4", "--out", llama, "--force"], /itself, which would be lost/);
    const { code, stderr } = await start("quantize", llama, "--spec", "int9", "--out", out).done;
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/^kbit: spec "int9": .*\n$/) });
  });

  it("refuses NaN by the name of its tensor, unless it is allowed", async () => {
    const path = join(folder, "nan");
    mkdirSync(path);
    const checkpoint = await openCheckpoint(llama);
    const tensors = [];
    for (const name of checkpoint.tensors.keys()) tensors.push(structuredClone(await checkpoint.read(name)) as never);
    const name = "model.layers.1.mlp.down_proj.weight";
    const poisoned = tensors.find((tensor: { name: string }) => tensor.name === name)! as { bytes: Uint8Array };
    poisoned.bytes.set(new Uint8Array(Float32Array.of(Number.NaN).buffer), 8);
    writeFileSync(join(path, "model.safetensors"), formatSafetensors(tensors));
    writeFileSync(join(path, "config.json"), (await checkpoint.readText("config.json"))!);
    await checkpoint.close();
    const refused = await kbit(path, "--spec", "int4:b64", "--out", out);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(name);
    expect(existsSync(out)).toBe(false);
    expect((await kbit(path, "--spec", "int4:b64", "--out", out, "--allow-nonfinite")).code).toBe(0);
  });
});

describe("a run that is stopped", () => {
  async function startAndWait() {
    const run = start("quantize", makeSparseModel(8), "--spec", "int4:b64", "--out", out);
    while (!existsSync(out) || readdirSync(out).length === 0) {
      expect(run.child.exitCode).toBeNull();
      await setTimeout(10);
    }
    return run;
  }

  it("leaves nothing under a final name when it is killed, and does not hinder the next", async () => {
    const { child, done } = await startAndWait();
    child.kill("SIGKILL");
    await done;
    for (const name of readdirSync(out)) expect(name).toMatch(/^\.kbit-.*\.tmp$/);
    expect((await kbit(llama, "--spec", "int4:b64", "--out", out)).code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors"]);
  });

  it("cleans up and exits with 130 when it is interrupted", async () => {
    const { child, done } = await startAndWait();
    child.kill("SIGINT");
    expect((await done).code).toBe(130);
    expect(existsSync(out)).toBe(false);
  });
});
