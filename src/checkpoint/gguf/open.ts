// A GGUF file as a checkpoint like any other: original names, original layout, a config and a tokenizer's files.
// Weights in ggml's k-bit formats are decoded to float32 when they are read.

import { InputError } from "../../input-error.ts";
import { fromFloat32 } from "../../tensor/convert.ts";
import { orderRows } from "../../tensor/rows.ts";
import type { StorageType, Tensor, TensorHeader } from "../../tensor/tensor.ts";
import { transposeTensor } from "../../tensor/transpose.ts";
import type { ByteSource } from "../bytes.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { describeGguf, type GgufSource } from "./describe.ts";
import { decodeGguf } from "./formats.ts";
import { type GgufTensor, readGgufHeader } from "./header.ts";
import { writeTokenizerFiles } from "./tokenizer.ts";

/**
 * Opens a GGUF file; closing the checkpoint closes `file`.
 *
 * @throws InputError if the file is malformed, or its architecture or tokenizer is not one that is read
 */
export async function openGguf(file: ByteSource): Promise<Checkpoint> {
  const { name: source } = file;
  const header = await readGgufHeader(file);
  const described = describeGguf(header, source);
  const { rotaryDivisors } = described;
  const scaling = rotaryDivisors && { rope_scaling: describeDivisors(await readValues(file, rotaryDivisors)) };
  const config = JSON.parse(JSON.stringify({ ...described.config, ...scaling }));
  const texts = writeTokenizerFiles(header.values, source).set("config.json", JSON.stringify(config));
  const tensors = new Map([...described.tensors].map(([name, from]) => [name, describeTensor(name, from)]));

  const find = (name: string): GgufSource => {
    const found = described.tensors.get(name);
    if (!found) throw new InputError(`${source} has no tensor ${name}.`);
    return found;
  };
  return {
    source,
    config,
    spec: undefined,
    tensors,
    fileBytes: file.size,
    files: [source],
    read: (name) => readTensor(file, name, find(name)),
    storedAs(name) {
      const { tensor } = find(name);
      const type = denseTypes[tensor.format.name];
      return { parts: [type ? tensors.get(name)! : { name, type: "U8", shape: [tensor.bytes] }], isExact: true };
    },
    readText: async (fileName) => texts.get(fileName),
    close: () => file.close(),
  };
}

/** Formats that are storage types of ours; all others are decoded. */
const denseTypes: Readonly<Record<string, StorageType>> = { F32: "F32", F16: "F16", BF16: "BF16" };

function describeTensor(name: string, { tensor, change }: GgufSource): TensorHeader {
  const shape = change?.kind === "transposed" ? [...tensor.shape].reverse() : tensor.shape;
  return { name, type: denseTypes[tensor.format.name] ?? "F32", shape };
}

async function readTensor(file: ByteSource, name: string, { tensor, change }: GgufSource): Promise<Tensor> {
  const { shape, format } = tensor;
  const type = denseTypes[format.name];
  const bytes = await file.read(tensor.start, tensor.bytes);
  const count = shape.reduce((product, size) => product * size, 1);
  const stored = type
    ? { name, type, shape, bytes }
    : fromFloat32(name, decodeGguf(format, bytes, count), shape, "F32");
  switch (change?.kind) {
    case undefined:
      return stored;
    case "rows":
      return orderRows(stored, change.order);
    case "transposed":
      return transposeTensor(stored);
    case "plus1": {
      const values = (await readValues(file, tensor)).map((value) => value - 1);
      return fromFloat32(name, values, shape, type ?? "F32");
    }
  }
}

async function readValues(file: ByteSource, tensor: GgufTensor): Promise<Float32Array> {
  const count = tensor.shape.reduce((product, size) => product * size, 1);
  return decodeGguf(tensor.format, await file.read(tensor.start, tensor.bytes), count);
}

/** Divisors of the rotary frequencies are what long contexts have, with no other factor. */
function describeDivisors(divisors: Float32Array): Record<string, unknown> {
  return { rope_type: "longrope", short_factor: [...divisors], attention_factor: 1 };
}
