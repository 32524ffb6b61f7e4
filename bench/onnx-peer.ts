// A named peer for bench/kernels.ts: ONNX Runtime Web's matrix products, in float32 and in 4 bits with blocks of 64.
// The models are written here, byte by byte, as the protobuf messages of onnx.proto; values are random.

import { createRequire } from "node:module";
import { createRandom } from "../src/tensor/random.ts";

/** One protobuf field: a whole number, text, bytes, or a message as bytes. */
function field(number: number, value: number | string | Uint8Array): Uint8Array {
  if (typeof value === "number") return Uint8Array.of(...varint(number * 8), ...varint(value));
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  const head = [...varint(number * 8 + 2), ...varint(bytes.length)];
  return join(Uint8Array.from(head), bytes);
}

function varint(value: number): number[] {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

function join(...parts: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** TensorProto: dims, data_type (1 float, 2 uint8), name, raw_data. */
function initializer(name: string, type: number, dims: number[], data: Uint8Array): Uint8Array {
  return field(5, join(...dims.map((dim) => field(1, dim)), field(2, type), field(8, name), field(9, data)));
}

/** ValueInfoProto of a float matrix. */
function value(number: number, name: string, dims: number[]): Uint8Array {
  const shape = join(...dims.map((dim) => field(1, field(1, dim))));
  return field(number, join(field(1, name), field(2, field(1, join(field(1, 1), field(2, shape))))));
}

function model(nodes: Uint8Array, initializers: Uint8Array[], tokens: number, rows: number, columns: number) {
  const graph = join(
    field(1, nodes),
    field(2, "product"),
    ...initializers,
    value(11, "x", [tokens, columns]),
    value(12, "y", [tokens, rows]),
  );
  const opset = (domain: string, version: number) => field(8, join(field(1, domain), field(2, version)));
  return join(field(1, 8), opset("", 17), opset("com.microsoft", 1), field(7, graph));
}

const attribute = (name: string, number: number) => field(5, join(field(1, name), field(3, number), field(20, 2)));
const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer);

function randomFloats(count: number): Float32Array {
  const random = createRandom(1);
  return Float32Array.from({ length: count }, () => random.uniform() - 0.5);
}

function denseModel(tokens: number, rows: number, columns: number): Uint8Array {
  const node = join(field(1, "x"), field(1, "w"), field(2, "y"), field(4, "MatMul"));
  const weights = initializer("w", 1, [columns, rows], bytesOf(randomFloats(rows * columns)));
  return model(node, [weights], tokens, rows, columns);
}

function fourBitModel(tokens: number, rows: number, columns: number): Uint8Array {
  const blocks = columns / 64;
  const attributes = [attribute("K", columns), attribute("N", rows), attribute("bits", 4), attribute("block_size", 64)];
  const inputs = join(field(1, "x"), field(1, "w"), field(1, "scales"));
  const node = join(inputs, field(2, "y"), field(4, "MatMulNBits"), ...attributes, field(7, "com.microsoft"));
  const codes = Uint8Array.from({ length: (rows * columns) / 2 }, (_, i) => (i * 37) & 255);
  const scales = randomFloats(rows * blocks);
  return model(
    node,
    [initializer("w", 2, [rows, blocks, 32], codes), initializer("scales", 1, [rows * blocks], bytesOf(scales))],
    tokens,
    rows,
    columns,
  );
}

/**
 * A function that runs one product in ONNX Runtime Web, on one thread.
 *
 * @param folder - where `onnxruntime-web` is installed
 */
export async function createOnnxProduct(
  folder: string,
  shape: { tokens: number; rows: number; columns: number; fourBits: boolean },
): Promise<{ version: string; run: () => Promise<unknown> }> {
  const require = createRequire(`${folder}/`);
  const ort = require("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const { tokens, rows, columns, fourBits } = shape;
  const bytes = fourBits ? fourBitModel(tokens, rows, columns) : denseModel(tokens, rows, columns);
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const x = new ort.Tensor("float32", randomFloats(tokens * columns), [tokens, columns]);
  return { version: ort.env.versions.web, run: () => session.run({ x }) };
}
