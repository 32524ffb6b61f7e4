import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createMemorySource } from "../../src/checkpoint/bytes.ts";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { openCheckpointFiles } from "../../src/checkpoint/open.ts";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { describePacked } from "../../src/checkpoint/packed-layout.ts";
import { formatSafetensors, openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { writePackedCheckpoint } from "../../src/checkpoint/write-packed-node.ts";
import { InputError } from "../../src/input-error.ts";
import { countBits } from "../../src/model/count.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { MixSpec, QuantizedSpec } from "../../src/quantize/spec.ts";
import { formatMix, formatSpec, parseMixText, parseSpec } from "../../src/quantize/spec-text.ts";
import { toFloat32 } from "../../src/tensor/convert.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const fixtures = new URL("../fixtures/", import.meta.url).pathname;
const llama = `${fixtures}architectures/llama`;
const codebook = '{"codebook": [-1, -0.3, 0.1, 0.7, 1]}';

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kbit-packed-"));
  out = join(folder, "out");
});
afterEach(() => rmSync(folder, { recursive: true }));

async function open(path: string): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(path);
  onTestFinished(() => checkpoint.close());
  return checkpoint;
}

async function viewAt(path: string, spec: string, fileText = codebook): Promise<Checkpoint> {
  return quantizeCheckpoint(
    await open(path),
    parseSpec(spec, () => fileText),
  );
}

/** Bytes after the headers of every safetensors file of a folder. */
function countDataBytes(path: string): number {
  const files = readdirSync(path).filter((name) => name.endsWith(".safetensors"));
  return files
    .map((name) => readFileSync(join(path, name)))
    .reduce((sum, bytes) => sum + bytes.length - 8 - Number(bytes.readBigUInt64LE(0)), 0);
}

const specs = [
  "stored",
  "fp16",
  "bf16",
  "fp32",
  "int2:b64",
  "float3:e2:brow:dq",
  "dynamic5:a32",
  "nf4:b64:center-block:embed:head",
  "quantile4:b32:proxy3",
  "quantile7:sram:center-median",
  "bnbfp4:b64:dq:proxy2-self:center",
  "file:my.json:b128",
];

describe("a packed checkpoint", () => {
  it.each(specs)("at %s gives back what the view gave, without the original", async (spec) => {
    const view = await viewAt(llama, spec);
    await writePackedCheckpoint(view, out);
    const packed = await open(out);
    expect(packed.spec).toMatchObject({ kind: view.spec!.kind, type: view.spec!.type });
    expect([...packed.tensors].sort()).toEqual([...view.tensors].sort());
    for (const name of view.tensors.keys()) {
      const [expected, found] = [await view.read(name), await packed.read(name)];
      expect({ ...found, spec: undefined }).toEqual({ ...expected, spec: undefined });
    }
    expect(readFileSync(join(out, "config.json"))).toEqual(readFileSync(join(llama, "config.json")));
  });

  it.each(readdirSync(`${fixtures}architectures`).filter((name) => !name.includes(".")))(
    "of %s has as many bits as its file has of tensor data, and as the view promised",
    async (name) => {
      for (const spec of ["fp16", "quantile3:b64:proxy5:embed:head"]) {
        const view = await viewAt(`${fixtures}architectures/${name}`, spec);
        const promised = await countBits(view);
        const written = await writePackedCheckpoint(view, out, { force: true });
        const dataBytes = countDataBytes(out);
        expect(promised.total).toBe(8 * dataBytes);
        expect(written.tensorBytes).toBe(dataBytes);
        expect(await countBits(await open(out))).toEqual(promised);
      }
    },
  );

  it("in shards is the same as in one file", async () => {
    const view = await viewAt(llama, "quantile4:b64:dq:proxy2");
    const written = await writePackedCheckpoint(view, out, { maxShardBytes: 4000 });
    expect(written.files.length).toBeGreaterThan(3);
    const packed = await open(out);
    for (const name of view.tensors.keys()) expect(await packed.read(name)).toEqual(await view.read(name));
    expect(8 * countDataBytes(out)).toBe((await countBits(view)).total);
    expect(packed.fileBytes).toBe(written.fileBytes);
  });

  it("loads in a browser from its files alone", async () => {
    await writePackedCheckpoint(await viewAt(llama, "int4:b64"), out);
    const files = new Map(readdirSync(out).map((name) => [name, new Uint8Array(readFileSync(join(out, name)))]));
    const packed = await openCheckpointFiles(files, "upload");
    expect(packed.spec).toEqual(parseSpec("int4:b64"));
  });
});

describe("the format, version 1", () => {
  it("stores a matrix as these tensors, and says this of itself", async () => {
    const name = "model.layers.1.mlp.down_proj.weight"; // (24, 40)
    const stored = async (spec: string) => {
      await writePackedCheckpoint(await viewAt(llama, spec), out, { force: true });
      const path = join(out, "model.safetensors");
      const file = await openSafetensors(createMemorySource(path, new Uint8Array(readFileSync(path))));
      const parts = [...file.tensors.values()].filter((tensor) => tensor.name.startsWith(name));
      return {
        metadata: file.metadata[0],
        parts: parts.map(({ name: part, type, shape }) => `${part.slice(name.length)} ${type} ${shape}`),
      };
    };
    const int4 = await stored("int4:b64");
    expect(int4.parts).toEqual([".absmax F16 15", ".codes U8 480"]);
    expect(int4.metadata).toMatchObject({ kbit_format: "1", kbit_spec: "int4:b64" });
    expect(JSON.parse(int4.metadata.kbit_matrices)[name]).toEqual({ type: "F32", shape: [24, 40] });
    expect((await stored("quantile3:b32:dq:center-block:proxy3")).parts).toEqual([
      ".absmax_scales F32 1",
      ".absmax_offset F32 1",
      ".outlier_columns I32 1",
      ".codebook F16 8",
      ".centers F16 30",
      ".outlier_values F16 24,1",
      ".absmax_codes U8 30",
      ".codes U8 360",
    ]);
    expect((await stored("nf4:brow:a32:center")).parts).toEqual([".absmax F32 24", ".centers F16 1", ".codes U8 480"]);
    expect((await stored("bf16")).metadata).toMatchObject({ kbit_spec: "bf16", kbit_matrices: "{}" });
  });
});

describe("a packed file that is damaged or hostile", () => {
  const name = "model.layers.0.self_attn.q_proj.weight";

  /** Writes a packed model, lets a test change its tensors and metadata, and opens and reads it all. */
  async function refusal(
    spec: string,
    change: (tensors: Tensor[], metadata: Record<string, string>) => Tensor[] | undefined,
    fileText = codebook,
  ): Promise<string> {
    await writePackedCheckpoint(await viewAt(llama, spec, fileText), out, { force: true });
    const path = join(out, "model.safetensors");
    const file = await openSafetensors(createMemorySource(path, new Uint8Array(readFileSync(path))));
    const tensors: Tensor[] = [];
    for (const header of file.tensors.values()) tensors.push({ ...header, bytes: await file.readBytes(header.name) });
    const metadata = { ...file.metadata[0] };
    writeFileSync(path, formatSafetensors(change(tensors, metadata) ?? tensors, metadata));
    const error = await readAll(out).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).message;
  }
  const refusalOfMix = (change: Parameters<typeof refusal>[1]) =>
    refusal("mix:m.json", change, '{"default": "int4", "lm_head.weight": "stored"}');
  async function readAll(path: string): Promise<void> {
    const packed = await open(path);
    for (const tensor of packed.tensors.keys()) await packed.read(tensor);
  }
  const replace = (tensors: Tensor[], part: string, edit: (tensor: Tensor) => Partial<Tensor>) =>
    tensors.map((tensor) => (tensor.name === `${name}.${part}` ? { ...tensor, ...edit(tensor) } : tensor));
  const cut = ({ bytes, shape: [length] }: Tensor) => ({
    bytes: bytes.subarray(0, bytes.length - bytes.length / length),
    shape: [length - 1],
  });

  it("is refused if it is of a later format", async () => {
    const message = await refusal("int4", (_, metadata) => void (metadata.kbit_format = "3"));
    expect(message).toMatch(/format 3, but this kbit reads up to 2; update kbit/);
    expect(await refusal("int4", (_, metadata) => void (metadata.kbit_format = "x"))).toMatch(/format x/);
  });

  it("is refused if its mix is missing, is not the one that it names, or does not quantize what is quantized", async () => {
    const mix = (text: string) => (_: Tensor[], metadata: Record<string, string>) => void (metadata.kbit_mix = text);
    const written = await refusalOfMix((_, metadata) => void delete metadata.kbit_mix);
    expect(written).toMatch(/kbit_mix of its metadata\) is not JSON/);
    expect(await refusalOfMix(mix('{"default":"int3","lm_head.weight":"stored"}'))).toMatch(
      /its kbit_mix is not mix:[0-9a-f]{16}/,
    );
    const other = parseMixText('{"default":"stored","lm_head.weight":"nf4:head"}', "test") as MixSpec;
    const kept = await refusalOfMix((_, metadata) => {
      Object.assign(metadata, { kbit_spec: formatSpec(other), kbit_mix: formatMix(other) });
      return undefined;
    });
    expect(kept).toMatch(/does not quantize model\.layers\.\d\.\S+, but the file says so/);
  });

  it("is refused if its metadata is missing or not what it should be", async () => {
    expect(await refusal("int4", (_, metadata) => void delete metadata.kbit_spec)).toMatch(/lacks its kbit metadata/);
    expect(await refusal("int4", (_, metadata) => void (metadata.kbit_spec = "foo4"))).toMatch(
      /unknown data type "foo"/,
    );
    expect(await refusal("int4", (_, metadata) => void (metadata.kbit_spec = "fp16"))).toMatch(
      /fp16 quantizes no matrix/,
    );
    expect(await refusal("int4", (_, metadata) => void (metadata.kbit_matrices = "["))).toMatch(/not a JSON object/);
    const facts = (fact: unknown) => JSON.stringify({ [name]: fact });
    for (const fact of [
      null,
      { type: "F16", shape: [4] },
      { type: "X", shape: [1, 1] },
      { type: "F16", shape: [2 ** 40, 2 ** 40] },
    ]) {
      const message = await refusal("int4", (_, metadata) => void (metadata.kbit_matrices = facts(fact)));
      expect(message).toMatch(/expected a type and a shape/);
    }
  });

  it("is refused if a part is missing or has another type or length than spec and shape demand", async () => {
    expect(await refusal("int4:b64", (tensors) => tensors.filter((tensor) => tensor.name !== `${name}.codes`))).toMatch(
      /q_proj\.weight\.codes is missing; expected U8/,
    );
    expect(await refusal("int4:b64", (tensors) => replace(tensors, "codes", cut))).toMatch(/codes is U8/);
    expect(await refusal("int4:b64", (tensors) => replace(tensors, "absmax", cut))).toMatch(/absmax is F16/);
    expect(await refusal("int4:b64", (_, metadata) => void (metadata.kbit_spec = "int4:b128"))).toMatch(
      /absmax is F16/,
    );
    expect(await refusal("int4:b64", (_, metadata) => void (metadata.kbit_spec = "int5:b64"))).toMatch(/codes is U8/);
    expect(await refusal("int4:b64:dq", (tensors) => replace(tensors, "absmax_codes", cut))).toMatch(/absmax_codes/);
  });

  it("is refused if a code lies beyond the codebook", async () => {
    const message = await refusal("int4:b64", (tensors) =>
      replace(tensors, "codes", ({ bytes }) => ({ bytes: bytes.map((byte, i) => (i === 5 ? 0xff : byte)) })),
    );
    expect(message).toMatch(/has the code 15, but its codebook ends at 14/);
  });

  it("is refused if a codebook does not ascend, leaves [-1, 1], or has more values than codes", async () => {
    const edit = (...values: number[]) => ({
      shape: [values.length],
      bytes: new Uint8Array(Float16Array.from(values).buffer),
    });
    for (const values of [[-1, 0, 0, 1], [1, 0], [-1, 2], [Number.NaN]]) {
      const message = await refusal("quantile2:b64", (tensors) => replace(tensors, "codebook", () => edit(...values)));
      expect(message).toMatch(/does not ascend within \[-1, 1\]/);
    }
    const many = await refusal("quantile2:b64", (tensors) =>
      replace(tensors, "codebook", () => edit(-1, -0.5, 0, 0.5, 1)),
    );
    expect(many).toMatch(/has 5 values; expected 1 to 4/);
  });

  it("is refused if outlier columns do not ascend or lie outside the matrix", async () => {
    for (const column of [-1, 1e6]) {
      const edit = ({ bytes }: Tensor) => ({
        bytes: new Uint8Array(Int32Array.from(bytes.slice(0, bytes.length / 4), () => column).buffer),
      });
      const message = await refusal("int4:b64:proxy5", (tensors) => replace(tensors, "outlier_columns", edit));
      expect(message).toMatch(/outlier columns that do not ascend below/);
    }
  });

  it("is refused if a matrix is there twice", async () => {
    const message = await refusal("int4", (tensors) => [
      ...tensors,
      { name, type: "U8", shape: [1], bytes: new Uint8Array(1) },
    ]);
    expect(message).toMatch(/stored twice/);
  });
});

describe("writing", () => {
  it.runIf(existsSync("/proc/self"))("refuses a folder that cannot be made, at once", async () => {
    const view = await viewAt(llama, "int4:b64");
    await expect(writePackedCheckpoint(view, "/proc/kbit/out")).rejects.toThrow("The folder /proc/kbit cannot be made");
  });

  it("refuses a folder that is not empty, and with force replaces the model but nothing else", async () => {
    const view = await viewAt(llama, "int4:b64");
    await writePackedCheckpoint(view, out, { maxShardBytes: 4000 });
    writeFileSync(join(out, "notes.txt"), "mine");
    await expect(writePackedCheckpoint(view, out)).rejects.toThrow(/is not empty/);
    await writePackedCheckpoint(view, out, { force: true });
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors", "notes.txt"]);
  });

  it("never replaces the model that it reads", async () => {
    await writePackedCheckpoint(await viewAt(llama, "fp16"), out);
    const before = readFileSync(join(out, "model.safetensors"));
    const packed = await open(out);
    await expect(writePackedCheckpoint(packed, out, { force: true })).rejects.toThrow(/itself, which would be lost/);
    expect(readFileSync(join(out, "model.safetensors"))).toEqual(before);
  });

  it("leaves nothing if a weight cannot be read, and what was there before as it was", async () => {
    const view = await viewAt(llama, "int4:b64");
    const failing = {
      ...view,
      read: async (name: string) =>
        name.includes("layers.1") ? Promise.reject(new InputError("broken")) : view.read(name),
    };
    await expect(writePackedCheckpoint(failing, out)).rejects.toThrow("broken");
    expect(readdirSync(folder)).toEqual([]);
    await writePackedCheckpoint(view, out);
    const before = readFileSync(join(out, "model.safetensors"));
    await expect(writePackedCheckpoint(failing, out, { force: true })).rejects.toThrow("broken");
    expect(readFileSync(join(out, "model.safetensors"))).toEqual(before);
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors"]);
  });

  it("shows nothing under a final name before all is written, and clears what a killed run left", async () => {
    const view = await viewAt(llama, "int4:b64");
    const seen: string[][] = [];
    await writePackedCheckpoint(view, out, { maxShardBytes: 4000, onProgress: () => seen.push(readdirSync(out)) });
    expect(seen.flat().length).toBeGreaterThan(0);
    for (const names of seen) for (const name of names) expect(name).toMatch(/^\.kbit-.*\.tmp$/);
    rmSync(out, { recursive: true });
    await writePackedCheckpoint(view, out);
    rmSync(join(out, "model.safetensors"));
    rmSync(join(out, "config.json"));
    writeFileSync(join(out, ".kbit-1-model.safetensors.tmp"), "half");
    await writePackedCheckpoint(view, out);
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors"]);
  });

  it("says so and cleans up if the disk is full", async () => {
    const view = await viewAt(llama, "int4:b64");
    const full = Object.assign(new Error("write"), { code: "ENOSPC" });
    const failing = { ...view, readText: () => Promise.reject(full) };
    await expect(writePackedCheckpoint(failing, out)).rejects.toThrow(/The disk of .* is full; nothing was left/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("refuses before it begins what cannot fit on the disk", async () => {
    const view = await viewAt(llama, "int4:b64");
    const parts = [{ name: "x", type: "F32" as const, shape: [2 ** 50] }];
    const huge = { ...view, storedAs: () => ({ parts, isExact: true }) };
    await expect(writePackedCheckpoint(huge, out)).rejects.toThrow(/needs .* GB, but its disk has .* free/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("holds one tensor at a time, however many there are", async () => {
    const view = await viewAt(llama, "int4:b64");
    const [rows, columns] = [512, 256]; // 256 KiB in float16, 512 KiB in float32
    const names = Array.from({ length: 30 }, (_, i) => `w${i}`);
    const header = (name: string) => ({ name, type: "F16" as const, shape: [rows, columns] });
    const spec = parseSpec("int4:b64") as QuantizedSpec;
    const large: Checkpoint = {
      ...view,
      tensors: new Map(names.map((name) => [name, header(name)])),
      storedAs: (name) => ({ parts: describePacked(name, [rows, columns], spec, 0, 16), isExact: true }),
      async read(name) {
        const weights = toFloat32({ ...header(name), bytes: new Uint8Array(rows * columns * 2).fill(1) });
        return quantize(weights, [rows, columns], spec, { name });
      },
    };
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const held: number[] = [];
    const onProgress = () => {
      collect();
      held.push(process.memoryUsage().arrayBuffers);
    };
    await writePackedCheckpoint(large, out, { onProgress });
    expect(held).toHaveLength(30);
    expect(Math.max(...held) - held[0]).toBeLessThan(3 * rows * columns * 4);
  });

  it("stops between two tensors when it is told to", async () => {
    const view = await viewAt(llama, "int4:b64");
    const controller = new AbortController();
    const options = { signal: controller.signal, onProgress: () => controller.abort() };
    await expect(writePackedCheckpoint(view, out, options)).rejects.toThrow(/abort/i);
    expect(readdirSync(folder)).toEqual([]);
  });
});
